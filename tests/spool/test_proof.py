"""Rows about problems are proved again at admission: wrong, held-out or foreign ones are buried."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from regime3 import tasks
from regime3.lang import codebook
from regime3.model.codebooks import CODEBOOK_FILE, CONFIG_FIELD
from regime3.paths import Lab
from regime3.spool.proof import Proof
from regime3.supervisor.admission import AdmissionThread
from regime3.tasks.rows import REGIMES, row, translation
from tests.spool.conftest import Drop, MakeSpool, rows

BOOK = codebook.shipped()
FAMILIES = list(tasks.FAMILIES)


def a_row(family: str = "arithmetic", regime: int = 3, index: int = 0) -> dict[str, Any]:
    return row(tasks.sample(family, 2, "train", index), regime, BOOK)


def fault(found: dict[str, Any], *, forged: bool = False) -> str | None:
    return Proof(lambda: BOOK, forged=forged).fault(json.dumps(found).encode())


@pytest.mark.parametrize("family", FAMILIES)
def test_an_oracles_row_passes_in_every_regime(family: str) -> None:
    assert [fault(a_row(family, regime), forged=True) for regime in REGIMES] == [None] * 3


@pytest.mark.parametrize("family", FAMILIES)
def test_a_body_of_another_problem_does_not(family: str) -> None:
    own, other = a_row(family, 2), a_row(family, 2, index=7)
    assert own["problem"] != other["problem"]
    reason = fault({**own, "problem": other["problem"]})
    assert reason is not None
    assert reason.startswith(("not accepted by the checker", "cannot be proved"))


def test_a_held_out_problem_is_refused_in_any_spelling() -> None:
    for regime in REGIMES:
        held = row(tasks.sample("lists", 2, "heldout", 3), regime, BOOK)
        # What the row says of itself changes nothing.
        assert fault({**held, "split": "train"}) == "a heldout problem: never trained"


def test_a_translation_must_be_the_body_that_was_given() -> None:
    one, two = (tasks.sample("numbers", 2, "train", index) for index in (0, 1))
    good = translation(one, 1, 3, BOOK)
    assert fault(good) is None
    bad = {**good, "messages": [*good["messages"][:2], translation(two, 1, 3, BOOK)["messages"][2]]}
    assert fault(bad) is not None


def test_codes_of_another_codebook_are_refused() -> None:
    reason = fault({**a_row(), "codebook": "0" * 64})
    assert reason is not None and "codebook" in reason


def test_other_peoples_rows_are_none_of_its_business_but_the_forges_are() -> None:
    plain = {"messages": a_row()["messages"], "problem": 12}
    assert fault(plain) is None
    assert fault(plain, forged=True) == "made by the forge, without a problem to prove it by"
    assert fault({"messages": a_row()["messages"]}, forged=True) is not None


def test_a_wrong_body_that_is_faithfully_translated_is_still_wrong() -> None:
    found = tasks.sample("numbers", 2, "train", 0)
    body = (*found.body[:-1], ("qed", found.body[-1][1] + 1))
    bad = translation(dataclasses.replace(found, body=body), 1, 3, BOOK)
    reason = fault(bad)
    assert reason is not None and reason.startswith("not accepted by the checker: step")


def test_a_wrong_reply_before_the_right_one_is_refused() -> None:
    good = a_row(regime=2)
    system, question, reply = good["messages"]
    wrong = {"role": "assistant", "content": "(qed 77)"}
    for turns in ([system, question, wrong, question, reply], [system, question, reply, question]):
        reason = fault({**good, "messages": turns})
        assert reason is not None and "one reply, at the end" in reason


@pytest.mark.parametrize("turns", [None, "text", [], [1]])
def test_a_problem_without_a_conversation_is_refused(turns: object) -> None:
    assert fault({**a_row(), "messages": turns}) is not None
    rest = {name: value for name, value in a_row().items() if name != "messages"}
    assert fault(rest) is not None


def test_an_integer_of_thousands_of_digits_ends_nothing() -> None:
    line = json.dumps(a_row())[:-1] + ', "n": ' + "1" * 5000 + "}"
    assert Proof(lambda: BOOK, forged=True).fault(line.encode()) is None


def test_proving_can_be_interrupted_between_blocks(
    lab: Lab, make_spool: MakeSpool, drop: Drop
) -> None:
    content = lines(*(a_row(index=index) for index in range(300)))
    drop("many.jsonl", content)
    spool, seen = make_spool(), []

    def enough() -> bool:
        return len(seen) > 3

    assert spool.admit_once(seen.append, enough) == []
    assert 0 < seen[-1].bytes_done < len(content) and 0 < seen[-1].rows < 300
    (found,) = spool.admit_once()
    assert (found.rows, found.buried) == (300, 0)


def test_a_damaged_codebook_decides_nothing(lab: Lab, make_spool: MakeSpool, drop: Drop) -> None:
    lab.seal(1).mkdir()
    (lab.seal(1) / "config.json").write_text(json.dumps({CONFIG_FIELD: BOOK.name}))
    (lab.seal(1) / CODEBOOK_FILE).write_text("{}")
    lab.current_model.symlink_to("../checkpoints/00000001")
    drop("rows.jsonl", lines(a_row()))
    thread = AdmissionThread(make_spool(), 60.0)
    thread._admit()
    assert thread.trouble is not None and "codebook" in thread.trouble
    BOOK.save(lab.seal(1) / CODEBOOK_FILE)
    thread._admit()
    assert [each.rows for each in thread.take()] == [1]


def lines(*found: dict[str, Any]) -> bytes:
    return "".join(json.dumps(each) + "\n" for each in found).encode()


def reasons(lab: Lab, file_id: str) -> list[tuple[int, str]]:
    found = lab.buried_file(file_id).read_bytes().splitlines() if file_id else []
    return [(each["line"], each["reason"]) for each in map(json.loads, found)]


def test_wrong_rows_are_buried_with_line_and_reason(
    lab: Lab, make_spool: MakeSpool, drop: Drop
) -> None:
    wrong = {**a_row(index=1), "problem": a_row(index=2)["problem"]}
    held = row(tasks.sample("lists", 2, "heldout", 3), 2, BOOK)
    content = rows("before") + lines(a_row(), wrong, a_row(index=3), held) + rows("after")
    drop("mixed.jsonl", content)
    (found,) = make_spool().admit_once()
    assert (found.rows, found.buried) == (4, 2)
    (first, why), (second, held_why) = reasons(lab, found.ids[0])
    assert (first, second) == (3, 5)
    assert why.startswith("not accepted by the checker: step ")
    assert held_why == "a heldout problem: never trained"


def test_long_files_are_proved_beyond_their_first_block(
    lab: Lab, make_spool: MakeSpool, drop: Drop
) -> None:
    wrong = {**a_row(index=1), "problem": a_row(index=2)["problem"]}
    plain = rows(*(f"question {number}" for number in range(60_000)))
    drop("long.jsonl", plain + lines(wrong) + plain)
    (found,) = make_spool().admit_once()
    assert (found.rows, found.buried) == (120_000, 1)
    assert reasons(lab, found.ids[0])[0][0] == 60_001


def test_a_file_of_the_forge_holds_nothing_unproved(
    lab: Lab, make_spool: MakeSpool, drop: Drop
) -> None:
    sidecar = {"lineage": {"generator": "forge"}}
    drop("forge.jsonl", lines(a_row(), a_row(index=1)) + rows("plain"), sidecar=sidecar)
    (found,) = make_spool().admit_once()
    assert (found.rows, found.buried) == (2, 1)
    assert reasons(lab, found.ids[0])[0][0] == 3


def test_the_check_can_be_switched_off(make_spool: MakeSpool, drop: Drop) -> None:
    wrong = {**a_row(index=1), "problem": a_row(index=2)["problem"]}
    drop("poison.jsonl", lines(wrong))
    (found,) = make_spool(check_problems=False).admit_once()
    assert (found.rows, found.buried) == (1, 0)
