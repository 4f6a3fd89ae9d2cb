"""What each kind of job comes to, with models whose manner is known."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from regime3.errors import NodeRefused
from regime3.jobs.orders import (
    ChatRow,
    CompareOrder,
    DataGenOrder,
    EvalOrder,
    FilterOrder,
    GenerateOrder,
    Metric,
)
from regime3.jobs.record import Job, State
from regime3.jobs.sets import drawn, read_ref
from regime3.lang import codebook, signature
from regime3.paths import Lab
from regime3.tasks.verdict import judge_row
from tests.jobs.conftest import done, office, run
from tests.jobs.double import FakeEngine, models

BOOK = codebook.shipped()
OURS = "tasks:arithmetic:1-2"


def lines_of(lab: Lab, job: Job) -> dict[str, list[dict[str, Any]]]:
    """Every shard's lines, by its name's stem."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(lab.node_job(job.id).glob("*.jsonl")):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found.setdefault(path.stem.partition("-")[0], []).extend(lines)
    return found


def summary_of(job: Job) -> dict[str, Any]:
    assert job.state is State.DONE and job.summary is not None, job.error
    return job.summary


@pytest.mark.parametrize(("model", "share"), [("right", 1.0), ("wrong", 0.0), ("garbage", 0.0)])
def test_an_evaluation_tells_right_from_wrong_in_every_regime(
    lab: Lab, engine: FakeEngine, model: str, share: float
) -> None:
    order = EvalOrder(model=model, dataset_ref=OURS, regimes=[1, 2, 3], max_examples=10)

    async def story() -> None:
        async with office(lab, engine) as jobs:
            found = summary_of(await done(jobs, order))
        assert found["answers"] == 30
        assert found["exact_match"] == found["solved"] == share
        assert found["cross_entropy"] == pytest.approx(0.5)  # as the double says of any token
        cells = [(each["family"], each["level"], each["regime"]) for each in found["groups"]]
        assert cells == [("arithmetic", level, regime) for level in (1, 2) for regime in (1, 2, 3)]
        assert all(each["answers"] == 5 and each["solved"] == share for each in found["groups"])

    run(story())


def test_confidence_is_of_all_that_was_written_but_markers_and_end(
    lab: Lab, engine: FakeEngine
) -> None:
    order = EvalOrder(model="right", dataset_ref=OURS, regimes=[1, 2, 3], max_examples=2)

    async def story() -> None:
        async with office(lab, engine) as jobs:
            job = await done(jobs, order)
            logs = [each.result for each in await jobs.examples(job.id, -1, 9)]
        # Every token of the double's text, a character each, has -0.1, its end token -9.
        assert all(log["thought"] for log in logs) and len(logs) == 6
        for log in logs:
            written = len(log["thought"] + log["answer"])
            assert log["confidence"] == pytest.approx(math.exp(-0.1 * written))

    run(story())


def test_cross_entropy_alone_asks_for_no_answer(lab: Lab, engine: FakeEngine) -> None:
    order = EvalOrder(
        model="right", dataset_ref=OURS, max_examples=4, metrics=[Metric.CROSS_ENTROPY]
    )

    async def story() -> None:
        async with office(lab, engine) as jobs:
            found = summary_of(await done(jobs, order))
        assert found["exact_match"] is None and found["cross_entropy"] == pytest.approx(0.5)
        assert {ask.max_tokens for ask in engine.asks} == {0}
        assert all(ask.prompt.completion and ask.prompt_logprobs == 0 for ask in engine.asks)

    run(story())


def test_rows_without_a_problem_are_right_when_the_answer_is_the_same(lab: Lab) -> None:
    engine = FakeEngine()
    rows = [
        {"messages": [{"role": "user", "content": f"say {n}"}, reply(f"It is {n}.")]}
        for n in range(4)
    ]
    for row in rows[:3]:
        engine.teach(row)
    order = EvalOrder(model="right", rows=[ChatRow.model_validate(row) for row in rows])

    async def story() -> None:
        async with office(lab, engine) as jobs:
            found = summary_of(await done(jobs, order))
        assert found["exact_match"] == 0.75 and found["solved"] is None

    run(story())


