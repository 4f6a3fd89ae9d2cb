"""Short spellings for conversations and for what of them is supervised."""

from __future__ import annotations

from regime3.model.chat import ChatRenderer
from regime3.records.rows import Example, Message, Row


def system(content: str) -> Message:
    return Message("system", content)


def user(content: str) -> Message:
    return Message("user", content)


def assistant(content: str, thought: str | None = None) -> Message:
    return Message("assistant", content, thought)


def row(*messages: Message) -> Row:
    return Row(list(messages))


def prompt_of(example: Example, renderer: ChatRenderer) -> str:
    return renderer.text_of(example.input_ids[: example.prompt_length])


def supervised_of(example: Example, renderer: ChatRenderer) -> str:
    return renderer.text_of(example.input_ids[example.prompt_length :])


def rendered(renderer: ChatRenderer, *messages: Message, key: str = "row") -> list[tuple[str, str]]:
    """Prompt text and supervised text of every example."""
    return [
        (prompt_of(example, renderer), supervised_of(example, renderer))
        for example in renderer.examples(row(*messages), key)
    ]
