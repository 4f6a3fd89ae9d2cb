"""What `r3 tasks score` measures and prints."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regime3.cli.output import table
from regime3.cli.tasks_view import families_of, levels_of

if TYPE_CHECKING:
    from regime3.score.abilities import Ability
    from regime3.tasks.family import Split

NANO = "the package's nano"


@dataclass(frozen=True)
class Wanted:
    """Which problems to ask, of each family and level."""

    families: list[str]
    levels: str
    regimes: tuple[int, ...]
    count: int
    split: Split


@dataclass(frozen=True)
class Scored:
    """What was measured, of which model, with which codebook."""

    model: str
    codebook: str
    split: Split
    rows: list[Ability]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        rows = [each.as_dict() for each in self.rows]
        return {"model": self.model, "codebook": self.codebook, "split": self.split, "rows": rows}


def several(text: str) -> list[str]:
    """The families that names with commas between them mean, each once."""
    return list(dict.fromkeys(name for word in text.split(",") for name in families_of(word)))


def scored(model: Path | None, wanted: Wanted) -> Scored:
    """Ask the model; progress on standard error. Raises `ModelError`."""
    levels = {family: levels_of(wanted.levels, family, "--levels") for family in wanted.families}
    import torch

    from regime3.lang import codebook
    from regime3.model.codebooks import codebook_of
    from regime3.score.abilities import Scorer

    if model is None:
        torch.set_num_threads(1)  # a second one starves so small a model, as in its training
    with _folder(model) as folder:
        scorer = Scorer(folder, codebook_of(folder) or codebook.shipped())
    rows = [
        ability
        for family in wanted.families
        for ability in scorer.measure(
            [family], levels[family], wanted.regimes, wanted.count, _progress, wanted.split
        )
    ]
    return Scored(str(model or NANO), scorer.book.name, wanted.split, rows)


@contextmanager
def _folder(model: Path | None) -> Iterator[Path]:
    """The model's folder; without one, nano's in a temporary place."""
    if model is not None:
        yield model
        return
    from regime3.model.nano import build_nano

    with tempfile.TemporaryDirectory(prefix="regime3-score-") as place:
        build_nano(Path(place))
        yield Path(place)


def _progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def tell(found: Scored, as_markdown: bool) -> None:
    """Print a table for a person, or for a document."""
    from regime3.score.abilities import markdown

    if as_markdown:
        print(markdown(found.rows))
        return
    columns = ["family", "level", "regime", "problems", "solved", "right", "steps", "tokens"]
    rows = [
        [each.family, each.level, each.regime, each.problems]
        + [f"{share:.0%}" for share in (each.solved, each.right, each.steps_valid)]
        + [f"{each.tokens:.0f}"]
        for each in found.rows
    ]
    table(f"{found.model}, {found.split} problems", columns, rows)
