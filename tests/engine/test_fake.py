"""The fake engine answers as a model would, without one."""

from __future__ import annotations

import subprocess
import sys

import pytest

from regime3 import tasks
from regime3.config import Node, Settings
from regime3.engine.fake import FakeEngine
from regime3.lang import codebook
from regime3.lang.terms import show
from regime3.model.profile import Profile
from regime3.records import wire
from regime3.records.rows import Message
from regime3.records.wire import Form, Generate, Prompt
from regime3.tasks.verdict import judge
from tests.engine.conftest import drain, one, refused


@pytest.fixture
def fake() -> FakeEngine:
    engine = FakeEngine(Settings(node=Node(engine="fake", slots=4, slots_reserved=1)))
    engine.take(wire.Load(1, "m", "anywhere"))
    assert isinstance(engine.step()[0], wire.Loaded)
    return engine


def ask(text: str, **given: object) -> Generate:
    return Generate(5, "m", Prompt(text=text), **given)  # type: ignore[arg-type]


def test_it_loads_no_torch() -> None:
    code = (
        "import sys, regime3.engine.fake, regime3.engine.process; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_it_counts_repeats_and_numbers_its_samples(fake: FakeEngine) -> None:
    assert one(fake, ask("count to 4")).samples[0].text == "1 2 3 4"
    whole = one(fake, ask("hello", n=3))
    assert [each.text for each in whole.samples] == ["hello", "1: hello", "2: hello"]
    assert {each.reason for each in whole.samples} == {"stop"}


def test_it_honours_limits_stops_and_scores(fake: FakeEngine) -> None:
    assert one(fake, ask("count to 9", max_tokens=3)).samples[0].reason == "length"
    assert one(fake, ask("count to 9", stop=["4"])).samples[0].text == "1 2 3 "
    whole = one(fake, ask("abc", logprobs=2, prompt_logprobs=1))
    assert whole.prompt is not None and [s.logprob for s in whole.prompt] == [None, -0.25, -0.25]
    assert whole.samples[0].scores is not None and len(whole.samples[0].scores[0].top) == 2


def test_it_refuses_what_a_model_would(fake: FakeEngine) -> None:
    assert refused(fake, Generate(5, "x", Prompt(text="a"))).code == "model_not_found"
    assert refused(fake, ask("a" * 5000)).code == "context_length_exceeded"
    bad = Generate(5, "m", Prompt(messages=[{"role": "user"}]))
    assert refused(fake, bad).code == "invalid_messages"


def test_cancelling_ends_a_request(fake: FakeEngine) -> None:
    fake.take(ask("count to 900"))
    fake.step()
    fake.take(wire.Cancel(5))
    assert fake.wait_s is None and not [t for t in fake.step() if t.id == 5]


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_its_bodies_are_the_oracles(fake: FakeEngine, regime: int) -> None:
    sample = tasks.sample("arithmetic", 1, "heldout", 0)
    text = one(fake, ask("a", form=Form(regime, show(sample.problem.term)))).samples[0].text
    turn = Profile(Settings().examples).split(Message("assistant", text))
    assert judge(sample.problem, regime, turn.thought, turn.answer, codebook.shipped()).valid


def test_a_model_that_leaves_drains_first(fake: FakeEngine) -> None:
    fake.take(ask("count to 5"))
    fake.take(wire.Unload(9, "m", drain_s=30.0))
    told = drain(fake)
    kinds = [type(each).__name__ for each in told]
    assert kinds[-1] == "Unloaded" and "Finished" in kinds and "Failed" not in kinds
