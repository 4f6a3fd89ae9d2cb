"""Other spellings of a conversation, and the sidecar that forces one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from regime3.errors import InputRefused
from regime3.spool.decode import decode_row


def read(value: Any, format: str | None = None) -> tuple[list[tuple[str, str]], str]:
    row, adapter = decode_row(json.dumps(value).encode(), format)
    return [(message.role, message.content) for message in row.messages], adapter


QA = [("user", "q"), ("assistant", "a")]
ROWS: list[tuple[Any, list[tuple[str, str]], str]] = [
    ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]},
     QA, "sharegpt"),
    ({"conversations": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}],
      "system": "s"}, [("system", "s"), *QA], "sharegpt"),
    ({"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "q"},
                        {"from": "gpt", "value": "a"}, {"from": "observation", "value": "4"}]},
     [("system", "s"), *QA, ("tool", "4")], "sharegpt"),
    ({"instruction": "q", "output": "a"}, QA, "alpaca"),
    ({"instruction": "q", "input": "", "output": "a"}, QA, "alpaca"),
    ({"instruction": "q", "input": "i", "output": "a"},
     [("user", "q\n\ni"), ("assistant", "a")], "alpaca"),
    ({"instruction": "q", "output": "a", "system": "s", "history": [["p", "b"]]},
     [("system", "s"), ("user", "p"), ("assistant", "b"), *QA], "alpaca"),
    ({"prompt": "q", "completion": "a"}, QA, "completion"),
    ({"prompt": [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}],
      "completion": [{"role": "assistant", "content": "a"}]},
     [("system", "s"), *QA], "completion"),
    ({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}],
      "prompt": "other", "completion": "other"}, QA, "messages"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "turns", "adapter"), ROWS)
def test_a_spelling_is_read_by_its_adapter(value: Any, turns: Any, adapter: str) -> None:
    assert read(value) == (turns, adapter)


BAD: list[tuple[Any, str]] = [
    ({"conversations": [{"from": "narrator", "value": "q"}]}, "unknown role 'narrator' in conv"),
    ({"conversations": [{"from": "human", "value": 3}]}, "conversations[0].value is a number"),
    ({"conversations": [{"value": "q"}]}, "conversations[0] has no 'from'"),
    ({"conversations": "q"}, "conversations is text, not a list"),
    ({"conversations": [{"from": "gpt", "value": "a"}]}, "assistant first"),
    ({"instruction": None, "output": "a"}, "instruction is null, not text"),
    ({"instruction": "q", "output": ""}, "every assistant turn is empty"),
    ({"instruction": "q", "input": 4, "output": "a"}, "input is a number, not text"),
    ({"instruction": "q", "output": "a", "history": ["x"]}, "history[0] is not a pair"),
    ({"prompt": "q", "completion": 4}, "completion is a number, not text"),
    ({"prompt": [], "completion": "a"}, "prompt is empty"),
    ({"prompt": "q"}, "no messages (nor"),
]


@pytest.mark.parametrize(("value", "reason"), BAD)
def test_a_bad_row_of_another_spelling_names_its_own_keys(value: Any, reason: str) -> None:
    with pytest.raises(InputRefused) as refused:
        read(value)
    assert reason in refused.value.reason


def test_a_sidecar_can_force_the_spelling() -> None:
    both = {"messages": [], "instruction": "q", "output": "a"}
    assert read(both, "alpaca") == (QA, "alpaca")
    with pytest.raises(InputRefused, match="the sidecar says completion, and the row has no"):
        read(both, "completion")


def test_duplicate_keys_are_seen_in_every_spelling() -> None:
    with pytest.raises(InputRefused, match="duplicate key 'output'"):
        decode_row(b'{"instruction":"q","output":"a","output":"b"}')
