"""The board: reports and facts in, figures out, across restarts of everything."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.status import QueueFile, QueueState, TrainingStatus
from regime3.status.board import StatusBoard
from regime3.status.events import EventLog, read_events
from regime3.status.history_files import HistoryFiles
from regime3.status.reading import read_status
from tests.status.reports import FILE_ID, step_done, validated


def train(board: StatusBoard, clock: FakeClock, first: int, last: int, **other: Any) -> None:
    """Steps first to last, one a second, with the loss falling."""
    for step in range(first, last + 1):
        clock.advance(1.0)
        board.take(step_done(step, 1 + 1 / step, **other))
        board.write_if_due(clock.now())


def codes(board: StatusBoard) -> set[str]:
    return {alert.code for alert in board.alerts.active()}


def test_speed_counts_non_pad_tokens_over_step_time(board: StatusBoard, clock: FakeClock) -> None:
    train(board, clock, 1, 30)
    status = read_status(board.lab)
    assert status.tokens_per_sec == status.nonpad_tokens_per_sec == pytest.approx(4000)
    assert status.supervised_tokens_per_sec == pytest.approx(2000)
    assert status.padding_percent == pytest.approx(20)
    assert status.tokens_total == 120_000 and status.tokens_per_sec_avg == pytest.approx(4000)


def test_progress_in_the_file_and_the_end_are_estimated(
    board: StatusBoard, clock: FakeClock
) -> None:
    train(board, clock, 1, 30)
    status = read_status(board.lab)
    assert (status.batch_step, status.batch_total_steps) == (30, 100)
    assert (status.current_step, status.total_steps) == (30, 100)
    assert status.epoch == pytest.approx(0.3)
    assert status.current_file == "chats.jsonl" and status.current_file_id == FILE_ID
    assert status.eta_seconds == pytest.approx(70)
    low, high = status.eta_seconds_range or (0, 0)
    assert low < 70 < high


def test_nothing_admitted_means_unknown_and_not_zero(make_board: Any, clock: FakeClock) -> None:
    board = make_board()
    board.begin(0)
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.total_steps is status.eta_seconds is status.loss is status.tokens_per_sec is None
    assert status.batch_number is None and status.heartbeat is None


def test_a_pause_is_not_training_time_and_has_no_eta(board: StatusBoard, clock: FakeClock) -> None:
    train(board, clock, 1, 30)
    board.update(paused_reason="lunch")
    board.take(say.Beat("paused"))
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.state == "paused" and status.state_reason == "lunch"
    assert status.eta_seconds is None
    clock.advance(3600)
    board.update(paused_reason=None)
    train(board, clock, 31, 40)
    assert read_status(board.lab).eta_seconds == pytest.approx(60)
    assert read_status(board.lab).state_reason is None


def test_waiting_for_files_does_not_slow_the_eta_down(board: StatusBoard, clock: FakeClock) -> None:
    train(board, clock, 1, 20)
    clock.advance(500)
    board.take(step_done(21, wait_seconds=500.0))
    train(board, clock, 22, 40)
    assert read_status(board.lab).eta_seconds == pytest.approx(60, rel=0.1)


def test_a_new_supervisor_takes_over_and_no_field_flickers_to_null(
    board: StatusBoard, clock: FakeClock, make_board: Any
) -> None:
    board.take(say.Ready(0, 0, "cpu", 10, "nano", 4096, 8192, 77))
    train(board, clock, 1, 60)
    board.take(validated(60))
    board.write(clock.now())
    before = msgspec.to_builtins(read_status(board.lab))
    board.close()
    clock.advance(30)
    successor = make_board()
    successor.begin(60)
    successor.write(clock.now())
    after = msgspec.to_builtins(read_status(board.lab))
    leave = {"worker_pid", "activity", "eta_seconds", "eta_seconds_range"}
    gone = {name for name, value in before.items() if value is not None and after[name] is None}
    assert gone <= leave - {"eta_seconds", "eta_seconds_range"}
    assert after["sequence"] == before["sequence"] + 1
    for name in ("tokens_total", "total_evals", "loss", "streaming_ce", "tokens_per_sec_baseline"):
        assert after[name] == before[name]
    assert after["heartbeat"] == before["heartbeat"], "the new supervisor has heard nothing yet"


def test_a_torn_status_file_is_no_reason_to_stop(lab: Lab, make_board: Any) -> None:
    lab.status.mkdir()
    lab.status_file.write_text('{"sequence": 5, "lo')
    board = make_board()
    board.begin(0)
    board.write(board.clock.now())
    assert read_status(lab).sequence == 1


def test_a_restart_at_an_earlier_head_takes_step_loss_and_history_back(
    board: StatusBoard, clock: FakeClock
) -> None:
    train(board, clock, 1, 50)
    board.worker_died("was killed by SIGKILL", 2.0)
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.state == "restarting" and "SIGKILL" in (status.state_reason or "")
    assert status.worker_restarts == 1 and "worker-restarted" in codes(board)
    board.take(say.Ready(1, 40, "cpu", 10, "nano", 4096, 8192, 78))
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.current_step == 40 and status.train_loss_history[-1][0] == 40
    board.take(step_done(41, 9.0))
    board.close()
    line = HistoryFiles(board.lab).read("loss", 0, None, 1000)
    assert line.step[-1] == 41 and line.last[-1] == 9.0
    assert HistoryFiles(board.lab).abandoned() == [(0, 41, 50)]


def test_rows_left_do_not_jump_back_at_a_look_between_seals(
    board: StatusBoard, clock: FakeClock
) -> None:
    train(board, clock, 1, 30)
    head_books = QueueState(
        [QueueFile(FILE_ID, "chats.jsonl", "normal", 1000)],
        files_open=1,
        rows_admitted=1000,
        rows_left=1000,
    )
    board.update(queue=head_books)
    board.write(clock.now())
    queue = read_status(board.lab).queue
    assert queue is not None and queue.rows_left == 700 and queue.files[0].position == 300
    board.take(say.Sealed(1, 30, "steps", 0.1, 1000))
    board.write(clock.now())
    queue = read_status(board.lab).queue
    assert queue is not None and queue.rows_left == 700 and queue.files[0].position == 300


def test_a_refused_window_leaves_the_loss_alone_and_raises_an_alert(
    board: StatusBoard, clock: FakeClock
) -> None:
    train(board, clock, 1, 3)
    loss = board.status.loss
    board.take(step_done(4, None, grad_norm=None, skipped="the loss is not finite"))
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.loss == loss and status.windows_refused == 1
    assert "non-finite-loss" in codes(board)


def test_accuracy_counts_validation_answers_and_shows_them_unedited(
    board: StatusBoard, clock: FakeClock
) -> None:
    hostile = "<script>alert(1)</script>\u202e{{x}}"
    board.take(
        say.Validated(10, 1.0, 4, 0.1, [say.Answer(hostile, "4", hostile, False, "sys", 1, 9)])
    )
    board.take(validated(20, right=3, wrong=1))
    board.write(clock.now())
    status = read_status(board.lab)
    assert (status.total_evals, status.total_correct) == (5, 3)
    assert status.accuracy_percent == 60 and status.fixed_eval_em == 75
    assert status.accuracy_last_20 is None and status.recent_matches == "01110"
    assert status.recent_examples[-1].model == hostile
    assert status.max_model_output_length == 9 and status.current_model_output_length == 3


def test_answers_kept_for_viewers_are_bounded(board: StatusBoard, clock: FakeClock) -> None:
    for step in range(10, 200, 10):
        board.take(validated(step))
    assert len(board.status.recent_examples) == board.settings.status.recent_examples
    assert board.status.recent_examples[0].step == 190


def test_the_file_is_written_when_something_changed_and_rarely_when_idle(
    board: StatusBoard, clock: FakeClock
) -> None:
    assert board.write_if_due(clock.now())
    assert not board.write_if_due(clock.now() + 0.6), "nothing has changed"
    board.take(say.Beat("training"))
    assert not board.write_if_due(clock.now() + 0.3), "too soon"
    assert board.write_if_due(clock.now() + 0.6)
    assert board.write_if_due(clock.now() + 6), "the supervisor's own sign of life"
    assert read_status(board.lab).sequence == 3


def test_a_wall_clock_set_back_does_not_stop_the_writing(
    board: StatusBoard, clock: FakeClock
) -> None:
    board.write(clock.now())
    assert board.write_if_due(clock.now() - 7200)


def test_heartbeat_is_the_workers_and_not_the_supervisors(
    board: StatusBoard, clock: FakeClock
) -> None:
    board.take(say.Beat("training"))
    heard = clock.now()
    clock.advance(100)
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.heartbeat == heard and status.timestamp == clock.now()


def test_a_silent_worker_raises_a_stall_and_its_next_word_clears_it(
    board: StatusBoard, clock: FakeClock
) -> None:
    board.update(worker_pid=77)
    train(board, clock, 1, 3)
    clock.advance(31)
    board.write(clock.now())
    assert "stall" in codes(board)
    assert read_status(board.lab).error_type == "stall"
    board.take(say.Beat("training"))
    board.write(clock.now())
    assert "stall" not in codes(board) and read_status(board.lab).error_type is None


def test_slow_training_alerts_under_sixty_percent_and_clears_at_seventy_five(
    board: StatusBoard, clock: FakeClock
) -> None:
    train(board, clock, 1, 80)
    assert "throughput-low" not in codes(board)
    train(board, clock, 81, 120, seconds=4.0)
    assert "throughput-low" in codes(board)
    train(board, clock, 121, 320)
    assert "throughput-low" not in codes(board)


def test_a_nearly_full_disk_is_an_error_and_a_filling_one_a_warning(board: StatusBoard) -> None:
    limit = int(board.settings.checkpoint.free_gb_min * 1e9)
    board.update(disk_free_bytes=int(1.5 * limit))
    assert codes(board) == {"disk-low"}
    board.update(disk_free_bytes=limit // 2)
    assert codes(board) == {"disk-low", "disk-paused"}
    board.update(disk_free_bytes=int(1.05 * limit))
    assert "disk-paused" in codes(board), "it does not flutter around the limit"
    board.update(disk_free_bytes=10 * limit)
    assert codes(board) == set()


def test_a_dry_queue_is_a_note_while_waiting(board: StatusBoard, clock: FakeClock) -> None:
    board.update(queue=QueueState(rows_admitted=10))
    board.take(say.Beat("waiting"))
    board.write(clock.now())
    status = read_status(board.lab)
    assert codes(board) == {"queue-dry"} and status.alert_summary.notes == 1
    assert "inbox" in status.active_alerts[0].what_to_do


def test_repeats_count_up_and_leave_the_view_after_a_while(
    board: StatusBoard, clock: FakeClock
) -> None:
    for step in (1, 2, 3):
        board.take(say.OutOfMemory(step, "backward", 8192, 4096))
    board.write(clock.now())
    (alert,) = read_status(board.lab).active_alerts
    assert alert.code == "out-of-memory" and alert.count == 3 and alert.level == "WARN"
    assert board.status.token_budget == 4096 and board.status.out_of_memory_total == 3
    clock.advance(901)
    board.write(clock.now())
    assert read_status(board.lab).active_alerts == []


def test_fatal_is_said_in_state_alert_and_error(board: StatusBoard, clock: FakeClock) -> None:
    board.update(error_message="5 restarts made no progress", error_type="TrainerFatal")
    board.update(state="fatal")
    board.write(clock.now())
    status = read_status(board.lab)
    assert status.state == status.status == "fatal" and status.error_type == "TrainerFatal"
    assert status.active_alerts[0].level == "ERROR"
    assert status.state_reason == "5 restarts made no progress"


def test_an_unknown_fact_is_our_own_bug(board: StatusBoard) -> None:
    with pytest.raises(TypeError, match="no such fact"):
        board.update(colour="green")


def test_a_worker_alert_keeps_its_level_and_message(board: StatusBoard, clock: FakeClock) -> None:
    board.take(say.Alert("WARN", "loss-spike", "loss 9 is 12 times its mean"))
    board.take(say.Alert("ERROR", "something-new", "odd"))
    board.write(clock.now())
    found = {a.code: (a.level, a.message) for a in read_status(board.lab).active_alerts}
    assert found["loss-spike"] == ("WARN", "loss 9 is 12 times its mean")
    assert found["something-new"] == ("ERROR", "odd")


def test_events_are_numbered_for_ever_and_rotated_by_size(lab: Lab) -> None:
    log = EventLog(lab, log_mb_max=0.001)
    for index in range(30):
        log.append("sealed", f"Checkpoint {index}", 1000.0 + index)
    assert lab.events_rotated_file.exists() and lab.events_file.stat().st_size < 1100
    again = EventLog(lab, log_mb_max=0.001)
    assert again.append("sealed", "one more", 2000.0).number == 31
    newest = read_events(lab, limit=3)
    assert [event.number for event in newest] == [29, 30, 31]
    assert [event.number for event in read_events(lab, after=30)] == [31]


def test_an_event_that_is_no_sentence_is_told_with_its_kind(board: StatusBoard) -> None:
    assert board.event("snapshot", "2026-11-22").text == "snapshot: 2026-11-22"
    assert board.event("resumed").text == "resumed"
    assert board.event("sealed", "Checkpoint 3 sealed").text == "Checkpoint 3 sealed"
    assert board.event("fatal", "it died").level == "ERROR"


def test_a_torn_last_event_is_cut_and_the_next_one_is_whole(lab: Lab) -> None:
    EventLog(lab, 1.0).append("sealed", "fine", 1.0)
    with open(lab.events_file, "ab") as out:
        out.write(b'{"number": 2, "ti')
    assert EventLog(lab, 1.0).append("sealed", "next", 2.0).number == 2
    assert [event.text for event in read_events(lab)] == ["fine", "next"]


def test_the_schema_is_what_the_reader_decodes(board: StatusBoard, clock: FakeClock) -> None:
    train(board, clock, 1, 5)
    board.write(clock.now())
    data = board.lab.status_file.read_bytes()
    assert msgspec.json.decode(data, type=TrainingStatus).schema_version == 1
