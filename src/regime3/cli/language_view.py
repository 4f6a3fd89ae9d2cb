"""What the language verbs compute for one trace, as plain dicts that print either way."""

from __future__ import annotations

from functools import cache
from typing import Any

from regime3.errors import InputRefused, LanguageError
from regime3.lang import check, codes, terms
from regime3.lang.codebook import Codebook
from regime3.lang.english import plain, terse
from regime3.lang.pack import Packer
from regime3.lang.problem import Problem, cut_steps, read_body, read_problem, show_body
from regime3.lang.traces import Trace
from regime3.lang.unpack import Unpacker


def checked(trace: Trace, book: Codebook) -> dict[str, Any]:
    """The verdict on one trace, whatever its regime."""
    if trace.row is not None and "messages" in trace.row:
        return _checked_row(trace, book)
    body = _as_sexpr(trace, book)
    verdict = check.check_text(trace.problem, body)
    return {
        "problem": trace.problem,
        "accepted": verdict.accepted,
        "index": verdict.index,
        "steps": verdict.steps,
        "expected": verdict.expected,
        "found": verdict.found,
        "step": _step_text(body, verdict.index),
    }


def _as_sexpr(trace: Trace, book: Codebook) -> str:
    """The body as S-expressions; codes are unpacked first."""
    if trace.body.lstrip().startswith("<E"):
        problem = read_problem(trace.problem)
        return show_body(_unpacker(book).unpack(problem, codes.read_tokens(trace.body)))
    return trace.body


def _checked_row(trace: Trace, book: Codebook) -> dict[str, Any]:
    """A chat row: its last message is judged in the row's regime."""
    from regime3.tasks.verdict import judge_row

    assert trace.row is not None
    judged = judge_row(trace.row, book)
    return {
        "problem": trace.problem,
        "accepted": judged.valid,
        "index": judged.index,
        "steps": judged.steps,
        "expected": judged.expected,
        "found": judged.found,
        "step": judged.step,
    }


def _step_text(body: str, index: int) -> str:
    """The text of the 1-based step `index`; '' where there is none."""
    pieces = cut_steps(body)
    if not 1 <= index <= len(pieces):
        return ""
    start, end = pieces[index - 1]
    return body[start:end]


def verdict_text(found: dict[str, Any]) -> str:
    """One line if accepted; else the bad step with a caret, and why."""
    if found["accepted"]:
        return f"accepted, {found['steps']} steps: {found['problem']}"
    lines = [f"rejected at step {found['index']}: {found['problem']}"]
    if found["step"]:
        step = " ".join(found["step"].split())
        lines += [f"    {step}", "    " + " " * _column(step, found["found"]) + "^"]
    lines.append(f"    expected {found['expected']}; found {found['found']}")
    return "\n".join(lines)


def _column(step: str, found: str) -> int:
    """Where what was found stands in the step; its beginning if it is nowhere."""
    place = step.rfind(f" {found}")
    return place + 1 if place >= 0 else 0


def encoded(trace: Trace, book: Codebook, names: bool) -> dict[str, Any]:
    """Problem and codes."""
    problem = read_problem(trace.problem)
    packed = _packer(book).pack(problem, read_body(problem, trace.body))
    text = codes.names_text(packed, book) if names else codes.tokens_text(packed)
    return {
        "problem": terms.show(problem.term),
        "codes": packed,
        "text": text,
        "codebook": book.name,
    }


def decoded(trace: Trace, book: Codebook, to: str) -> dict[str, Any]:
    """Problem and body in the form that is wanted."""
    problem = read_problem(trace.problem)
    theirs = (trace.row or {}).get("codebook", book.name)
    if theirs != book.name:
        raise InputRefused(
            f"packed with codebook {theirs[:12]}, not {book.name[:12]}",
            next_command="r3 decode --codebook FILE",
        )
    if not trace.body:
        raise LanguageError("no codes follow the problem")
    body = _unpacker(book).unpack(problem, codes.read_tokens(trace.body))
    return {"problem": terms.show(problem.term), "body": _spelled(problem, body, to)}


def _spelled(problem: Problem, body: Any, to: str) -> str:
    if to == "english":
        return plain.show(problem, body)
    if to == "terse":
        return terse.show(problem, body)
    return show_body(body)


@cache
def _packer(book: Codebook) -> Packer:
    return Packer(book)


@cache
def _unpacker(book: Codebook) -> Unpacker:
    return Unpacker(book)
