"""How the nano model in the package was made: one command, the real trainer, the real tasks.

    python -m regime3.recipe --lab nano-lab                  # train; stop and start as you like
    python -m regime3.recipe --lab nano-lab --ship           # put the result into the package

A lab is founded on the untrained nano model and fed lessons (`tasks.lessons`), file after file,
through inbox, queue, stream, trainer and vault like any other data. Two short last parts lower the
learning rate. It is resumable like every lab, and judges nothing: `r3 tasks score` measures
abilities.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from regime3 import config, disk
from regime3.daemon import Supervisor
from regime3.errors import Unavailable
from regime3.paths import SETTINGS_NAME, Lab

SETTINGS = {
    "validation.preview_rows": 0,
    "validation.time_share_max": 0.01,
    "checkpoint.save_steps": 1000,
    "checkpoint.snapshot_at": "",
    "train.window_tokens": 2048,
    "train.window_rows_max": 64,
}
ROWS = 4000
FILES = 36
LEVELS_MAX = 10
LINE_S = 15.0


@dataclass(frozen=True)
class Part:
    """A stretch of files at one learning rate."""

    name: str
    files: int
    learning_rate: float


PARTS = (Part("main", FILES, 2e-3), Part("cool", 3, 6e-4), Part("cold", 3, 1.5e-4))


def train(root: Path, rows: int, tell: Callable[[str], None]) -> None:
    """Found the lab if need be, and train every part that is not trained yet."""
    lab = Lab(root.absolute())
    if not (lab.root / SETTINGS_NAME).exists():
        from regime3.genesis import NANO_SETTINGS, found_lab
        from regime3.model.nano import build_untrained

        found_lab(lab.root, build_untrained, {**NANO_SETTINGS, **SETTINGS}, "nano")
        _write_validation(lab)
    first = 0
    total = sum(part.files for part in PARTS)
    for part in PARTS:
        _drop(lab, part, first, total, rows, tell)
        _run(lab, part, tell)
        first += part.files


def _write_validation(lab: Lab) -> None:
    """Held-out rows of every family, in the regime that the lessons end in."""
    from regime3.lang import codebook
    from regime3.tasks.lessons import lesson

    rows = lesson(0, 1, 120, codebook.shipped(), plan="pure", split="heldout", levels_max=4)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    disk.write_text(lab.validation / "tasks.jsonl", text)


def _drop(
    lab: Lab, part: Part, first: int, total: int, rows: int, tell: Callable[[str], None]
) -> None:
    """Write the part's lessons into the inbox, unless a note says that they were."""
    from regime3.lang import codebook
    from regime3.tasks.lessons import lesson

    note = lab.root / f"{part.name}.dropped"
    if note.exists():
        return
    book = codebook.shipped()
    for number in range(first, first + part.files):
        lines = lesson(number, total, rows, book, levels_max=LEVELS_MAX)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in lines)
        disk.write_text(lab.inbox / f"lesson-{number:03d}.jsonl", text)
        tell(f"lesson {number + 1} of {total}: {rows:,} rows")
    disk.write_text(note, f"{part.files}\n")


def _run(lab: Lab, part: Part, tell: Callable[[str], None]) -> None:
    """The supervisor until everything dropped is trained and sealed."""
    from regime3.cli.progress import until_trained

    flags = {"train.learning_rate": str(part.learning_rate)}
    settings = config.load(lab.settings_file, flags=flags).settings
    supervisor = Supervisor(lab, settings, flags=flags, say_line=tell)
    code = supervisor.run(until_trained(lambda line: tell(f"{part.name}: {line}"), LINE_S))
    if code != 0 or not supervisor.idle:
        raise Unavailable(
            f"the trainer ended with exit code {code}; nothing is lost",
            f"python -m regime3.recipe --lab {lab.root}",
        )


def ship(root: Path) -> Path:
    """Put the lab's current model into the package, in bf16."""
    from regime3.model import nano

    target = nano.shipped_weights()
    nano.write_weights(Lab(root.absolute()).current_model, target)
    return target


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--lab", type=Path, default=Path("nano-lab"))
    parser.add_argument("--rows", type=int, default=ROWS, help="rows of each lesson")
    parser.add_argument("--ship", action="store_true", help="only put the result into the package")
    given = parser.parse_args()
    if not given.ship:
        train(given.lab, given.rows, lambda line: print(line, flush=True))
    else:
        print(f"wrote {ship(given.lab)}")


if __name__ == "__main__":
    _main()
