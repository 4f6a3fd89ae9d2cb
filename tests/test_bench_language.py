"""The benches of the language: forms that read back, an arm that learns, counts that add up."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from regime3 import tasks
from regime3.bench import arm as arms
from regime3.bench import codec, regimes
from regime3.bench.arm import Arm, Levels, judge
from regime3.bench.forms.coded import LearnedSexpr, turned
from regime3.bench.forms.form import Form, ResultsOnly, text_ids
from regime3.bench.swap import _swap, swap_test
from regime3.cli.app import app
from regime3.lang.codes import CODE
from regime3.model import nano_tokenizer

SAMPLES = [tasks.sample(name, level, "heldout", 0) for name in tasks.FAMILIES for level in (1, 3)]
READABLE = [name for name in regimes.forms() if name not in ("1-results-only", "3-no-prediction")]


@pytest.fixture(scope="module")
def forms() -> dict[str, Form]:
    made = regimes.forms()
    return {
        name: LearnedSexpr(1) if name == "2-learned-tokens" else made[name]() for name in READABLE
    }


@pytest.mark.parametrize("name", READABLE)
def test_every_form_reads_back_what_it_writes(forms: dict[str, Form], name: str) -> None:
    for sample in SAMPLES:
        tokens = forms[name].encode(sample)
        assert max(tokens) < nano_tokenizer.VOCABULARY
        assert forms[name].decode(sample.problem, tokens) == sample.body
        assert judge(forms[name], sample, tokens).valid
        assert not judge(forms[name], sample, tokens[:-1]).valid


def test_results_only_is_judged_by_its_last_line() -> None:
    form = ResultsOnly()
    for sample in SAMPLES:
        assert judge(form, sample, form.encode(sample)).right
        assert not judge(form, sample, [*form.encode(sample), *text_ids("1")]).right


def test_digits_turn_over_and_back() -> None:
    codes = [CODE[name] for name in ("neg", "D0", "D4", "T1", "A5", "D1", "D2", "T3")]
    wanted = [CODE[name] for name in ("neg", "D1", "D4", "T0", "A5", "D3", "D2", "T1")]
    assert turned(codes) == wanted and turned(wanted) == codes


def test_pairs_turn_over_and_back() -> None:
    least_first = [CODE[name] for name in ("neg", "P45", "P0", "A1", "A2", "N7", "P8", "A9", "D1")]
    most_first = [CODE[name] for name in ("neg", "P1", "P0", "A45", "A2", "N7", "P9", "A8", "D1")]
    assert turned(least_first) == most_first and turned(most_first) == least_first


def test_any_codes_turn_over_and_back() -> None:
    draw = random.Random("turned")
    ends = [CODE[name] for name in ("D1", "D2", "T3", "T4", "P5", "P6", "A7", "A8", "N9", "neg")]
    for _ in range(500):
        codes = draw.choices(ends, k=12)
        assert turned(turned(codes)) == codes


def test_the_swap_keeps_each_class_to_itself() -> None:
    names, text = ("A5", "D5", "T5", "P5", "N5"), nano_tokenizer.TEXT_VOCABULARY
    ids = [text + CODE[name] for name in names] * 50
    for name, before, after in zip(names * 50, ids, _swap(ids, 0, random.Random(0)), strict=True):
        same = [code for other, code in CODE.items() if other[0] == name[0] and other[1:].isdigit()]
        assert {before - text, after - text} <= {*same}


def test_learned_tokens_make_s_expressions_shorter(forms: dict[str, Form]) -> None:
    short = sum(len(forms["2-learned-tokens"].encode(sample)) for sample in SAMPLES)
    assert short * 1.5 < sum(len(forms["2"].encode(sample)) for sample in SAMPLES)


@pytest.fixture(autouse=True, scope="module")
def small_steps(one_thread: None) -> Iterator[None]:
    problems, arms.PROBLEMS_PER_STEP = arms.PROBLEMS_PER_STEP, 16
    yield
    arms.PROBLEMS_PER_STEP = problems


@pytest.fixture(scope="module")
def trained(forms: dict[str, Form]) -> Arm:
    """Four steps of regime 3 on level 1."""
    arm = Arm(forms["3"], 0, Levels(1, 1, 1), longest=20)
    arm.train(lambda arm: arm.steps >= 4)
    return arm


def test_an_arm_counts_problems_flops_and_seconds(trained: Arm) -> None:
    assert trained.problems == 4 * arms.PROBLEMS_PER_STEP
    assert trained.flops > 1e9 and trained.seconds > 0
    mark = trained.mark(trained.levels.held_out())
    assert 0 <= mark.em <= 1 and mark.tokens <= trained.cap
    assert set(mark.per_family) == set(tasks.FAMILIES)


def test_an_arm_learns(forms: dict[str, Form]) -> None:
    arm = Arm(forms["3"], 1, Levels(1, 1, 1), longest=20)
    arm.train(lambda arm: arm.steps >= 1)
    first = arm.loss
    arm.train(lambda arm: arm.steps >= 12)
    assert arm.loss < first - 0.3


def test_seeds_differ_and_arms_share_their_problems(forms: dict[str, Form]) -> None:
    levels = Levels(1, 1, 1)
    batches = [
        [ids[:prompt] for ids, prompt in Arm(forms[name], seed, levels, 20)._next_batch()]
        for name, seed in (("3", 0), ("2", 0), ("3", 1))
    ]
    assert batches[0] == batches[1] != batches[2]


def test_the_swap_answers_the_same_problems_twice(trained: Arm) -> None:
    swapped = swap_test(trained, trained.levels.held_out())
    assert 0 <= swapped.kept <= 1 and 0 <= swapped.swapped <= 1


def test_the_codec_bench_measures_all_four(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "PER_LEVEL", 1)
    found = codec.run(quick=True)["figures"]
    assert all(found[name] > 0 for name in ("encode_per_s", "decode_per_s", "check_per_s"))


def test_figures_inside_figures_are_printed_by_their_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(quick: bool) -> dict[str, Any]:
        return {
            "figures": {"3": {"flops": {"em": 0.5}}},
            "spread": {"3.flops.em": (0.4, 0.6)},
            "runs": 1,
            "meaning": {"3": "codes"},
        }

    monkeypatch.setattr("regime3.bench.regimes.run", measured)
    shown = CliRunner().invoke(app, ["bench", "regimes"]).stdout
    assert "3.flops.em" in shown and "0.4 to 0.6" in shown and "codes" in shown
