"""`r3 chat`: talk to a model in the terminal, in any regime, with the checker looking on."""

from __future__ import annotations

import json as json_format
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regime3.cli.output import Json, LabOption, console, errors, find_lab
from regime3.errors import LabError, NodeRefused

if TYPE_CHECKING:
    from regime3.client import Client, Delta

UrlOption = Annotated[
    str | None,
    typer.Option(
        "--url",
        envvar="R3_URL",
        help="The node. Default: the lab's running node, else http://127.0.0.1:8765.",
    ),
]
TokenOption = Annotated[
    str,
    typer.Option("--token", envvar="R3_TOKEN", help="The node's token, where it asks for one."),
]
ModelOption = Annotated[str | None, typer.Option("--model", help="A model's id or alias.")]


def client_of(url: str | None, token: str, lab_given: Any = None) -> Client:
    """The node meant: the one named, the lab's own while it runs, or the usual address."""
    from regime3.client import Client
    from regime3.client.client import ADDRESS

    if url is None:
        try:
            lab = find_lab(lab_given)
        except LabError:
            if lab_given is not None:
                raise
            return Client(ADDRESS, token)
        if lab.node_address_file.is_file():
            url = json_format.loads(lab.node_address_file.read_text(encoding="utf-8"))["url"]
    return Client(url or ADDRESS, token)


def chat(
    message: Annotated[
        str | None,
        typer.Argument(help="What to say; without it a conversation, or standard input if piped."),
    ] = None,
    regime: Annotated[
        int | None,
        typer.Option(help="1 English, 2 S-expressions, 3 codes; 2 and 3 need a problem."),
    ] = None,
    problem: Annotated[
        str | None, typer.Option(help="The problem as an S-expression, for the checker.")
    ] = None,
    model: ModelOption = None,
    system: Annotated[str | None, typer.Option(help="A system prompt.")] = None,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.7,
    max_tokens: Annotated[int | None, typer.Option(help="Longest reply, tokens.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same reply.")] = None,
    url: UrlOption = None,
    token: TokenOption = "",
    lab: LabOption = None,
    json: Json = False,
) -> None:
    """Talk to the model of a running node. Replies stream; steps are ticked or crossed.

    [bold]r3 chat "Find gcd(462, 147)." --regime 3 --problem "(gcd 462 147)"[/bold]
    """
    more = {
        "regime": regime,
        "problem": problem,
        "model": model,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "seed": seed,
    }
    messages: list[dict[str, Any]] = []
    if system is not None:
        messages.append({"role": "system", "content": system})
    with client_of(url, token, lab) as node:
        once = message is not None or not sys.stdin.isatty()
        for said in _said(message):
            messages.append({"role": "user", "content": said})
            if json:
                _print_json(node, messages, more)
                return
            try:
                answer = _show(node.stream(messages, **more))
            except NodeRefused as refusal:
                if once:
                    raise
                errors.print(refusal.message)
                messages.pop()
                continue
            messages.append({"role": "assistant", "content": answer})


def _said(message: str | None) -> Iterator[str]:
    """What the person says: the argument, all of a pipe, or line after line."""
    if message is not None:
        yield message
        return
    if not sys.stdin.isatty():
        yield sys.stdin.read()
        return
    while True:
        try:
            line = input("you> ")
        except (EOFError, KeyboardInterrupt):
            console.print()
            return
        if line.strip():
            yield line


def _show(pieces: Iterator[Delta]) -> str:
    """Write a reply as it comes, the thought dimmed; the answer."""
    answer, thinking = "", False
    for piece in pieces:
        if piece.thought:
            thinking = True
            console.print(piece.thought, style="dim", end="")
        if piece.answer:
            if thinking:
                console.print()
            thinking = False
            answer += piece.answer
            console.print(piece.answer, end="")
        if piece.reason is not None:
            console.print(" …" if piece.reason == "length" else "")
        if piece.regime3 is not None:
            _show_verdict(piece.regime3)
    return answer


def _show_verdict(found: dict[str, Any]) -> None:
    """Every step with a tick or a cross, in S-expressions and in English."""
    verdict, bad = found["verdict"], found["verdict"]["first_bad_step"]
    steps, english = found["trace"] or [], found["english"] or []
    for number, (step, words) in enumerate(zip(steps, english, strict=False), start=1):
        fine = bad is None or number < bad
        mark = "✓" if fine else "✗" if number == bad else "·"
        console.print(f"  {mark} {step}", style="green" if fine else "red", end="")
        console.print(f"    {words}", style="dim")
    if verdict["valid"]:
        console.print("  every step holds", style="green")
    else:
        console.print(f"  {verdict['reason'] or 'not valid'}", style="red")


def _print_json(node: Client, messages: list[dict[str, Any]], more: dict[str, Any]) -> None:
    body = {
        "messages": messages,
        **{key: value for key, value in more.items() if value is not None},
    }
    print(json_format.dumps(node.call("POST", "/v1/chat/completions", body), ensure_ascii=False))
