"""Forms: bodies under masks, laid out as training rows are, beside rows without any."""

from __future__ import annotations

import pytest

from regime3 import tasks
from regime3.engine.hf import HfEngine
from regime3.lang import codebook
from regime3.lang.terms import show
from regime3.records.answers import Whole
from regime3.records.rows import Message
from regime3.records.wire import Form, Generate, Prompt, Sampling
from regime3.tasks.rows import row
from regime3.tasks.verdict import Judged, judge
from tests.engine.conftest import one, refused, run

HOT = 3.0
"""A temperature at which the nano model would never write a body by itself."""


def form_ask(number: int, family: str, regime: int, index: int, **given: object) -> Generate:
    sample = tasks.sample(family, 1, "heldout", index)
    chat = row(sample, regime, codebook.shipped())["messages"][:-1]
    settings = {"max_tokens": 300, "sampling": Sampling(HOT, seed=number)} | given
    form = Form(regime, show(sample.problem.term))
    return Generate(number, "nano", Prompt(messages=chat), form=form, **settings)  # type: ignore[arg-type]


def judged(engine: HfEngine, family: str, regime: int, index: int, text: str) -> Judged:
    resident = engine._residents["nano"]
    assert resident.renderer is not None
    turn = resident.renderer.profile.split(Message("assistant", text))
    problem = tasks.sample(family, 1, "heldout", index).problem
    return judge(problem, regime, turn.thought, turn.answer, resident.book)


@pytest.mark.parametrize("regime", [2, 3])
def test_bodies_are_well_formed_beside_free_rows(engine: HfEngine, regime: int) -> None:
    asked = [(f, i) for f in sorted(tasks.FAMILIES) for i in range(3)]
    asks = [form_ask(n, f, regime, i) for n, (f, i) in enumerate(asked, 1)]
    free = [Generate(100 + n, "nano", Prompt(text="a"), max_tokens=30) for n in range(6)]
    found = run(engine, *free[:3], *asks, *free[3:])
    read = 0
    for number, (family, index) in enumerate(asked, 1):
        whole = found[number]
        assert isinstance(whole, Whole), whole
        sample = whole.samples[0]
        verdict = judged(engine, family, regime, index, sample.text)
        if sample.reason == "length":
            assert regime == 2, "codes keep to their budget"
            continue
        assert verdict.body is not None, sample.text
        read += verdict.body is not None
    assert read >= 12


@pytest.mark.parametrize("family", sorted(tasks.FAMILIES))
def test_codes_are_parted_as_training_rows_are(engine: HfEngine, family: str) -> None:
    text = one(engine, form_ask(1, family, 3, 1, max_tokens=120)).samples[0].text
    if text.startswith("🤔"):
        assert text.startswith("🤔🤔🤔🤔\n<E")
        thought, _, answer = text.removeprefix("🤔🤔🤔🤔\n").partition("\n🛑🛑")
        assert thought and answer.lstrip("🛑").startswith("\n<E")


def test_a_thought_budget_closes_a_body_early(engine: HfEngine) -> None:
    texts = [
        one(engine, form_ask(n, "arithmetic", 3, 1, think_tokens_max=4)).samples[0].text
        for n in range(1, 5)
    ]
    for text in texts:
        assert text.count("<E") < 60
        assert judged(engine, "arithmetic", 3, 1, text).body is not None


def test_a_form_that_cannot_be_is_refused(engine: HfEngine) -> None:
    prompt = Prompt(text="a")
    for form, code in (
        (Form(3, "(gcd 4"), "invalid_problem"),
        (Form(1, "(gcd 4 6)"), "invalid_regime"),
    ):
        failed = refused(engine, Generate(1, "nano", prompt, max_tokens=50, form=form))
        assert (failed.status, failed.code) == (400, code)
    short = refused(engine, Generate(1, "nano", prompt, max_tokens=3, form=Form(3, "(gcd 4 6)")))
    assert short.code == "form_impossible"
