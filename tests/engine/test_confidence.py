"""How sure the nano model is of what it writes, and whether that tells anything."""

from __future__ import annotations

import math

import msgspec
import pytest

from regime3.config import Settings
from regime3.engine.forms import CodesForm
from regime3.engine.hf import HfEngine
from regime3.jobs.asking import answer_ask, marked, sureness
from regime3.jobs.orders import EvalOrder
from regime3.jobs.record import Bound
from regime3.jobs.sets import Posed, drawn
from regime3.lang import codebook
from regime3.model.profile import Profile
from regime3.records.answers import Whole, Written
from regime3.records.rows import Message
from regime3.records.wire import Form, Generate, Prompt, Sampling, TokenScore
from regime3.score.measures import calibration
from tests.engine.conftest import one, run

BOOK = codebook.shipped()
PROFILE = Profile(Settings().examples)
PROBLEMS = 60
BOUND = Bound("nano", "nano", "0" * 64)


def answers(engine: HfEngine, regime: int) -> list[tuple[Posed, Written]]:
    """Greedy ones to held-out problems."""
    order = EvalOrder(model="nano", dataset_ref="tasks:arithmetic:1", max_tokens=120)
    posed = [drawn("arithmetic", 1, "heldout", n, regime, BOOK) for n in range(PROBLEMS)]
    asks = [answer_ask(each, BOUND, order, scored=True) for each in posed]
    numbered = [msgspec.structs.replace(each, id=n) for n, each in enumerate(asks, 1)]
    found = run(engine, *numbered)
    wholes = [found[ask.id] for ask in numbered]
    assert all(isinstance(each, Whole) for each in wholes)
    return [(p, w.samples[0]) for p, w in zip(posed, wholes, strict=True) if isinstance(w, Whole)]


def last_tokens(sample: Written) -> float:
    """Probability of the last token of the text, which in codes is `qed!`."""
    scores: list[TokenScore] = (sample.scores or [])[: len(sample.ids)]
    return math.exp(min(0.0, scores[-1].logprob or 0.0))


def test_in_codes_it_is_more_than_the_certainty_of_qed(engine: HfEngine) -> None:
    sure, qed, right = [], [], []
    for posed, sample in answers(engine, 3):
        marks = marked(posed, sample.text, PROFILE, BOOK)
        confidence = sureness(sample, marks["thought"], marks["answer"])
        assert confidence is not None
        sure.append(confidence)
        qed.append(last_tokens(sample))
        right.append(marks["right"])
    assert any(right) and not all(right)
    of_all, of_qed = calibration(sure, right), calibration(qed, right)
    assert of_all is not None and of_qed is not None
    assert of_all.error < of_qed.error / 2
    assert max(sure) - min(sure) > max(qed) - min(qed)


def test_it_is_the_product_of_codes_without_markers_and_end(engine: HfEngine) -> None:
    posed, sample = answers(engine, 3)[0]
    marks = marked(posed, sample.text, PROFILE, BOOK)
    assert marks["thought"] and sample.scores is not None
    codes = [each.logprob or 0.0 for each in sample.scores if each.text.startswith("<E")]
    assert len(sample.scores) > len(codes) + 4, "it has no markers"
    found = sureness(sample, marks["thought"], marks["answer"])
    assert found == pytest.approx(math.exp(math.fsum(codes)), rel=1e-6)


def test_what_a_grammar_leaves_no_choice_about_is_told_and_not_counted(
    engine: HfEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices: list[int] = []
    allowed = CodesForm.allowed

    def watched(form: CodesForm) -> list[int]:
        found = allowed(form)
        choices.append(len(set(found)))
        return found

    monkeypatch.setattr(CodesForm, "allowed", watched)
    form = Form(3, "(gcd 12 18)")
    prompt = Prompt(messages=[{"role": "user", "content": "What is gcd(12, 18)?"}])
    ask = Generate(1, "nano", prompt, max_tokens=60, sampling=Sampling(0.0), logprobs=0, form=form)
    sample = one(engine, ask).samples[0]
    assert sample.scores is not None
    assert [each.forced for each in sample.scores] == [each == 1 for each in choices]
    forced = [each for each in sample.scores if each.forced]
    assert forced and len(forced) < len(sample.scores)
    turn = PROFILE.split(Message("assistant", sample.text))
    spoken = [msgspec.structs.replace(each, forced=False) for each in sample.scores]
    counted = sureness(msgspec.structs.replace(sample, scores=spoken), turn.thought, turn.answer)
    found = sureness(sample, turn.thought, turn.answer)
    assert counted is not None and found is not None and found > counted
