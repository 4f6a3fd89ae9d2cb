"""The forge as a whole, with a node's double: what it asks, what it refuses, what it drops."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from regime3 import disk, tasks
from regime3.clock import FakeClock
from regime3.config import Forge as ForgeSettings
from regime3.config import Model
from regime3.errors import DiskFull, InputRefused, LabError, NodeRefused, Unavailable
from regime3.forge import Forge, view
from regime3.forge.mixture import ATTEMPTS_FROM, ORACLE_FROM
from regime3.lang.fingerprint import fingerprint
from regime3.lang.problem import read_problem
from regime3.paths import Lab
from tests.forge.conftest import MakeForge, admitted, rows_in_inbox, small, until
from tests.forge.double import BOOK, Double, Line, line


def test_a_first_shard_asks_the_first_level_and_is_admitted_whole(
    lab: Lab, make_forge: MakeForge, node: Double, clock: FakeClock
) -> None:
    (told,) = until(make_forge(), lab, 1)
    orders = [job["order"] for job in node.jobs.values()]
    assert [(each["family"], each["levels"]) for each in orders] == [
        ("lists", [1]),
        ("numbers", [1]),
    ]
    assert {each["start"] for each in orders} == {ATTEMPTS_FROM}
    path = lab.inbox_lane("low") / "forge-000001.jsonl"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == told["sha256"]
    assert told["rows"] == sum(told["kinds"].values()) == len(rows_in_inbox(lab)) > 0
    assert told["seal"] == 3 and told["codebook"] == BOOK.name
    (found,) = admitted(lab, clock)
    assert (found.rows, found.buried) == (told["rows"], 0)


def test_a_quarter_and_more_is_of_oracles_and_replay_comes_with_the_second_shard(
    lab: Lab, make_forge: MakeForge
) -> None:
    first, second = until(make_forge(), lab, 2)
    for told in (first, second):
        assert told["kinds"]["oracle"] >= 0.25 * told["rows"]
        assert told["kinds"]["attempt"] > 0 and told["kinds"]["correction"] > 0
    assert "replay" not in first["kinds"] and second["kinds"]["replay"] > 0


def test_no_problem_is_asked_twice_and_no_row_written_twice(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    until(make_forge(), lab, 5)
    asked = [
        (each["order"]["family"], each["order"]["levels"][0], each["order"]["start"] + number)
        for each in node.jobs.values()
        for number in range(each["order"]["problems"])
    ]
    assert len(asked) == len(set(asked))
    rows = [json.dumps(each["messages"]) for each in rows_in_inbox(lab)]
    assert len(rows) == len(set(rows)) > 80
    oracle = [each for each in rows_in_inbox(lab) if each["kind"] == "oracle"]
    assert min(each["index"] for each in oracle) >= ORACLE_FROM


def test_levels_open_as_they_pass_and_readers_see_it(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    node.right_of_8 = 8
    until(make_forge(), lab, 6)
    found = view(lab)
    assert found["families"]["lists"]["top"] > 1
    assert any("opens" in (each["note"] or "") for each in found["shards"])
    assert json.loads(lab.forge_file.read_bytes())["levels"]["lists"][:2] == [1, 2]
    assert found["families"]["lists"]["levels"][0]["pass_rate"] > 0.9
    json.dumps(found, allow_nan=False)


def test_oracles_stay_below_their_level(lab: Lab, make_forge: MakeForge, node: Double) -> None:
    node.right_of_8 = 8
    until(make_forge(oracle_level_max=1), lab, 6)
    rows = rows_in_inbox(lab)
    assert max(each["level"] for each in rows if each["kind"] == "attempt") > 1
    oracles = [each for each in rows if each["kind"] == "oracle"
               or each["lineage"].get("reply") == "oracle"]  # fmt: skip
    assert {each["level"] for each in oracles} == {1}


# ------------------------------------------------------------ nodes that lie or break


def all_claimed(lines: list[Line]) -> list[Line]:
    for each in lines:
        each["attempt"]["valid"] = True
    return lines


def test_a_node_that_calls_wrong_attempts_right_poisons_nothing(
    lab: Lab, make_forge: MakeForge, node: Double, clock: FakeClock
) -> None:
    node.bent, node.right_of_8 = all_claimed, 2
    (told,) = until(make_forge(), lab, 1)
    passed = sum(each["passed"] for each in told["levels"].values())
    assert passed < sum(each["attempts"] for each in told["levels"].values())
    assert [each["code"] for each in view(lab)["alerts"]] == ["verdicts"]
    (found,) = admitted(lab, clock)
    assert found.buried == 0


def held_out(lines: list[Line]) -> list[Line]:
    """Held-out problems under the names of those that were asked."""
    job, found = lines[0]["lineage"]["job"], []
    for number, each in enumerate(lines):
        sample = tasks.sample(each["family"], each["level"], "heldout", number)
        bent = line(sample, job, 0, right=True)
        found.append({**bent, "split": "train", "index": each["index"]})
    return found


def test_held_out_problems_never_reach_a_shard(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    node.bent = held_out
    (told,) = until(make_forge(), lab, 1)
    assert len(told["jobs_dropped"]) == 2 and "is another one" in told["jobs_dropped"][0]
    assert set(told["kinds"]) == {"oracle"}
    node.bent = lambda lines: lines
    until(make_forge(), lab, 4)
    prints = {fingerprint(read_problem(each["problem"])) for each in rows_in_inbox(lab)}
    assert {tasks.split_of(each) for each in prints} == {"train"}


def test_attempts_of_another_model_than_was_asked_are_refused(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    def bent(lines: list[Line]) -> list[Line]:
        for each in lines:
            each["lineage"]["model_sha256"] = "cd" * 32
        return lines

    node.bent = bent
    (told,) = until(make_forge(), lab, 1)
    assert "written by model cdcd" in told["jobs_dropped"][0]
    assert "attempt" not in told["kinds"]
    assert {each["code"] for each in view(lab)["alerts"]} == {"refused"}


def test_a_model_of_another_codebook_is_not_asked(make_forge: MakeForge, node: Double) -> None:
    node.codebook = "0" * 64
    with pytest.raises(InputRefused, match="nothing is asked"):
        make_forge().turn()
    assert node.jobs == {}


def test_a_shard_that_comes_cut_off_is_fetched_again(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    forge = make_forge(alone=False)
    forge.turn()
    node.torn = True
    for _ in range(2):
        with pytest.raises(Unavailable, match="came cut off or changed"):
            forge.turn()
    node.torn = False
    (told,) = until(forge, lab, 1)
    assert told["kinds"]["attempt"] > 0 and told["jobs_dropped"] == []


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_jobs_that_come_to_nothing_are_told_and_done_without(
    lab: Lab, make_forge: MakeForge, node: Double, state: str
) -> None:
    node.state = state
    (told,) = until(make_forge(), lab, 1)
    assert told["jobs_dropped"] == [
        f"{family}:1: {state}: no reason given" for family in ("lists", "numbers")
    ]
    assert set(told["kinds"]) == {"oracle"}


def test_a_node_that_forgot_its_jobs_is_done_without(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    forge = make_forge()
    node.state = "running"
    forge.turn()
    forge.turn()
    node.jobs.clear()
    (told,) = until(forge, lab, 1)
    assert "knows no such job" in told["jobs_dropped"][0]


def test_jobs_that_take_too_long_are_cancelled(
    lab: Lab, make_forge: MakeForge, node: Double, clock: FakeClock
) -> None:
    node.state = "running"
    forge = make_forge(job_wait_s=60.0)
    for _ in range(5):
        forge.turn()
    assert view(lab)["shards"] == [] and node.cancelled == []
    clock.advance(61)
    (told,) = until(forge, lab, 1)
    assert len(node.cancelled) == 2 and "not done after 60 s" in told["jobs_dropped"][0]


# ------------------------------------------------------------ no node


def test_without_a_node_the_trainer_gets_oracle_rows(
    lab: Lab, make_forge: MakeForge, node: Double, clock: FakeClock
) -> None:
    node.away = True
    (told,) = until(make_forge(), lab, 1)
    assert told["kinds"] == {"oracle": 24} and told["model"] is None and told["note"] == "away"
    assert admitted(lab, clock)[0].buried == 0


def test_without_a_node_it_raises_where_it_may_not_work_alone(
    make_forge: MakeForge, node: Double
) -> None:
    node.away = True
    with pytest.raises(NodeRefused):
        make_forge(alone=False).turn()


def test_a_node_that_goes_away_between_is_waited_for(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    forge = make_forge()
    forge.turn()
    node.away = True
    (alone,) = until(forge, lab, 1)
    assert alone["shard"] == 2 and set(alone["kinds"]) == {"oracle"}
    node.away = False
    _, back = until(forge, lab, 2)
    assert back["shard"] == 1 and back["kinds"]["attempt"] > 0
    rows = [json.dumps(each["messages"]) for each in rows_in_inbox(lab)]
    assert len(rows) == len(set(rows))


# ------------------------------------------------------------ when it rests


def test_it_rests_while_enough_rows_wait(lab: Lab, make_forge: MakeForge, node: Double) -> None:
    waiting = lab.inbox / "mine.jsonl"
    waiting.write_text("{}\n" * 30)
    assert make_forge(queue_rows_min=30).turn() > 0 and node.jobs == {}
    assert make_forge(queue_rows_min=31).turn() == 0 and view(lab)["pending"]


def test_it_rests_between_shards_after_a_restart_too(
    lab: Lab, make_forge: MakeForge, clock: FakeClock
) -> None:
    forge = make_forge(cooldown_s=100.0)
    until(forge, lab, 1)
    assert forge.turn() == 100.0
    clock.advance(40)
    assert forge.turn() == 60.0
    assert make_forge(cooldown_s=100.0).turn() == 60.0


def test_a_clock_that_jumps_back_makes_it_rest_once_more_at_most(
    lab: Lab, make_forge: MakeForge, clock: FakeClock
) -> None:
    forge = make_forge(cooldown_s=100.0)
    until(forge, lab, 1)
    clock.wall -= 10**6
    assert forge.turn() == 100.0
    assert make_forge(cooldown_s=100.0).turn() == 100.0
    clock.elapsed += 100
    assert forge.turn() == 0.0


def test_a_days_rows_are_capped_whatever_the_clock_does(
    lab: Lab, make_forge: MakeForge, clock: FakeClock
) -> None:
    forge = make_forge(rows_a_day_max=1)
    until(forge, lab, 1)
    assert forge.turn() > 0
    clock.wall -= 3 * 86_400  # back: the day is still the one that was counted
    assert forge.turn() == 0.0  # more than a day ahead of the clock: counted anew
    until(forge, lab, 2)
    clock.wall -= 3_600 * 20
    assert forge.turn() > 0
    clock.wall += 2 * 86_400
    assert forge.turn() == 0.0


def test_it_does_nothing_when_it_is_off(make_forge: MakeForge, node: Double, lab: Lab) -> None:
    assert make_forge(on=False).turn() > 0
    assert node.jobs == {} and not lab.forge_file.exists()


# ------------------------------------------------------------ disk and settings


def test_a_full_disk_stops_it_before_anything_is_asked(
    make_forge: MakeForge, node: Double, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda _: 1000)
    with pytest.raises(DiskFull):
        make_forge().turn()
    assert node.jobs == {}


def test_a_damaged_note_is_told_with_what_to_do(lab: Lab, make_forge: MakeForge) -> None:
    lab.loop.mkdir()
    lab.forge_file.write_text("{")
    with pytest.raises(LabError, match=r"mv loop/forge.json"):
        make_forge().turn()


def test_a_model_too_short_for_any_row_gets_none_and_the_forge_goes_on(
    lab: Lab, clock: FakeClock, node: Double
) -> None:
    settings = dataclasses.replace(small(), model=Model(max_length=16))
    first, second = until(Forge(lab, settings, node.client(), clock), lab, 2)
    assert first["rows"] == second["rows"] == 0 and first["file"] is None
    assert first["dropped"]["too long"] > 0 and rows_in_inbox(lab) == []


def test_an_unknown_family_is_refused(lab: Lab, clock: FakeClock, node: Double) -> None:
    with pytest.raises(InputRefused, match="'algebra'"):
        Forge(lab, small(families="lists,algebra"), node.client(), clock)


def test_a_family_that_collapses_rests_and_comes_back(
    lab: Lab, make_forge: MakeForge, node: Double
) -> None:
    own: dict[str, Any] = {
        "families": "arithmetic", "level_first": 3, "problems_max": 12, "shard_rows": 40,
        "collapse_attempts": 30, "collapse_shards": 2, "attempts": 4, "open_pass": 1.0,
    }  # fmt: skip
    forge = make_forge(**own)
    until(forge, lab, 2)

    def same(lines: list[Line]) -> list[Line]:
        for each in lines:
            each["attempt"] |= {"thought": "", "answer": "(qed 1)"}
            each["regime"] = 2
        return lines

    node.bent = same
    until(forge, lab, 3)
    assert view(lab)["families"]["arithmetic"]["stopped"]
    assert "collapse" in {each["code"] for each in view(lab)["alerts"]}
    jobs = len(node.jobs)
    fourth, fifth = until(forge, lab, 5)[3:]
    assert set(fourth["kinds"]) <= {"oracle", "replay"} and len(node.jobs) == jobs
    assert "oracle" in fourth["kinds"] and "collapsed" in fifth["note"]
    node.bent = lambda lines: lines
    assert "attempt" in until(forge, lab, 6)[5]["kinds"]


def test_the_defaults_leave_room_for_attempts() -> None:
    from regime3.forge.mixture import attempt_share

    assert attempt_share(ForgeSettings()) >= 0.25
    assert ForgeSettings().oracle_share >= 0.25
