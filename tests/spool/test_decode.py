"""Bad rows, as data: the line, and what a person is told."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regime3.errors import InputRefused
from regime3.records.rows import Message, Row
from regime3.spool import decode
from regime3.spool.decode import decode_row

USER = '{"role":"user","content":"q"}'
ANSWER = '{"role":"assistant","content":"a"}'


def chat(*turns: str) -> bytes:
    return ('{"messages":[' + ",".join(turns) + "]}").encode()


INVALID: list[tuple[str, bytes, str]] = [
    ("not json", b"nope", "not JSON: Expecting value at column 1"),
    ("torn in two", chat(USER, ANSWER)[:-20], "not JSON:"),
    ("two values", chat(USER, ANSWER) + b" 1", "not JSON: Extra data at column"),
    ("nul bytes", b'{"messages":\0\0\0\0', "NUL bytes from column 13"),
    ("bad utf-8", chat('{"role":"user","content":"\xff"}').replace(b"\xc3\xbf", b"\xff"),
     "not UTF-8: byte 0xff at column 40"),
    ("a lone high surrogate", chat('{"role":"user","content":"x\\ud83dy"}', ANSWER),
     "lone surrogate \\ud83d in messages[0].content"),
    ("a lone low surrogate", chat(USER, '{"role":"assistant","content":"\\ude00"}'),
     "lone surrogate \\ude00 in messages[1].content"),
    ("a raw surrogate", b'{"messages":"\xed\xa0\x80"}', "not UTF-8: byte 0xed"),
    ("a raw control character", chat('{"role":"user","content":"a\tb"}'),
     "not JSON: Invalid control character at column"),
    ("not a number of json", b'{"messages":[],"x":NaN}', "NaN is not a JSON value"),
    ("bottomless", b"[" * 200_000, "nested too deeply"),
    ("a list", b"[1]", "a row is a JSON object; this is a list"),
    ("a text", b'"x"', "a row is a JSON object; this is text"),
    ("null", b"null", "a row is a JSON object; this is null"),
    ("a number", b"7", "a row is a JSON object; this is a number"),
    ("messages missing", b'{"text":"hello"}', "no messages (nor conversations"),
    ("nothing in it", b"{}", "its keys: none"),
    ("messages empty", b'{"messages":[]}', "messages is empty"),
    ("messages an object", b'{"messages":{}}', "messages is an object, not a list"),
    ("messages null", b'{"messages":null}', "messages is null, not a list"),
    ("a message that is text", b'{"messages":["hi"]}', "messages[0] is text, not an object"),
    ("a message without a role", chat('{"content":"q"}'), "messages[0] has no 'role'"),
    ("a message without content", chat('{"role":"user"}'), "messages[0] has no 'content'"),
    ("an unknown role", chat(USER, '{"role":"narrator","content":"x"}'),
     "unknown role 'narrator' in messages[1]; allowed: system, user, assistant, tool"),
    ("a role that is no text", chat('{"role":3,"content":"x"}'), "unknown role a number"),
    ("a role that would move the cursor", chat('{"role":"\\u001b[2J","content":"x"}'),
     "unknown role '\\x1b[2J'"),
    ("content null", chat(USER, '{"role":"assistant","content":null}'),
     "messages[1].content is null, not text"),
    ("content a number", chat('{"role":"user","content":5}', ANSWER),
     "messages[0].content is a number, not text"),
    ("content parts", chat('{"role":"user","content":[{"type":"text","text":"q"}]}', ANSWER),
     "messages[0].content is a list, not text"),
    ("reasoning a number", chat(USER, '{"role":"assistant","content":"a","reasoning_content":1}'),
     "messages[1].reasoning_content is a number, not text"),
    ("assistant first", chat(ANSWER, USER), "assistant first"),
    ("assistant after system", chat('{"role":"system","content":"s"}', ANSWER), "assistant first"),
    ("assistant after a tool", chat('{"role":"tool","content":"s"}', ANSWER), "assistant first"),
    ("no assistant", chat(USER), "no assistant turn"),
    ("assistant empty", chat(USER, '{"role":"assistant","content":""}'), "turn is empty"),
    ("assistant blank everywhere",
     chat(USER, '{"role":"assistant","content":" \\n"}', USER,
          '{"role":"assistant","content":""}'), "every assistant turn is empty"),
    ("a duplicate role", chat('{"role":"user","content":"q","role":"assistant"}', USER, ANSWER),
     "duplicate key 'role'"),
    ("a duplicate content", chat('{"role":"user","content":"q","content":"r"}', ANSWER),
     "duplicate key 'content'"),
    ("a duplicate thought",
     chat(USER, '{"role":"assistant","content":"a","reasoning_content":"b",'
                '"reasoning_content":null}'), "duplicate key 'reasoning_content'"),
    ("messages twice", chat(USER, ANSWER)[:-1] + b"," + chat(USER, ANSWER)[1:],
     "duplicate key 'messages'"),
    ("an empty messages shadowed", b'{"messages":[],' + chat(USER, ANSWER)[1:],
     "duplicate key 'messages'"),
    ("a byte order mark inside", b"\xef\xbb\xbf" + chat(USER, ANSWER), "not JSON"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "reason"), [case[1:] for case in INVALID],
                         ids=[case[0] for case in INVALID])  # fmt: skip
def test_a_bad_row_is_refused_with_its_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(InputRefused) as refused:
        decode_row(raw)
    assert reason in refused.value.reason
    assert refused.value.reason.isprintable()


VALID: list[tuple[str, bytes]] = [
    ("plain", chat(USER, ANSWER)),
    ("carriage return", chat(USER, ANSWER) + b"\r"),
    ("spaces around", b"  " + chat(USER, ANSWER) + b" \t"),
    ("unknown keys", b'{"id":7,"messages":[' + f"{USER},{ANSWER}".encode() + b'],"tags":["a"]}'),
    ("unknown keys of our names", b'{"meta":{"role":"x","content":"y"},' + chat(USER, ANSWER)[1:]),
    ("a huge number beside", b'{"n":' + b"9" * 6000 + b"," + chat(USER, ANSWER)[1:]),
    ("a system turn first", chat('{"role":"system","content":"s"}', USER, ANSWER)),
    ("a tool turn", chat(USER, ANSWER, '{"role":"tool","content":"4"}', ANSWER)),
    ("one empty answer of two", chat(USER, '{"role":"assistant","content":""}', USER, ANSWER)),
    ("a surrogate pair", chat('{"role":"user","content":"\\ud83d\\ude00"}', ANSWER)),
    ("our keys in the text", chat('{"role":"user","content":"say \\"role\\" and \\"content\\""}',
                                  ANSWER)),
    ("a key spelled with an escape", chat('{"\\u0072ole":"user","content":"q"}', ANSWER)),
    ("a thought", chat(USER, '{"role":"assistant","content":"a","reasoning_content":"hm"}')),
    ("a null thought", chat(USER, '{"role":"assistant","content":"a","reasoning_content":null}')),
]  # fmt: skip


@pytest.mark.parametrize("raw", [case[1] for case in VALID], ids=[case[0] for case in VALID])
def test_a_good_row_reads_the_same_on_both_paths(raw: bytes) -> None:
    row, adapter = decode_row(raw)
    assert adapter == "messages"
    assert decode._decode_strictly(raw, None) == (row, "messages")


def test_a_plain_row_takes_the_fast_path() -> None:
    assert decode._decode_fast(chat(USER, ANSWER)) is not None
    thought = '{"role":"assistant","content":"a","reasoning_content":"hm"}'
    assert decode._decode_fast(chat(USER, thought)) is not None


def test_the_words_arrive_unchanged() -> None:
    raw = json.dumps(
        {"messages": [{"role": "user", "content": " ünï\n🤔 "},
                      {"role": "assistant", "content": "a", "reasoning_content": "t"}]}
    ).encode()  # fmt: skip
    assert decode_row(raw)[0] == Row([Message("user", " ünï\n🤔 "), Message("assistant", "a", "t")])


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
message_like = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["system", "user", "assistant", "tool", "x"]) | scalars,
        "content": st.text(max_size=8) | scalars,
        "reasoning_content": st.none() | st.text(max_size=3),
        "extra": scalars,
    },
)
row_like = st.dictionaries(st.sampled_from(["id", "text"]), scalars, max_size=2).flatmap(
    lambda extra: st.lists(message_like, max_size=4).map(lambda m: {**extra, "messages": m})
)


@given(value=row_like | st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(
    st.text(max_size=9), inner)), ascii_only=st.booleans())  # fmt: skip
def test_both_paths_agree_on_any_json(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert outcome(decode_row, raw) == outcome(decode._decode_strictly, raw)


@given(raw=st.binary(max_size=60))
def test_any_bytes_give_a_row_or_a_reason(raw: bytes) -> None:
    kind, told = outcome(decode_row, raw)
    assert kind == "refused" and told


def outcome(read: Any, raw: bytes) -> tuple[str, Any]:
    try:
        return "row", read(raw, None)[0]
    except InputRefused as refused:
        return "refused", refused.reason
