"""Labs as a trainer leaves them: real boards and histories fed with a made-up day of reports."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.status import GpuReading, QueueFile, QueueState
from regime3.status.board import StatusBoard

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
QUESTIONS = (
    ("What is 17 + 25?", "42", "42"),
    ("If all wugs are blue and Tim is a wug, what colour is Tim?", "blue", "blue"),
    ("Sort these numbers: 9, 2, 7, 4", "2, 4, 7, 9", "2, 4, 9, 7"),
    ("What is the greatest common divisor of 84 and 36?", "12", "12"),
)


class Cards:
    """One card that answers."""

    def read(self) -> list[GpuReading] | None:
        return [GpuReading(0, "Simulated card", 96.0, 19 << 30, 24 << 30, 68.0, 318.0, 350.0)]


class NoCards:
    """A machine without one."""

    def read(self) -> list[GpuReading] | None:
        return None


@dataclass
class Day:
    """A lab in the middle of its life, its board and its clock, which stands at the real now."""

    lab: Lab
    board: StatusBoard
    clock: FakeClock

    def write(self, ago_s: float = 0.0) -> None:
        """Write the status as if that long ago."""
        self.board.write(self.clock.now() - ago_s)
        self.board.history.flush()


def files(done: int = 0) -> QueueState:
    """Four files in three lanes, `done` rows into the first."""
    listed = [
        QueueFile("a" * 32, "olympiad-2026-11.jsonl", "high", 60_000, done),
        QueueFile("b" * 32, "chats-2026-w46.jsonl", "normal", 31_000, 12_400, 2, 3),
        QueueFile("c" * 32, "corrections.jsonl", "normal", 4_120),
        QueueFile("d" * 32, "forge-0412.jsonl", "low", 41_200),
    ]
    left = sum(file.rows - file.position for file in listed)
    return QueueState(
        listed,
        4,
        9,
        1,
        0,
        rows_admitted=left + done + 200_112,
        rows_trained=200_100 + done,
        rows_buried=12,
        rows_left=left,
    )


def loss_at(step: int, steps: int) -> float:
    """Falling, noisy, one spike."""
    noise = math.sin(step * 12.9898) * 43758.5453
    noise = (noise - math.floor(noise)) - 0.5
    if step == int(steps * 0.55):
        return 2.6
    return 0.41 + 1.9 / (1 + step / (steps / 28)) + 0.12 * noise + 0.02 * math.sin(step / 60)


def train(day: Day, first: int, last: int, *, step_s: float = 6.0, of: int | None = None) -> None:
    """Steps first to last with their validations."""
    of = of or last
    for step in range(first, last + 1):
        slow = 2.2 if int(of * 0.7) < step < int(of * 0.73) else 1.0
        day.clock.advance(step_s * slow)
        tokens = 15_900 + int(400 * math.sin(step / 9))
        day.board.take(
            say.StepDone(
                step, loss_at(step, of), 2e-5, 0.6, 24, 26, tokens, tokens + 620, 7_300,
                step_s * slow, 0.0, 3, 19_456, "a" * 32, 24 * step, 19 << 30, 20, 180,
            )
        )  # fmt: skip
        if step % max(10, of // 24) == 0:
            answers = [
                say.Answer(
                    prompt,
                    golden,
                    model if step % 3 else golden,
                    golden == model or not step % 3,
                    "Be exact.",
                    4,
                    5,
                )
                for prompt, golden, model in QUESTIONS
            ]
            day.board.take(say.Validated(step, loss_at(step, of) + 0.11, 64, 1.0, answers))
        if step % 400 == 0:
            day.board.take(say.Sealed(step // 400, step, "steps", 1.4, 2_400_000_000))
            day.board.update(queue=files(24 * step))


def busy_day(lab: Lab, steps: int = 600, *, step_s: float = 6.0, cards: object = None) -> Day:
    """A trainer that has been at it for hours and is alive now."""
    clock = FakeClock(time.time() - steps * step_s - 40)
    board = StatusBoard(lab, Settings(), clock, cards=cards or Cards())  # type: ignore[arg-type]
    board.begin(0)
    board.update(supervisor_pid=1, worker_pid=2, queue=files(), disk_free_bytes=10**12)
    board.event("admitted", "olympiad-2026-11.jsonl: 60,000 rows admitted, 2 buried")
    board.take(say.Ready(0, 0, "cuda:0", 596_049_920, "Qwen3-0.6B", 4096, 19_456, 2))
    day = Day(lab, board, clock)
    board.write(clock.now())
    cut = int(steps * 0.4)
    train(day, 1, cut, step_s=step_s, of=steps)
    board.event("admitted", "chats-2026-w46.jsonl: 31,000 rows admitted")
    board.take(say.OutOfMemory(cut, "backward", 24_576, 12_288))
    train(day, cut + 1, steps, step_s=step_s, of=steps)
    board.take(say.OutOfMemory(steps, "backward", 24_576, 12_288))
    clock.advance(time.time() - clock.now() - 1)
    board.take(say.Beat("training"))
    clock.advance(1)
    day.write()
    return day
