"""The judge against a real node: real checkpoints, real answers, real verdicts."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from regime3 import config, control
from regime3.client import Client
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.evolution import probes
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.judge.case import read_case
from regime3.judge.judge import Judge
from regime3.judge.ledger import Standing
from regime3.judge.person import decide
from regime3.model.nano import build_nano
from regime3.paths import Lab
from regime3.records.ledger import Ledger
from regime3.records.verdict import Verdict
from regime3.score.sequential import Rates, Trial
from regime3.vault import Vault
from tests.node.nodes import RunningNode, running_node

TURNS_MAX = 600
NOISE = 0.5


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    found_lab(tmp_path / "lab", build_nano, NANO_SETTINGS, "nano")
    return Lab(tmp_path / "lab")


@pytest.fixture
def node(lab: Lab) -> Iterator[RunningNode]:
    with running_node(lab, slots=64, slots_reserved=4, device="cpu") as found:
        yield found


def seal_with(lab: Lab, noise: float, seed: int = 0) -> int:
    """A new head: the base model with so much noise in its weights."""
    vault = Vault(lab, SystemClock())
    head = vault.head()
    temp = vault.begin()
    for path in lab.model_base.iterdir():
        if path.name == "model.safetensors":
            weights = load_file(path)
            rng = np.random.default_rng(seed)
            for name, array in weights.items():
                weights[name] = array + noise * rng.standard_normal(array.shape, np.float32)
            save_file(weights, temp / path.name, {"format": "pt"})
        else:
            (temp / path.name).write_bytes(path.read_bytes())
    step = head.manifest.step + 10
    seal = vault.commit(
        temp, parent=head.number, step=step, reason="steps", ledger=Ledger(step=step)
    )
    vault.point_current_model(seal)
    return seal.number


Make = Callable[[RunningNode], Judge]


@pytest.fixture
def a_judge(lab: Lab) -> Iterator[Make]:
    """Judges that know nothing but what the lab holds; their connections end with the test."""
    with contextlib.ExitStack() as open_:
        yield lambda node: make_judge(lab, open_.enter_context(node.client()))


def make_judge(lab: Lab, client: Client, **changes: object) -> Judge:
    few = {"families": "numbers", "levels": 1, "batch": 120, "fixed_per_cell": 5}
    loaded = config.load(lab.settings_file).settings
    judge = dataclasses.replace(loaded.judge, **{**few, **changes})  # type: ignore[arg-type]
    few_probes = dataclasses.replace(loaded.evolution, levels=1, per_level=1)
    settings: Settings = dataclasses.replace(loaded, judge=judge, evolution=few_probes)
    return Judge(lab, settings, client, SystemClock())


def judged(lab: Lab, judge: Judge) -> Verdict:
    """Turns until one more verdict stands and is carried out."""
    before = ledger.standing_of(lab).verdicts
    for _ in range(TURNS_MAX):
        judge.clock.sleep(min(0.2, judge.turn()))
        standing = ledger.standing_of(lab)
        if standing.verdicts > before and standing.due is None:
            assert standing.last is not None
            return standing.last
    raise AssertionError("no verdict came")


def settle(judge: Judge) -> None:
    """Turns until nothing is left to do."""
    for _ in range(TURNS_MAX):
        if judge.turn() > 0:
            return
    raise AssertionError("it never rests")


def aliases(node: RunningNode) -> dict[str, str]:
    with node.client() as client:
        found: dict[str, str] = client.call("GET", "/models")["aliases"]
    return found


def test_first_then_worse_twice_then_the_trainer_is_sent_back(
    lab: Lab, node: RunningNode, a_judge: Make
) -> None:
    judge = a_judge(node)
    first = judged(lab, judge)
    assert (first.word, first.seal, first.best) == ("first", 1, 1)
    assert aliases(node)["champion"] == first.model
    settle(judge)
    assert probes.is_recorded(lab, 1)

    seal_with(lab, NOISE, seed=1)
    worse = judged_quietly(lab, judge)
    assert (worse.word, worse.champion) == ("worse", 1)
    assert worse.overall is not None and worse.overall["outcome"] == "worse"
    assert worse.fixed is not None and worse.fixed["full"]
    assert aliases(node)["champion"] == first.model

    seal_with(lab, NOISE, seed=2)
    last = judged(lab, judge)
    assert (last.word, last.champion) == ("rollback", 1)
    assert last.problems[0] == worse.problems[1] + 1  # never the same problems again
    (request,) = [each.request for each in control.pending(lab)[0]]
    assert (request.verb, request.seal) == ("rollback", 1)


def judged_quietly(lab: Lab, judge: Judge) -> Verdict:
    """The next verdict, when it asks for nothing to be carried out."""
    before = ledger.standing_of(lab).verdicts
    for _ in range(TURNS_MAX):
        judge.clock.sleep(min(0.2, judge.turn()))
        standing = ledger.standing_of(lab)
        if standing.verdicts > before:
            assert standing.last is not None
            return standing.last
    raise AssertionError("no verdict came")


def test_a_better_one_is_promoted_though_the_judge_dies_at_every_turn(
    lab: Lab, node: RunningNode, a_judge: Make
) -> None:
    seal_with(lab, NOISE)
    assert judged(lab, a_judge(node)).word == "first"
    good = seal_with(lab, 0.0)
    for _ in range(TURNS_MAX):
        judge = a_judge(node)  # nothing is remembered but what the lab holds
        judge.clock.sleep(min(0.2, judge.turn()))
        standing = ledger.standing_of(lab)
        if standing.champion == good and standing.due is None:
            break
    verdicts = ledger.verdicts(lab)
    assert [each.word for each in verdicts] == ["first", "promote"]
    assert (verdicts[1].champion, verdicts[1].best) == (good, good)
    assert aliases(node)["champion"] == verdicts[1].model
    assert read_case(lab) is None


def test_equal_weights_are_judged_once(lab: Lab, node: RunningNode, a_judge: Make) -> None:
    judge = a_judge(node)
    judged(lab, judge)
    seal_with(lab, 0.0)  # as after a rollback: another number, the same weights
    settle(judge)
    assert ledger.standing_of(lab).verdicts == 1


def test_a_node_that_is_away_costs_no_verdict(lab: Lab, node: RunningNode, a_judge: Make) -> None:
    judge = a_judge(node)
    judged(lab, judge)
    number = seal_with(lab, NOISE)
    while read_case(lab) is None or read_case(lab).job is None:  # type: ignore[union-attr]
        judge.turn()
    node.kill()
    with pytest.raises(Unavailable):
        for _ in range(TURNS_MAX):
            judge.turn()
    assert ledger.standing_of(lab).verdicts == 1
    with running_node(lab, slots=64, slots_reserved=4, device="cpu") as back:
        assert judged_quietly(lab, a_judge(back)).seal == number


def test_a_node_that_lost_its_disk_gets_the_models_again(
    lab: Lab, node: RunningNode, a_judge: Make
) -> None:
    judge = a_judge(node)
    judged(lab, judge)
    number = seal_with(lab, 0.01)
    while not ((case := read_case(lab)) and case.pairs and case.job is None):
        judge.clock.sleep(min(0.2, judge.turn()))
    node.kill()
    shutil.rmtree(lab.node)
    with running_node(lab, slots=64, slots_reserved=4, device="cpu") as back:
        verdict = judged_quietly(lab, a_judge(back))
        assert set(aliases(back).values()) == {case.champion_model, case.model}
    assert (verdict.seal, verdict.problems[0]) == (number, case.first_problem)


class Lying(Client):
    """What the node says of jobs that are done, bent as told, one after another."""

    def __init__(self, address: str, *lies: dict[str, object]) -> None:
        super().__init__(address)
        self.lies = list(lies)

    def job(self, number: str) -> dict[str, object]:
        found = super().job(number)
        if found["state"] == "done" and self.lies:
            return {**found, **self.lies.pop(0)}
        return found


LIES: tuple[tuple[dict[str, object], str], ...] = (
    ({"state": "failed", "error": "out of memory"}, "out of memory"),
    ({"missed": 3}, "3 of"),
    ({"models": [{"model": "another"}]}, "answered with another"),
)


def test_an_evaluation_that_is_not_whole_is_asked_again(lab: Lab, node: RunningNode) -> None:
    with Lying(node.url) as client:
        judge = make_judge(lab, client)
        judged(lab, judge)
        settle(judge)
        number = seal_with(lab, NOISE)
        client.lies = [lie for lie, _ in LIES]
        heard = []
        while ledger.standing_of(lab).verdicts == 1:
            try:
                judge.clock.sleep(min(0.1, judge.turn()))
            except Unavailable as trouble:
                heard.append(trouble.message)
    assert len(heard) == len(LIES)
    assert all(why in told for told, (_, why) in zip(heard, LIES, strict=True))
    verdict = ledger.verdicts(lab)[-1]
    assert verdict.seal == number and verdict.overall is not None
    assert verdict.overall["pairs"] == verdict.problems[1] - verdict.problems[0] + 1


def a_trial(wins: int, losses: int) -> Trial:
    """Wins and losses spread evenly."""
    trial, total = Trial(Rates()), wins + losses
    for number in range(total):
        won = (number + 1) * wins // total > number * wins // total
        trial.add(won, not won)
    return trial


BETTER, WORSE, SAME = a_trial(60, 10), a_trial(10, 60), a_trial(300, 300)


@pytest.mark.parametrize(
    ("trial", "vetoes", "best", "losses", "word", "why"),
    [
        (BETTER, [], None, 0, "promote", "better than the champion"),
        (BETTER, ["lists"], None, 0, "hold", "worse in lists"),
        (BETTER, [], BETTER, 0, "promote", "better"),
        (BETTER, [], SAME, 0, "promote", "better"),
        (BETTER, [], WORSE, 0, "hold", "worse than the best ever"),
        (SAME, [], None, 1, "hold", "no difference that matters"),
        (a_trial(90, 54), [], None, 0, "hold", "not decided by then"),
        (WORSE, [], None, 0, "worse", "worse than the champion"),
        (WORSE, [], None, 1, "rollback", "the 2. time in a row"),
    ],
)
def test_what_is_said_of_a_trial(
    lab: Lab,
    trial: Trial,
    vetoes: list[str],
    best: Trial | None,
    losses: int,
    word: str,
    why: str,
) -> None:
    with Client("http://127.0.0.1:9") as client:
        said = make_judge(lab, client)._word(trial, vetoes, best, Standing(losses=losses))
    assert said[0] == word and why in said[1]


def test_what_beats_a_champion_by_hand_must_not_lose_to_the_best_ever(
    lab: Lab, node: RunningNode, a_judge: Make
) -> None:
    judge = a_judge(node)
    best = judged(lab, judge)
    bad = seal_with(lab, NOISE)
    assert judged_quietly(lab, judge).word == "worse"
    decide(lab, "promote", Vault(lab, SystemClock()).open(bad), "to see", SystemClock())
    seal_with(lab, 0.03)  # far better than noise, and worse than what nobody disturbed
    verdict = judged_quietly(lab, judge)
    while verdict.seal == bad:
        verdict = judged_quietly(lab, judge)
    assert verdict.best == best.seal and verdict.best_test is not None
    assert verdict.overall is not None and verdict.overall["outcome"] == "better"
    assert verdict.best_test["pairs"] == verdict.overall["pairs"]
    held = verdict.best_test["outcome"] == "worse"
    assert verdict.word == ("hold" if held else "promote")