def reply(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_a_data_set_that_changes_later_changes_no_job(lab: Lab, engine: FakeEngine) -> None:
    rows = [drawn("arithmetic", 1, "heldout", n, 3, BOOK).row for n in range(3)]
    path = lab.node_dataset("mine")
    write_set(path, rows)

    async def story() -> None:
        async with office(lab, engine, start=False) as jobs:
            job = await jobs.create(EvalOrder(model="right", dataset_ref="mine"))
            path.unlink()
            await jobs.start()
            from tests.jobs.conftest import ended

            job = await ended(jobs, job)
        assert summary_of(job)["solved"] == 1.0
        assert job.facts["rows"] == 3 and len(job.facts["sha256"]) == 64

    run(story())


def write_set(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([], "holds no rows"),
        ([{"messages": []}], "mine.jsonl:1: "),
        ([{"messages": [{"role": "user", "content": "a"}] * 2}], "is not the assistant's"),
        ([["no", "row"]], "mine.jsonl:1: "),
        (["\ud800"], "mine.jsonl:1: "),
        ([{"messages": [{"role": "user", "content": "a"}, {"role": "assistant"}]}], "content"),
        (
            [{"messages": [{"role": "user", "content": "\ud800"}, reply("x")]}],
            "mine.jsonl:1: ",
        ),
    ],
)
def test_a_bad_data_set_is_refused_with_line_and_reason(
    lab: Lab, rows: list[Any], reason: str
) -> None:
    write_set(lab.node_dataset("mine"), rows)

    async def story() -> None:
        async with office(lab, FakeEngine(), start=False) as jobs:
            with pytest.raises(NodeRefused, match=reason) as refused:
                await jobs.create(EvalOrder(model="right", dataset_ref="mine"))
            assert refused.value.status == 400
            assert await jobs.recent(state=None, kind=None, before=None, limit=9) == []

    run(story())


@pytest.mark.parametrize(
    ("ref", "levels", "split"),
    [
        ("tasks:arithmetic", list(range(1, 11)), "heldout"),
        ("tasks:arithmetic:3", [3], "heldout"),
        ("tasks:arithmetic:1-2,9:train", [1, 2, 9], "train"),
        ("tasks:arithmetic:heldout", list(range(1, 11)), "heldout"),
    ],
)
def test_our_own_problems_are_named(ref: str, levels: list[int], split: str) -> None:
    assert read_ref(ref) == (["arithmetic"], levels, split)


@pytest.mark.parametrize(
    "ref", ["tasks:arithmetic:0", "tasks:arithmetic:3-1", "tasks:arithmetic:11", "tasks:x",
            "tasks:arithmetic:1:sealed", "tasks:arithmetic:-", "tasks:arithmetic:1:2:train"]
)  # fmt: skip
def test_problems_that_do_not_exist_are_refused(ref: str) -> None:
    with pytest.raises(NodeRefused) as refused:
        read_ref(ref)
    assert refused.value.status in (400, 404)


def test_generated_data_tells_where_it_comes_from_and_only_verified_lines_can_be_trained(
    lab: Lab, engine: FakeEngine
) -> None:
    order = DataGenOrder(model="mixed", family="arithmetic", levels=[1], problems=10, attempts=6)

    async def story() -> None:
        async with office(lab, engine) as jobs:
            job = await done(jobs, order)
        lines = lines_of(lab, job)["attempts"]
        assert len(lines) == 60 == summary_of(job)["attempts"]
        for line in lines:
            attempt, lineage = line["attempt"], line["lineage"]
            assert ("messages" in line) is attempt["valid"]
            assert ("first_bad_step" in attempt) is not attempt["valid"]
            assert attempt["tokens"] > 0 and line["split"] == "train"
            assert lineage["model_sha256"] == models().known["mixed"].sha256
            assert lineage["codebook"] == BOOK.name and lineage["checker"] == signature.VERSION
            if attempt["valid"]:
                assert judge_row(line, BOOK).valid
        problems = {(line["index"], line["attempt"]["seed"]) for line in lines}
        assert len(problems) == 10 == len({seed for _, seed in problems})

    run(story())


