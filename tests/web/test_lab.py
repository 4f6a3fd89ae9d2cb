"""What the lab's page asks for, over files that the lab's own code wrote."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from regime3.config import Settings
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.web.app import create_app
from tests.web.lab_day import PROBES, SEALS, lab_day

PATHS = ("ledger", "compare?one=1&other=9", "curriculum", "lengths", "evolution",
         f"probe?name={PROBES[1]}", "codebook")  # fmt: skip


@pytest.fixture
def client(lab: Lab) -> TestClient:
    return TestClient(create_app(lab, Settings()), base_url="http://127.0.0.1:8080")


def ask(client: TestClient, path: str, status: int = 200) -> Any:
    answer = client.get(f"/api/lab/{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_lab_is_answered_and_a_full_one_only_once(
    lab: Lab, client: TestClient, path: str
) -> None:
    ask(client, path)
    lab_day(lab)
    first = client.get(f"/api/lab/{path}")
    again = client.get(f"/api/lab/{path}", headers={"if-none-match": first.headers["etag"]})
    assert (first.status_code, again.status_code, again.content) == (200, 304, b"")


def test_the_ledger_has_the_numbers_of_each_verdict(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, "ledger")
    last = told["verdicts"][-1]
    assert (told["champion"], last["word"], last["vetoes"]) == (13, "promote", ["numbers"])
    assert (last["overall"]["wins"], last["families"]["numbers"]["losses"]) == (60, 30)
    assert told["checkpoints"] == []


def test_two_checkpoints_are_compared_on_the_probes_that_both_answered(
    lab: Lab, client: TestClient
) -> None:
    lab_day(lab)
    told = ask(client, "compare?one=4&other=9")
    assert (told["asked"], told["answered"]) == (3, [True, True])
    assert told["families"]["entailment"]["solved"] == [1, 1]
    assert told["families"]["lists"]["only"] == [[], [PROBES[1]]]
    back = ask(client, "compare?one=9&other=4")
    assert back["families"]["lists"]["only"] == [[PROBES[1]], []]
    assert ask(client, "compare?one=4&other=5")["answered"] == [True, False]


def test_the_curriculum_says_what_passes_and_where_rows_went(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, "curriculum")
    assert told["aimed"] == {"lists:2": 300, "numbers:1": 100} and told["rows"] == 400
    assert [one["level"] for one in told["families"]["lists"]["levels"]] == [1, 2, 3]


def test_lengths_count_what_was_asked_and_solved(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, "lengths")
    counted = {name: [sum(side) for side in zip(*row, strict=True)] for name, row in
               told["families"].items()}  # fmt: skip
    assert told["checkpoints"] == [1, 9]
    solved = {name.partition(":")[0]: sum(at < most for *_, most in SEALS)
              for at, name in enumerate(PROBES)}  # fmt: skip
    for name, (asked, right) in counted.items():
        assert right == solved[name] <= asked <= len(SEALS)


def test_a_probe_is_told_with_its_problem_and_every_answer(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, f"probe?name={PROBES[1]}")
    assert [each["valid"] for each in told["answers"]] == [False, False, False, True]
    assert told["problem"]["prompt"] and told["problem"]["golden"].startswith("(")
    assert ask(client, "probe?name=lists:2:7:3") == {
        "probe": "lists:2:7:3", "problem": None, "answers": []
    }  # fmt: skip


def test_evolution_says_what_was_solved_first_and_lost(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, "evolution")
    assert [each["seal"] for each in told["checkpoints"]] == [1, 4, 7, 9]
    assert told["first_solved"] == {PROBES[0]: 600, PROBES[1]: 1800, PROBES[2]: 1800}
    assert told["solved"] == sorted(PROBES) and told["regressions"] == {}


def test_codes_are_counted_in_the_last_answers(lab: Lab, client: TestClient) -> None:
    lab_day(lab)
    told = ask(client, "codebook")
    assert told["codebook"] == codebook.shipped().name
    assert sum(one["used"] for one in told["codes"]) == told["packed"]["codes"] > 5
    assert told["packed"]["symbols"] > 0
    assert told["used_by"] == "checkpoint-00000009-0123abcd"
    expansions = {one["name"]: one["expansion"] for one in told["codes"]}
    assert expansions["frac"] == "(frac _ _)"


def test_what_a_code_spares_is_the_symbols_of_its_own_form() -> None:
    from regime3.web.lab import _saves

    spared = {text: _saves({"expansion": text}) for text in ("(frac _ _)", "(a (b _) _)", "42")}
    assert spared == {"(frac _ _)": 2, "(a (b _) _)": 5, "42": 0}
    assert _saves({"expansion": "(qed …) with the answer that the state implies"}) == 0


@pytest.mark.parametrize("what", ["", "nonsense", "<script>", "99", "no-file:3", "x" * 9000])
def test_lineage_of_nothing_is_refused_with_the_reason(
    lab: Lab, client: TestClient, what: str
) -> None:
    answer = client.get("/api/lab/lineage", params={"of": what})
    assert answer.status_code in (404, 414) and answer.json()["error"]


def test_damaged_files_are_said_and_hand_made_ones_passed_over(
    lab: Lab, client: TestClient
) -> None:
    lab_day(lab)
    lab.evolution_file(99).write_text("{torn")
    assert len(ask(client, "evolution")["checkpoints"]) == len(SEALS)
    assert ask(client, "codebook")["used_by"] is None
    lab.forge_file.write_text('{"next_shard": "one"}')
    assert "forge" in ask(client, "curriculum", 503)["error"]
