"""Manifest, ledger and verdicts as bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from regime3.records.checkpoint import Manifest, SealedFile
from regime3.records.ledger import Ledger, RowBurial, TrainedRange
from regime3.vault.checked import FILE_BYTES_MAX, Unreadable, encode_checked
from regime3.vault.ledger_codec import (
    CODE_OF,
    ENDED_BYTES,
    decode_ended,
    decode_ledger,
    encode_ended,
    encode_ledger,
)
from regime3.vault.manifest import decode_manifest, encode_manifest
from regime3.vault.verdicts import Verdicts, decode_verdicts, encode_verdicts
from tests.vault.small_lab import an_id

ids = some.integers(0, 50).map(an_id)
endings = some.sampled_from(sorted(CODE_OF))


def a_manifest(**changes: object) -> Manifest:
    fields: dict[str, object] = {
        "number": 7, "parent": 5, "step": 120, "created_at": 1.5, "reason": "steps",
        "files": {"model.safetensors": SealedFile(3, "a" * 64)}, "abandoned": [6],
    }  # fmt: skip
    return Manifest(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_manifest_comes_back_as_it_was_and_stays_ordinary_json() -> None:
    data = encode_manifest(a_manifest())
    assert decode_manifest(data, 7) == a_manifest()
    assert json.loads(data)["parent"] == 5


def test_every_flipped_bit_of_a_manifest_is_noticed() -> None:
    data = encode_manifest(a_manifest())
    for bit in range(len(data) * 8):
        torn = bytearray(data)
        torn[bit // 8] ^= 1 << (bit % 8)
        with pytest.raises(Unreadable):
            decode_manifest(bytes(torn), 7)


def test_every_truncation_of_a_manifest_is_noticed() -> None:
    data = encode_manifest(a_manifest())
    for length in range(len(data)):
        with pytest.raises(Unreadable):
            decode_manifest(data[:length], 7)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "a/b", "..", ".hidden", "", "manifest.json", "a\0b",
     "a\nb", "x" * 300, "C:\\x"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    hostile = encode_checked(a_manifest(files={name: SealedFile(3, "a" * 64)}))
    with pytest.raises(Unreadable, match="not allowed"):
        decode_manifest(hostile, 7)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": 8}, "manifest of checkpoint 8"),
        ({"schema": 2}, "another version"),
        ({"parent": 7}, "not older"),
        ({"parent": 0}, "not older"),
        ({"abandoned": [9]}, "not older"),
        ({"rolled_back_from": 99}, "not older"),
        ({"step": -1}, "negative"),
        ({"files": {"a": SealedFile(-1, "a" * 64)}}, "impossible"),
        ({"files": {"a": SealedFile(1, "A" * 64)}}, "impossible"),
        ({"files": {f"f{i}": SealedFile(1, "a" * 64) for i in range(5000)}}, "more than"),
    ],
)
def test_a_manifest_that_cannot_be_true_is_refused(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        decode_manifest(encode_checked(a_manifest(**changes)), 7)


def test_a_huge_or_deep_manifest_costs_nothing() -> None:
    with pytest.raises(Unreadable, match="larger"):
        decode_manifest(b"[" * (FILE_BYTES_MAX + 1), 7)
    with pytest.raises(Unreadable):
        decode_manifest(encode_manifest(a_manifest())[:80] + b"[" * 100_000, 7)


@given(ended=some.dictionaries(ids, endings, max_size=30))
@settings(max_examples=60, deadline=None)
def test_ended_files_take_17_bytes_each_and_come_back(ended: dict[str, object]) -> None:
    data = encode_ended(ended)  # type: ignore[arg-type]
    assert len(data) == ENDED_BYTES * len(ended)
    assert decode_ended(data) == ended


def test_a_torn_unsorted_doubled_or_unknown_record_is_refused() -> None:
    one, two = encode_ended({an_id(1): "done"}), encode_ended({an_id(2): "failed"})
    for bad in (one[:-1], two + one, one + one, one[:-1] + b"\0", one[:-1] + b"\x09"):
        with pytest.raises(Unreadable):
            decode_ended(bad)


def test_a_ledger_comes_back_as_it_was() -> None:
    ledger = Ledger(
        step=9, positions={an_id(1): 4, an_id(3): 2}, ended={an_id(2): "done", an_id(3): "skipped"},
        buried_at_run={an_id(1): 1}, trained=[TrainedRange(an_id(1), 0, 4)],
        buried=[RowBurial(an_id(1), 2, 7, "does not fit")], abandoned=[3],
        rolled_back={an_id(1): 1},
    )  # fmt: skip
    assert decode_ledger(*encode_ledger(ledger)) == ledger
    assert b"ended" not in encode_ledger(ledger)[0]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", b'{"positions":{"../x":1}}', b'{"step":-1}', b'{"step":"1"}',
        b'{"ended":{"00000000000000000000000000000001":"done"}}',
        b'{"positions":{"00000000000000000000000000000001":-1}}',
        b'{"positions":{"00000000000000000000000000000009":1}}',
        b'{"trained":[{"id":"00000000000000000000000000000001","first":4,"stop":4}]}',
        b"[" * 100_000,
    ],
)  # fmt: skip
def test_a_ledger_that_cannot_be_true_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        decode_ledger(body, encode_ended({an_id(9): "done"}))


def test_verdicts_come_back_and_a_foreign_schema_is_refused() -> None:
    verdicts = Verdicts({10: [6, 7]}, 10, {4: "rot"})
    assert decode_verdicts(encode_verdicts(verdicts)) == verdicts
    with pytest.raises(Unreadable):
        decode_verdicts(encode_verdicts(Verdicts(schema=2)))
