"""Four spellings of a conversation, read into turns: messages, ShareGPT, Alpaca, completion.

An adapter takes one decoded JSON object and returns its turns with the place each stands at, so
that `decode` can name it in a reason. What an adapter does not do: judge roles or contents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from regime3.errors import InputRefused

KEYS_SHOWN_MAX = 8
SHAREGPT_ROLES = {
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "system": "system",
    "tool": "tool",
    "function": "tool",
    "function_response": "tool",
    "observation": "tool",
}
Object = dict[str, Any]


class Turn(NamedTuple):
    """One turn as found; nothing in it is checked yet. `place` is like `messages[2]`."""

    place: str
    role: Any
    content: Any
    reasoning: Any = None
    content_key: str = "content"
    roles_allowed: tuple[str, ...] = ("system", "user", "assistant", "tool")


def kind_of(value: Any) -> str:
    """A JSON value's type in plain words."""
    if value is None:
        return "null"
    names = {bool: "true or false", dict: "an object", list: "a list", str: "text"}
    return names.get(type(value), "a number")


def turns_of(row: Object, format: str | None) -> tuple[list[Turn], str]:
    """The turns of a row and the adapter that read them; `format` forces one.

    Raises `InputRefused` when no adapter knows the row, or the forced one does not.
    """
    if format is not None:
        missing = [key for key in MARKS[format] if key not in row]
        if missing:
            raise InputRefused(f"the sidecar says {format}, and the row has no {missing[0]!r}")
        return ADAPTERS[format](row), format
    for name, marks in MARKS.items():
        if all(key in row for key in marks):
            return ADAPTERS[name](row), name
    keys = ", ".join(repr(key) for key in list(row)[:KEYS_SHOWN_MAX]) or "none"
    raise InputRefused(
        "no messages (nor conversations, instruction and output, prompt and completion); "
        f"its keys: {keys}"
    )


def _listed(row: Object, key: str) -> list[Any]:
    value = row[key]
    if not isinstance(value, list):
        raise InputRefused(f"{key} is {kind_of(value)}, not a list")
    if not value:
        raise InputRefused(f"{key} is empty")
    return value


def _chat(row: Object, key: str) -> list[Turn]:
    turns = []
    for number, item in enumerate(_listed(row, key)):
        place = f"{key}[{number}]"
        if not isinstance(item, dict):
            raise InputRefused(f"{place} is {kind_of(item)}, not an object")
        for field in ("role", "content"):
            if field not in item:
                raise InputRefused(f"{place} has no {field!r}")
        turns.append(Turn(place, item["role"], item["content"], item.get("reasoning_content")))
    return turns


def _messages(row: Object) -> list[Turn]:
    return _chat(row, "messages")


def _sharegpt(row: Object) -> list[Turn]:
    turns = []
    for number, item in enumerate(_listed(row, "conversations")):
        place = f"conversations[{number}]"
        if not isinstance(item, dict):
            raise InputRefused(f"{place} is {kind_of(item)}, not an object")
        for field in ("from", "value"):
            if field not in item:
                raise InputRefused(f"{place} has no {field!r}")
        said = item["from"]
        role = SHAREGPT_ROLES.get(said, said) if isinstance(said, str) else said
        turns.append(Turn(place, role, item["value"], None, "value", tuple(SHAREGPT_ROLES)))
    if isinstance(row.get("system"), str) and row["system"] and turns[0].role != "system":
        turns.insert(0, Turn("system", "system", row["system"]))
    return turns


def _alpaca(row: Object) -> list[Turn]:
    turns = []
    if row.get("system"):
        turns.append(Turn("system", "system", row["system"]))
    for number, pair in enumerate(row.get("history") or []):
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputRefused(f"history[{number}] is not a pair of question and answer")
        turns.append(Turn(f"history[{number}][0]", "user", pair[0], content_key=""))
        turns.append(Turn(f"history[{number}][1]", "assistant", pair[1], content_key=""))
    question, extra = row["instruction"], row.get("input")
    if isinstance(question, str) and extra:
        if not isinstance(extra, str):
            raise InputRefused(f"input is {kind_of(extra)}, not text")
        question = f"{question}\n\n{extra}"
    turns.append(Turn("instruction", "user", question, content_key=""))
    turns.append(Turn("output", "assistant", row["output"], content_key=""))
    return turns


def _completion(row: Object) -> list[Turn]:
    turns = []
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        if isinstance(row[key], list):
            turns += _chat(row, key)
        else:
            turns.append(Turn(key, role, row[key], content_key=""))
    return turns


# In this order: the first adapter all of whose marks a row bears reads it.
MARKS: dict[str, tuple[str, ...]] = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "alpaca": ("instruction", "output"),
    "completion": ("prompt", "completion"),
}
ADAPTERS: dict[str, Callable[[Object], list[Turn]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "completion": _completion,
}