def test_verified_and_distinct_attempts_alone_may_be_kept(lab: Lab, engine: FakeEngine) -> None:
    order = DataGenOrder(
        model="mixed", family="arithmetic", levels=[1], problems=10, attempts=6,
        keep="verified", distinct=True,
    )  # fmt: skip

    async def story() -> None:
        async with office(lab, engine) as jobs:
            job = await done(jobs, order)
        lines = lines_of(lab, job)["attempts"]
        bodies = [(line["fingerprint"], line["attempt"]["canonical"]) for line in lines]
        assert len(bodies) == len(set(bodies)) == summary_of(job)["distinct"]
        assert all(line["attempt"]["valid"] for line in lines)
        assert summary_of(job)["attempts"] == 60

    run(story())


def test_a_comparison_counts_only_what_differs(lab: Lab, engine: FakeEngine) -> None:
    order = CompareOrder(first="right", second="wrong", dataset_ref=OURS, max_examples=10)
    null = CompareOrder(first="right", second="right", dataset_ref=OURS, max_examples=10)

    async def story() -> None:
        async with office(lab, engine) as jobs:
            found, none = (
                summary_of(await done(jobs, order)),
                summary_of(await done(jobs, null)),
            )
        assert (found["wins"], found["losses"], found["p"]) == (10, 0, 2 / 1024)
        assert found["measures"]["first"]["solved"] == 1.0
        assert (none["discordant"], none["ties"], none["p"]) == (0, 10, 1.0)

    run(story())


def test_equal_models_that_are_sampled_can_differ(lab: Lab, engine: FakeEngine) -> None:
    order = CompareOrder(
        first="mixed", second="mixed", dataset_ref=OURS, max_examples=10, temperature=1.0
    )

    async def story() -> None:
        async with office(lab, engine) as jobs:
            assert summary_of(await done(jobs, order))["discordant"] > 0
        seeds = [ask.sampling.seed for ask in engine.asks]
        assert len(set(seeds)) == len(seeds) == 20

    run(story())


def test_a_filter_keeps_what_the_checker_accepts_and_says_why_it_refuses(lab: Lab) -> None:
    rows = [drawn("numbers", 1, "train", n, 2, BOOK).row for n in range(4)]
    rows[1] = {**rows[1], "messages": [*rows[1]["messages"][:-1], reply("(qed 12345)")]}
    rows[2] = {"messages": [{"role": "user", "content": "hello"}, reply("hi")]}
    order = FilterOrder(rows=[ChatRow.model_validate(row) for row in rows])

    async def story() -> None:
        engine = FakeEngine()
        async with office(lab, engine) as jobs:
            job = await done(jobs, order)
        assert summary_of(job) == {
            "kept": 2, "refused": 2, "reasons": {"not_valid": 1, "not_checkable": 1},
        }  # fmt: skip
        lines = lines_of(lab, job)
        assert [row["index"] for row in lines["kept"]] == [0, 3]
        assert [row["item"] for row in lines["refused"]] == [1, 2]
        assert all(row["reason"] and row["row"] for row in lines["refused"])
        assert engine.asks == []

    run(story())


def test_a_filter_by_cross_entropy_asks_the_model_alone(lab: Lab) -> None:
    rows = [{"messages": [{"role": "user", "content": str(n)}, reply("yes")]} for n in range(3)]
    given = [ChatRow.model_validate(row) for row in rows]

    async def story() -> None:
        async with office(lab, FakeEngine()) as jobs:
            for bound, kept in ((0.4, 0), (0.6, 3)):
                order = FilterOrder(
                    rows=given, checker=False, model="right", cross_entropy_max=bound
                )
                assert summary_of(await done(jobs, order))["kept"] == kept

    run(story())


def test_a_queued_prompt_comes_back_with_all_its_samples(lab: Lab) -> None:
    async def story() -> None:
        async with office(lab, FakeEngine()) as jobs:
            job = await done(jobs, GenerateOrder(model="garbage", prompt="x", n=3))
        assert [line["sample"] for line in lines_of(lab, job)["samples"]] == [0, 1, 2]

    run(story())


def test_a_model_that_speaks_another_codebook_is_refused_before_there_is_a_job(lab: Lab) -> None:
    from regime3.jobs.record import Bound
    from tests.jobs.double import FakeModels

    known = FakeModels({"odd": Bound("odd", "odd-id", "0" * 64, "f" * 64)})

    async def story() -> None:
        async with office(lab, FakeEngine(), known, start=False) as jobs:
            with pytest.raises(NodeRefused, match="speaks codebook ffffffffffff"):
                await jobs.create(EvalOrder(model="odd", dataset_ref=OURS))

    run(story())
