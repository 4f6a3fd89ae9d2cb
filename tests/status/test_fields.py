"""Every field of the status says what writes it, and is held to its word."""

from __future__ import annotations

import ast
import inspect

import msgspec

from regime3.clock import FakeClock
from regime3.records import messages as say
from regime3.records import status as records
from regime3.records.status import TrainingStatus
from regime3.status.board import StatusBoard
from tests.status.reports import ready, step_done, validated

NAMED = set(
    """
    status current_step total_steps epoch loss learning_rate timestamp model_name
    max_output_tokens context_window batch_step batch_total_steps batch_number
    batch_queue_size current_file current_system_prompt current_prompt golden_answer
    model_answer answer_matches recent_examples total_evals total_correct accuracy_percent
    accuracy_last_20 accuracy_last_50 accuracy_trend train_loss_history accuracy_history
    fixed_eval_em fixed_eval_ce fixed_eval_ece fixed_eval_trend pattern_heatmap
    pattern_loss_trend pattern_layer_correlation length_bin_staleness layer_activity_summary
    layer_stability_summary lora_stats lora_summary streaming_ce loss_variance token_entropy
    loss_trend active_alerts alert_summary tokens_per_sec tokens_per_sec_avg
    tokens_per_sec_baseline throughput_trend throughput_vram_samples queue_velocity
    validation_loss val_train_gap think_tag_count think_tag_percent logit_penalty_stats
    penalty_heatmap max_golden_output_length max_model_output_length
    current_golden_output_length current_model_output_length error_message error_type
    """.split()  # noqa: SIM905 - a list of 65 names reads worse
)


def documented() -> dict[str, str]:
    """Field name to the docstring under it."""
    tree = ast.parse(inspect.getsource(records))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "TrainingStatus"
    )
    found = {}
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            doc = after.value if isinstance(after, ast.Expr) else None
            text = doc.value if isinstance(doc, ast.Constant) else ""
            found[field.target.id] = str(text)
    return found


def test_all_sixty_five_named_fields_are_there() -> None:
    assert len(NAMED) == 65
    assert {field.name for field in msgspec.structs.fields(TrainingStatus)} >= NAMED


def test_every_field_says_what_writes_it() -> None:
    for name, text in documented().items():
        assert len(text) > 5 and text.rstrip().endswith((".", "card")), f"{name}: {text!r}"
    assert set(documented()) == {field.name for field in msgspec.structs.fields(TrainingStatus)}


def test_a_field_is_written_by_something_real_or_documented_as_null(
    board: StatusBoard, clock: FakeClock
) -> None:
    """A day of reports fills every field but those that begin with "Null until"."""
    seen: set[str] = set()

    def look() -> None:
        board.write(clock.now())
        for name, value in msgspec.structs.asdict(board.status).items():
            empty = value is None or (isinstance(value, list | str | dict) and not value)
            if not empty:
                seen.add(name)

    board.update(supervisor_pid=1, worker_pid=4242, head_seal=0, disk_free_bytes=10**12)
    board.take(ready())
    for step in range(1, 121):
        clock.advance(1.0)
        board.take(step_done(step, 2 / step, memory_bytes=6 << 30, think_examples=3))
        if step % 8 == 0:
            board.take(validated(step))
        look()
    board.take(say.Sealed(1, 120, "steps", 0.2, 4_000_000))
    board.update(paused_reason="the user asked")
    board.take(say.Beat("paused"))
    look()
    board.update(error_message="it died", error_type="TrainerFatal", state="fatal")
    look()
    always_null = {name for name, text in documented().items() if text.startswith("Null until")}
    assert seen.isdisjoint(always_null)
    assert set(documented()) - seen == always_null


def test_the_file_never_holds_a_number_that_json_does_not_know(
    board: StatusBoard, clock: FakeClock
) -> None:
    board.take(step_done(1, float("nan"), learning_rate=float("inf"), grad_norm=float("nan")))
    board.write(clock.now())
    board.write(clock.now())
    text = board.lab.status_file.read_text()
    assert "NaN" not in text and "Infinity" not in text
    status = msgspec.json.decode(text, type=TrainingStatus)
    assert status.loss is None and status.learning_rate is None
    assert {"non-finite-loss", "non-finite-figure"} <= {a.code for a in status.active_alerts}


def test_an_older_reader_skips_fields_it_does_not_know(board: StatusBoard) -> None:
    board.write(board.clock.now())
    value = msgspec.json.decode(board.lab.status_file.read_bytes())
    value["field_of_next_year"] = {"a": 1}
    assert msgspec.convert(value, TrainingStatus).sequence == 1
