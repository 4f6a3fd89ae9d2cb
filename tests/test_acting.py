"""What a person does: done, told, and taken back by the act that comes with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from regime3 import control, disk
from regime3.acting import Act, Done, Verb, act
from regime3.clock import SystemClock
from regime3.config import Queue, Settings
from regime3.errors import (
    InputRefused,
    NodeRefused,
    Regime3Error,
    SealError,
    SealMissing,
    Unavailable,
)
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.spool import Spool, place_in_inbox
from regime3.vault import Vault
from tests.judge.test_ledger import verdict
from tests.node.nodes import RunningNode, make_lab, running_node

ROW = '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n'


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """Three checkpoints, one file of three rows."""
    lab = Lab(tmp_path / "lab")
    found_lab(lab.root, build_nano, NANO_SETTINGS, "nano")
    vault = Vault(lab, SystemClock())
    for step in (10, 20):
        vault.point_current_model(vault.reseal(vault.head(), Ledger(step=step), "steps"))
    (tmp_path / "math.jsonl").write_text(ROW + ROW.replace('"a"', '"c"'))
    place_in_inbox(lab, tmp_path / "math.jsonl", "normal")
    spool = Spool(lab, Settings(queue=Queue(settle_s=0.0)), SystemClock())
    while not spool.files():
        spool.admit_once()
    return lab


def do(lab: Lab, verb: Verb, **more: object) -> Done:
    return act(lab, Settings(), Act(verb, **more))  # type: ignore[arg-type]


def undone(lab: Lab, done: Done) -> Done:
    assert done.undo is not None
    return act(lab, Settings(), done.undo)


def ending(lab: Lab) -> str | None:
    return next(iter(Vault(lab, SystemClock()).head().ledger.ended.values()), None)


def lane(lab: Lab) -> str:
    (meta,) = Spool(lab, Settings(), SystemClock()).files().values()
    return meta.lane


def test_a_pause_is_taken_back_and_an_earlier_one_comes_back_with_its_reason(lab: Lab) -> None:
    first = do(lab, "pause", reason="the fan")
    assert first.text == "paused: the fan (no trainer is running now)"
    second = do(lab, "pause", reason="the cat")
    undone(lab, second)
    now = control.paused(lab)
    assert now is not None and now.reason == "the fan"
    gone = do(lab, "resume")
    assert gone.done and control.paused(lab) is None
    undone(lab, gone)
    now = control.paused(lab)
    assert now is not None and now.reason == "the fan"
    undone(lab, first)
    assert control.paused(lab) is None
    again = do(lab, "resume")
    assert (again.done, again.undo, again.text) == (False, None, "was not paused")


@pytest.mark.parametrize(("verb", "word"), [("skip", "skipped"), ("remove", "removed")])
def test_a_file_is_ended_and_goes_on(lab: Lab, verb: Verb, word: str) -> None:
    done = do(lab, verb, id="math")
    assert (done.name, ending(lab)) == ("math", word) and done.text.endswith("done")
    back = undone(lab, done)
    assert back.act.verb == "retry" and ending(lab) is None
    undone(lab, back)
    assert ending(lab) == "skipped"


def test_a_file_is_moved_and_back(lab: Lab) -> None:
    done = do(lab, "move", id="math", lane="high")
    assert lane(lab) == "high"
    undone(lab, done)
    assert lane(lab) == "normal"


def test_a_promotion_is_taken_back_by_promoting_the_champion_before(lab: Lab) -> None:
    ledger.append(lab, verdict(1, "first", 1, 1))
    done = do(lab, "promote", number=2, reason="I like it")
    assert ledger.standing_of(lab).champion == 2 and done.number == 2
    undone(lab, done)
    assert ledger.standing_of(lab).champion == 1
    assert do(lab, "promote", number=1).undo is None  # it is the champion already


def test_the_first_promotion_has_nothing_to_go_back_to(lab: Lab) -> None:
    assert do(lab, "promote", number=2).undo is None


def test_a_rollback_stands_for_what_it_left_cannot_be_gone_on_from(lab: Lab) -> None:
    done = do(lab, "rollback", number=2)
    head = Vault(lab, SystemClock()).head()
    assert (done.done, head.number, head.manifest.rolled_back_from) == (True, done.number, 3)
    assert head.ledger.abandoned == [3]
    assert done.undo is None
    with pytest.raises(SealError, match="left behind"):
        do(lab, "rollback", number=3)


@pytest.mark.parametrize(
    ("verb", "more", "error", "word"),
    [
        ("skip", {"id": "nobody"}, InputRefused, "nobody"),
        ("retry", {"id": "math"}, InputRefused, "nothing to retry"),
        ("move", {"id": "math", "lane": "fast"}, InputRefused, "no lane"),
        ("promote", {"number": 99}, SealMissing, "99"),
        ("rollback", {"number": 99}, SealMissing, "99"),
        ("seal", {}, Unavailable, "no trainer"),
        ("cancel", {"id": "job-1"}, Unavailable, "node"),
        ("power", {"id": "loud"}, InputRefused, "no profile"),
        ("power", {"id": "quiet"}, Unavailable, "node"),
        ("skip", {"id": "x" * 201}, InputRefused, "at most 200"),
        ("pause", {"reason": "x" * 201}, InputRefused, "at most 200"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_reason(
    lab: Lab, verb: Verb, more: dict[str, object], error: type[Regime3Error], word: str
) -> None:
    with pytest.raises(error, match=word):
        do(lab, verb, **more)
    assert not control.pending(lab)[0]  # nothing is left that a trainer would stumble over


def test_a_running_trainer_has_it_in_hand(lab: Lab) -> None:
    with disk.Lock(lab.supervisor_lock, "the trainer", "trainer"):
        for verb, more in (("skip", {"id": "math"}), ("rollback", {"number": 2}), ("seal", {})):
            assert not do(lab, verb, **more).done  # type: ignore[arg-type]
        asked = [item.request for item in control.pending(lab)[0]]
    assert [each.verb for each in asked] == ["skip", "rollback", "seal"]
    assert asked[1].seal == 2 and len(asked[0].id) == 32


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    where = make_lab(tmp_path_factory.mktemp("node"))
    with running_node(where, engine="fake", **{"power.simulated": True}) as node:
        yield node


def test_a_job_of_the_node_is_cancelled(node: RunningNode) -> None:
    order = {"model": "default", "family": "lists", "levels": [1], "problems": 4000, "attempts": 9}
    with node.client() as client:
        job = client.generate(order)
        done = do(node.lab, "cancel", id=job["id"])
        assert done.text == f"{job['id']}: cancelled" and done.undo is None
        assert client.job(job["id"])["state"] == "cancelled"
    with pytest.raises(NodeRefused):
        do(node.lab, "cancel", id="job-000000000000000000000000")


def test_a_power_profile_is_set_and_taken_back(node: RunningNode) -> None:
    first = do(node.lab, "power", id="quiet")
    second = do(node.lab, "power", id="max")
    with node.client() as client:
        undone(node.lab, second)
        assert client.call("GET", "/settings/power_profile")["profile"] == "quiet"
        undone(node.lab, first)
        assert client.call("GET", "/settings/power_profile")["by"] != "hand"
