"""The ledger: a pure fold, and lines that a crash tore."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from regime3.judge import ledger
from regime3.paths import Lab
from regime3.records.verdict import Carried, Verdict


def verdict(number: int, word: Any, seal: int, champion: int, **more: Any) -> Verdict:
    names = {"champion_model": f"m{champion}", "best": champion, "best_model": f"m{champion}"}
    return Verdict(number, 0.0, word, seal, 10 * seal, f"m{seal}", champion, **{**names, **more})


def test_nothing_is_known_without_a_verdict() -> None:
    found = ledger.fold([])
    assert (found.champion, found.needed, found.due) == (None, set(), None)


def test_losses_are_counted_in_a_row_and_a_hold_ends_them() -> None:
    lines = [verdict(1, "first", 1, 1), verdict(2, "worse", 2, 1)]
    assert ledger.fold(lines).losses == 1
    assert ledger.fold([*lines, verdict(3, "hold", 3, 1)]).losses == 0


def test_what_is_due_is_the_last_that_asks_for_something_and_is_not_carried_out() -> None:
    first, promote = verdict(1, "first", 1, 1), verdict(2, "promote", 2, 2)
    assert ledger.fold([first]).due == first
    assert ledger.fold([first, Carried(1, 0.0)]).due is None
    assert ledger.fold([first, promote]).due == promote
    # What was carried out late does not settle what came after it.
    assert ledger.fold([first, promote, Carried(1, 0.0)]).due == promote
    hold = verdict(3, "hold", 3, 2)
    assert ledger.fold([first, promote, hold]).due == promote


def test_champion_and_best_are_needed_and_problems_are_never_asked_again() -> None:
    lines = [
        verdict(1, "first", 1, 1),
        verdict(2, "promote", 2, 2, best=1, best_model="m1", problems=[10, 49]),
        verdict(3, "hold", 3, 2, best=1, best_model="m1", problems=[50, 69]),
    ]
    found = ledger.fold(lines)
    assert found.needed == {1, 2}
    assert found.next_problem == 70
    assert found.judged == {1, 2, 3}


def test_a_torn_line_is_no_line_and_the_next_one_ends_it(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    ledger.append(lab, verdict(1, "first", 1, 1))
    whole = lab.ledger_file.read_bytes()
    torn = msgspec.json.encode(verdict(2, "promote", 2, 2))[:40]
    lab.ledger_file.write_bytes(whole + torn)
    assert ledger.standing_of(lab).champion == 1
    ledger.append(lab, verdict(2, "promote", 2, 2))
    assert [each.number for each in ledger.verdicts(lab)] == [1, 2]
    assert lab.ledger_file.read_bytes().startswith(whole)
