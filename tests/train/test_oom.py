"""Out of memory is an event: same step, same gradient, no example lost."""

from __future__ import annotations

import pytest
import torch

from regime3.errors import StepLost
from regime3.model.oom import is_oom, is_sticky
from regime3.records.messages import OutOfMemory
from regime3.records.rows import Example, RowRef, Window
from regime3.train.budget import BUDGET_TOKENS_MIN, TokenBudget
from regime3.train.faults import FaultInjector, cuda_oom
from regime3.train.rehearse import first_budget, rehearse

from .tiny import everything_hash, make_window, settings_with, trainer_for, weights_hash

WINDOWS = [make_window(n) for n in range(4)]
SETTINGS = settings_with(memory__token_budget=160)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9.05 GB)"), True),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 9 bytes"), True),
        (MemoryError(), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_told_from_other_errors(error: BaseException, expected: bool) -> None:
    assert is_oom(error) is expected


def test_a_lost_device_is_recognised() -> None:
    assert is_sticky(RuntimeError("CUDA error: an illegal memory access was encountered"))
    assert not is_sticky(RuntimeError("shapes"))


def run_with(faults: str) -> tuple[object, object]:
    trainer, driver = trainer_for(WINDOWS, settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse(faults)
    trainer.run()
    return trainer, driver


@pytest.mark.parametrize("fault", ["oom-forward@3", "oom-backward@3", "oom-above:100"])
def test_a_replayed_window_makes_the_same_step(fault: str) -> None:
    calm, calm_driver = run_with("")
    trainer, driver = run_with(fault)
    assert trainer.state.global_step == calm.state.global_step == 4
    assert driver.given_up == []
    assert sum(result.replays for result in driver.results) >= 1
    for ours, plain in zip(driver.results, calm_driver.results, strict=True):
        assert ours.loss == pytest.approx(plain.loss, rel=1e-6)
        assert ours.grad_norm == pytest.approx(plain.grad_norm, rel=1e-5)
        assert ours.supervised_tokens == plain.supervised_tokens
    for a, b in zip(trainer.model.parameters(), calm.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=2e-5)


def test_backward_breaks_with_half_the_gradients_written() -> None:
    trainer, _ = trainer_for(WINDOWS[:1], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-backward@1")
    written: list[int] = []
    real = trainer.step._recover

    def recover(*args: object) -> None:
        written.append(sum(p.grad is not None for p in trainer.model.parameters()))
        real(*args)

    trainer.step._recover = recover
    trainer.run()
    assert written[0] > 0


def test_an_out_of_memory_halves_the_budget_and_says_so() -> None:
    _, driver = run_with("oom-backward@2")
    (event,) = driver.of(OutOfMemory)
    assert (event.step, event.where) == (2, "backward")
    assert (event.budget_before, event.budget_after) == (160, 80)
    assert "CUDA out of memory" in event.message
    assert [result.token_budget for result in driver.results] == [160, 80, 80, 80]


def test_the_windows_random_numbers_are_drawn_again_on_a_replay() -> None:
    from .tiny import tiny_model

    states = []
    for fault in ("", "oom-forward@2"):
        trainer, driver = trainer_for(WINDOWS[:3], tiny_model(dropout=0.3), settings=SETTINGS)
        trainer.step.slicing = "single"  # the cut, and so every draw, does not depend on the budget
        trainer.step.faults = FaultInjector.parse(fault)
        trainer.run()
        states.append((weights_hash(trainer.model), bytes(torch.get_rng_state().numpy())))
        assert driver.results[1].replays == (1 if fault else 0)
    assert states[0] == states[1]


def lone_row(position: int, length: int) -> RowRef:
    return RowRef("f" * 32, position, position + 1, [Example(list(range(3, 3 + length)), 2)])


def test_a_row_that_can_never_fit_is_given_up_and_the_others_are_counted_anew() -> None:
    giant = lone_row(77, 90)
    window = Window([*WINDOWS[0].rows[:3], giant, *WINDOWS[0].rows[3:]])
    trainer, driver = trainer_for([window, WINDOWS[1]], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-above:89")
    trainer.run()
    calm, calm_driver = trainer_for(WINDOWS[:2], settings=SETTINGS)
    calm.run()
    ((position, reason),) = driver.given_up
    assert position == 77 and "longest example 90 tokens" in reason
    result = driver.results[0]
    assert (result.rows, result.rows_given_up) == (7, 1)
    assert result.supervised_tokens == WINDOWS[0].supervised
    assert result.loss == pytest.approx(calm_driver.results[0].loss, rel=1e-6)


def test_a_row_is_given_up_whole() -> None:
    """Its other examples fit, but a row half trained would be neither trained nor buried."""
    row = RowRef("f" * 32, 77, 78, [*lone_row(0, 90).examples, *lone_row(0, 9).examples])
    trainer, driver = trainer_for([Window([*WINDOWS[0].rows, row])], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-above:89")
    trainer.run()
    assert driver.results[0].examples == len(WINDOWS[0].examples)


def test_the_budget_is_acquitted_when_one_row_was_in_every_failure() -> None:
    poisoned = WINDOWS[0].rows[2]
    trainer, driver = trainer_for(WINDOWS[:2], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse(f"oom-on:{poisoned.line}")
    trainer.run()
    assert [position for position, _ in driver.given_up] == [poisoned.position]
    assert driver.results[0].token_budget == 160


def test_a_window_given_up_whole_leaves_everything_as_it_was() -> None:
    window = Window([lone_row(5, 40)])
    trainer, driver = trainer_for([WINDOWS[0], window], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-on:6")
    before: list[str] = []
    driver.at_next = lambda _: before.append(weights_hash(trainer.model))
    trainer.run()
    assert driver.results[1].skipped == "nothing left to train"
    assert before[2] == before[1]


def test_memory_that_never_comes_back_gives_every_row_up_and_ends() -> None:
    rows = WINDOWS[0].rows[:2]
    trainer, driver = trainer_for([Window(rows)], settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-above:0")
    trainer.run()
    assert sorted(p for p, _ in driver.given_up) == [row.position for row in rows]


def test_out_of_memory_in_the_optimizer_is_not_retried() -> None:
    trainer, driver = trainer_for(WINDOWS, settings=SETTINGS)
    trainer.step.faults = FaultInjector.parse("oom-step@3")
    with pytest.raises(StepLost, match="out of memory"):
        trainer.run()
    assert driver.done == 2, "the broken step is not committed"
    (event,) = driver.of(OutOfMemory)
    assert (event.where, event.step, event.budget_after) == ("optimizer", 3, 80)


def test_a_lost_device_ends_the_run() -> None:
    trainer, _ = trainer_for(WINDOWS, settings=SETTINGS)

    def strike(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    trainer.step.faults.before_forward = strike  # type: ignore[method-assign]
    with pytest.raises(StepLost, match="illegal memory access"):
        trainer.run()


def test_an_error_that_is_not_memory_passes_through() -> None:
    trainer, _ = trainer_for([Window([RowRef("f", 0, 1, [Example([5, 6, 10_000], 1)])])])
    with pytest.raises(IndexError):
        trainer.run()


def test_the_budget_grows_by_an_eighth_after_clean_windows_and_stops_at_its_ceiling() -> None:
    budget = TokenBudget(800, 950, grow_after_windows=3)
    for _ in range(3):
        budget.window_clean()
    assert (budget.tokens, budget.clean_windows) == (900, 0)
    for _ in range(3):
        budget.window_clean()
    assert budget.tokens == 950
    assert budget.halve() == 475
    assert TokenBudget(BUDGET_TOKENS_MIN, 950, 3).halve() == BUDGET_TOKENS_MIN


def test_two_tight_windows_in_a_row_shrink_the_budget() -> None:
    budget = TokenBudget(800, 800, 3)
    assert not budget.window_tight()
    budget.window_clean()
    assert not budget.window_tight()
    assert budget.window_tight()
    assert budget.tokens == 700


def test_the_rehearsal_finds_a_budget_and_changes_nothing() -> None:
    trainer, driver = trainer_for([], settings=settings_with(memory__token_budget=900))
    trainer.step.faults = FaultInjector.parse("oom-above:250")
    before = torch.get_rng_state(), weights_hash(trainer.model)
    assert rehearse(trainer.step, 64) == 225
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == weights_hash(trainer.model)
    assert all(p.grad is None for p in trainer.model.parameters())
    assert [e.where for e in driver.of(OutOfMemory)] == ["rehearsal", "rehearsal"]


def test_a_rehearsal_without_any_memory_ends_the_run() -> None:
    trainer, _ = trainer_for([])
    trainer.step.faults = FaultInjector.parse("oom-above:0")
    with pytest.raises(StepLost, match="not even"):
        rehearse(trainer.step, 64)


def test_a_cpu_budget_never_grows_past_its_fastest() -> None:
    budget = first_budget(settings_with(), torch.device("cpu"))
    assert budget.ceiling == budget.tokens
    gpu = first_budget(settings_with(), torch.device("cuda"))
    assert gpu.tokens == gpu.ceiling == settings_with().memory.token_budget_max


def test_faults_are_read_from_one_line_and_misspellings_are_named() -> None:
    made = FaultInjector.parse("oom-forward@3, nan@7,nan@9,oom-above:2048,die-on:hello")
    assert made.at == {"oom-forward": {3}, "nan": {7, 9}}
    assert made.on == [("oom-above", "2048"), ("die-on", "hello")]
    with pytest.raises(ValueError, match="oom-sideways@3"):
        FaultInjector.parse("oom-sideways@3")


def test_an_injected_error_is_of_the_type_a_gpu_raises() -> None:
    assert isinstance(cuda_oom("x"), torch.OutOfMemoryError)


def test_two_runs_with_the_same_trouble_end_in_the_same_bits() -> None:
    ends = [everything_hash(run_with("oom-backward@2,oom-forward@3")[0]) for _ in range(2)]  # type: ignore[arg-type]
    assert ends[0] == ends[1]
