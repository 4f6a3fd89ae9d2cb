"""Collapse is seen where a model falls below its own usual variety, and only there."""

from __future__ import annotations

from regime3 import tasks
from regime3.config import Forge as Settings
from regime3.forge.attempts import Tried, read_attempts
from regime3.forge.diversity import FIGURES, measured, watch
from regime3.forge.state import Asked, Family, Variety
from regime3.tasks.rows import spelled
from tests.forge.double import BOOK, SHA, line

SETTINGS = Settings(collapse_attempts=50)
USUAL = Variety(1.0, 1.0, 1.0, 1.0)


def shard(same: bool, problems: int = 12) -> list[Tried]:
    """Attempts at arithmetic; all with the very same body, if wanted."""
    found = []
    first = tasks.sample("arithmetic", 3, "train", 0)
    for index in range(problems):
        sample = tasks.sample("arithmetic", 3, "train", index)
        lines = [line(sample, "j", number, right=number % 2 == 0) for number in range(4)]
        if same:
            for each in lines:
                thought, answer = spelled(first.problem, first.body[-1:], 2, BOOK)
                each["regime"] = 2
                each["attempt"] |= {"thought": thought, "answer": answer}
        found += read_attempts(Asked("arithmetic", 3, index, 1, "j"), lines, BOOK, SHA)
    return found


def test_a_model_that_writes_like_the_oracles_is_as_various() -> None:
    found = measured(shard(same=False))
    assert found is not None
    assert abs(found.entropy - 1) < 0.1 and found.length == 1.0 and found.per_solved == 1.0
    # Right and wrong bodies differ, and a problem's first attempt is what counts.
    assert found.bodies == 1.0


def test_one_body_for_every_problem_is_seen() -> None:
    found = measured(shard(same=True))
    assert found is not None
    assert max(found.entropy, found.bodies, found.length) < 0.5
    assert watch(Family(1, usual=USUAL, seen=1000), found, 48, SETTINGS) is not None


def test_too_few_problems_say_nothing() -> None:
    assert measured(shard(same=True, problems=4)) is None
    family = Family(1)
    assert watch(family, None, 16, SETTINGS) is None and family.usual is None


def test_every_figure_alone_stops_a_family() -> None:
    for name in FIGURES:
        fallen = Variety(**{**dict.fromkeys(FIGURES, 1.0), name: 0.4})
        family = Family(1, usual=USUAL, seen=1000)
        reason = watch(family, fallen, 100, SETTINGS)
        assert reason is not None and reason.startswith(f"{name} of its answers fell to 0.40")
        assert family.usual == USUAL  # a collapse never becomes what is usual


def test_a_family_is_not_stopped_before_its_usual_level_is_known() -> None:
    family = Family(1)
    assert watch(family, USUAL, 40, SETTINGS) is None
    assert watch(family, Variety(0.1, 0.1, 0.1), 40, SETTINGS) is None
    assert family.seen == 80


def test_skill_that_leaves_one_body_a_problem_is_no_collapse() -> None:
    family = Family(1, usual=Variety(1.0, 1.0, 1.0, 4.0), seen=1000)
    assert watch(family, Variety(1.0, 1.0, 1.0, 1.0), 100, SETTINGS) is None


def test_a_slow_drift_moves_what_is_usual() -> None:
    family = Family(1, usual=USUAL, seen=1000)
    for _ in range(40):
        assert watch(family, Variety(0.6, 1.0, 1.0), 100, SETTINGS) is None
    assert family.usual is not None and abs(family.usual.entropy - 0.6) < 0.01
