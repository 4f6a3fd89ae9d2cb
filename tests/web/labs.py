"""Labs as a trainer leaves them: real boards and histories fed with a made-up day of reports."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import msgspec

from regime3 import tasks
from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.forge import shard, shown
from regime3.forge import state as forge_state
from regime3.forge.attempts import Attempt, Tried
from regime3.judge import ledger
from regime3.judge.case import Case, write_case
from regime3.lang import codebook
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.probe import ProbeAnswer, ProbeSheet
from regime3.records.status import GpuReading, QueueFile, QueueState
from regime3.records.verdict import Verdict
from regime3.status.board import StatusBoard
from regime3.tasks.rows import row
from regime3.tasks.verdict import judge_row

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
            sure, loss = say.SurenessReading(0.4, 0.031), loss_at(step, of) + 0.11
            day.board.take(say.Validated(step, loss, 64, 1.0, answers, sureness=sure))
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


def loop_day(lab: Lab) -> None:
    """What judge, forge and evolution leave after an hour: written by their own code."""
    now = time.time()
    here = {"model": "nano-{}", "champion_model": "nano-{}", "best_model": "nano-{}"}
    told = [
        ("first", 1, 0, 1, "nothing to compare with"),
        ("promote", 4, 600, 4, "93 won, 51 lost of 960: better than the champion"),
        ("hold", 7, 1200, 4, "80 won, 78 lost of 1200: no difference that matters"),
        ("worse", 9, 1800, 4, f"40 won, 88 lost of 720: worse than the champion {HOSTILE}"),
        ("rollback", 11, 2400, 4, "31 won, 77 lost of 480: worse than the champion"),
    ]
    lab.judge.mkdir(parents=True, exist_ok=True)
    for number, (word, seal, step, champion, reason) in enumerate(told, 1):
        ids = dict(zip(here, (f"nano-{seal}", f"nano-{champion}", f"nano-{champion}"), strict=True))
        verdict = Verdict(
            number, now - 3600 + 700 * number, word, seal, step,  # type: ignore[arg-type]
            champion=champion, best=champion, reason=reason, **ids,
        )  # fmt: skip
        ledger.append(lab, verdict)
    case = Case(13, 3000, "nano-13", 4, "nano-4", 9000, 9240, now - 60)
    case.pairs = [("lists", True, False)] * 31 + [("lists", False, True)] * 12
    write_case(lab, case)
    state = forge_state.State(next_shard=6, rows_made=15_000)
    for family, top, rate in (("lists", 3, 0.62), ("numbers", 2, 0.48), ("entailment", 1, 0.12)):
        state.families[family] = forge_state.Family(top)
        for level in range(1, top + 1):
            found = state.cell(family, level)
            found.estimate = found.estimate.after(round(100 * rate / level), 100, 400.0)
    state.alert(now - 300, 4, "collapse", "numbers is not asked until shard 14: answers are alike")
    lab.loop.mkdir(parents=True, exist_ok=True)
    forge_state.save(lab, state)
    for number, passed in ((1, 10), (2, 15), (3, 20), (4, 60), (5, 70)):
        level = {"problems": 10, "attempts": 100, "passed": passed, "solved": 8}
        shard.note(
            lab,
            {
                "shard": number,
                "at": now - 3600 + 600 * number,
                "rows": 3000,
                "seconds": 41.0,
                "kinds": {"attempt": 700, "oracle": 2300},
                "dropped": {"written before": 9},
                "levels": {"lists:2": level},
                "tokens": 1200,
                "note": None,
                "file": None,
            },
        )
    shown.write(lab, attempts_at("lists", 2), 5, "nano-11", now - 120)
    lab.evolution.mkdir(parents=True, exist_ok=True)
    for seal, step, solved in ((1, 0, 2), (4, 600, 5), (7, 1200, 8)):
        lines = [ProbeSheet(seal, step, f"nano-{seal}", now - 3600 + step, 20)] + [
            ProbeAnswer(f"lists:1:{8000 + n}:{regime}", n < solved, n < solved, 3, 1.0, 9, "", "")
            for n in range(10)
            for regime in (2, 3)
        ]
        data = b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
        lab.evolution_file(seal).write_bytes(data)


def attempts_at(family: str, level: int) -> list[Tried]:
    """A problem answered rightly by its oracle, and wrongly by another problem's answer."""
    samples = [tasks.sample(family, level, "train", index) for index in range(2)]
    book = codebook.shipped()
    rows = [row(sample, 2, book) for sample in samples]
    wrong = [*rows[0]["messages"][:-1], rows[1]["messages"][-1]]
    right = Attempt(judge_row(rows[0], None), "", 12, "job", 0, 0, True)
    bad = Attempt(judge_row({**rows[0], "messages": wrong}, None), "", 15, "job", 0, 1, False)
    return [Tried(samples[0], [right, bad])]
