"""What evaluations are about: our own problems drawn by key, or rows that somebody wrote.

    chosen = choose(order, lab.node_dataset)      # refuses what is not there, with the reason
    chosen.total, chosen.inputs

`tasks:` examples are numbered so that any prefix is spread over families, levels and regimes. Rows
are copied into the job when it is made: a data set that changes later changes no job.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from regime3 import tasks
from regime3.errors import NodeRefused
from regime3.jobs.orders import ChatRow, EvalOrder, FilterOrder, OnSet
from regime3.lang.codebook import Codebook
from regime3.tasks.family import LEVELS, Sample, Split
from regime3.tasks.rows import row

LINE_BYTES_MAX = 8 << 20
SET_BYTES_MAX = 256 << 20
SAMPLES_KEPT = 4096
"""Drawing a held-out problem takes eighteen tries, tens of milliseconds at high levels."""
PREFIX = "tasks:"
_PLACE = re.compile(r"^(\d{1,2})(?:-(\d{1,2}))?$")

FileOf = Callable[[str], Path]


class Chosen(msgspec.Struct, frozen=True):
    """The examples of a job."""

    total: int
    """Items."""
    facts: dict[str, Any]
    inputs: list[str] = []
    """JSON lines, of rows alone."""


class Posed(msgspec.Struct, frozen=True):
    """One example: a row whose last message is the reference, and the key of its randomness."""

    row: dict[str, Any]
    key: str
    fingerprint: str | None = None

    @property
    def prompt(self) -> list[dict[str, Any]]:
        """The messages before the reference."""
        found: list[dict[str, Any]] = self.row["messages"][:-1]
        return found

    @property
    def reference(self) -> dict[str, Any]:
        """The reference, a message."""
        found: dict[str, Any] = self.row["messages"][-1]
        return found

    @property
    def problem(self) -> str | None:
        """As an S-expression, if it is one of the language's."""
        found = self.row.get("problem")
        return found if isinstance(found, str) else None

    @property
    def place(self) -> dict[str, Any]:
        """What is known of it, for logs and breakdowns."""
        names = ("family", "task", "level", "regime", "source_regime", "split", "index", "problem")
        return {name: self.row[name] for name in names if self.row.get(name) is not None}


# ----------------------------------------------------------------------------- choosing


def choose(order: OnSet | FilterOrder, file_of: FileOf) -> Chosen:
    """The examples that an order means. Raises `NodeRefused` 400 or 404; reads the data set."""
    if order.rows is not None:
        rows = [each.as_row() for each in order.rows]
        return _of_rows([_line(row, f"row {n}") for n, row in enumerate(rows)], order, "rows")
    assert order.dataset_ref is not None
    if not order.dataset_ref.startswith(PREFIX):
        lines = read_set(order.dataset_ref, file_of)
        return _of_rows(lines, order, order.dataset_ref)
    if isinstance(order, FilterOrder):
        raise _refused("problems have no answers to filter: name a data set or give rows")
    return _of_tasks(order, order.dataset_ref)


def _of_rows(lines: list[str], order: OnSet | FilterOrder, source: str) -> Chosen:
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    kept = lines[: order.max_examples]
    facts = {"source": source, "rows": len(lines), "examples": len(kept), "sha256": digest}
    return Chosen(len(kept), facts, kept)


def _of_tasks(order: OnSet, ref: str) -> Chosen:
    families, levels, split = read_ref(ref)
    facts = {
        "source": "tasks",
        "families": families,
        "levels": levels,
        "split": split,
        "start": order.start,
        "examples": order.max_examples,
    }
    return Chosen(order.max_examples * len(order.regimes), facts)


def read_ref(ref: str) -> tuple[list[str], list[int], Split]:
    """Families, levels and split of `tasks:FAMILY[:LEVELS][:SPLIT]`. Raises `NodeRefused`."""
    parts = ref.removeprefix(PREFIX).split(":")
    split: Split = "heldout"
    if parts[-1] in ("heldout", "train"):
        split = "train" if parts.pop() == "train" else "heldout"
    if not 1 <= len(parts) <= 2:
        raise _refused(f"{ref}: meant is tasks:FAMILY[:LEVELS][:heldout|train]")
    families = list(tasks.FAMILIES) if parts[0] == "all" else parts[0].split(",")
    for family in families:
        demand_family(family)
    levels = _levels(parts[1]) if len(parts) == 2 else list(range(1, LEVELS + 1))
    return list(dict.fromkeys(families)), levels, split


def demand_family(name: str) -> None:
    """Raises `NodeRefused` 404 if there is no such family."""
    if name not in tasks.FAMILIES:
        known = ", ".join(tasks.FAMILIES)
        raise NodeRefused(
            404, "family_not_found", f"there is no family {name}: {known}", param="family"
        )


def _levels(text: str) -> list[int]:
    found: set[int] = set()
    for piece in text.split(","):
        match = _PLACE.match(piece)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= low <= high <= LEVELS:
            raise _refused(f"levels {text}: meant is 3, 1-4 or 1,3, from 1 to {LEVELS}")
        found.update(range(low, high + 1))
    return sorted(found)


def read_set(name: str, file_of: FileOf) -> list[str]:
    """The rows of a data set as JSON lines. Raises `NodeRefused` with the line and the reason."""
    path = file_of(name)
    if ":" in name or not path.is_file():
        raise NodeRefused(
            404, "dataset_not_found", f"there is no data set {name}", param="dataset_ref"
        )
    if path.stat().st_size > SET_BYTES_MAX:
        raise _refused(f"{name} is larger than {SET_BYTES_MAX >> 20} MiB")
    found = []
    try:
        with open(path, encoding="utf-8") as source:
            for number, line in enumerate(source, 1):
                if line.strip():
                    found.append(_checked(line, f"{name}.jsonl:{number}"))
    except UnicodeDecodeError as error:
        raise _refused(f"{name}.jsonl is not UTF-8: {error}") from None
    if not found:
        raise _refused(f"{name}.jsonl holds no rows")
    return found


def _checked(line: str, place: str) -> str:
    """A line of a data set, refused if it is no conversation that ends in an answer."""
    if len(line) > LINE_BYTES_MAX:
        raise _refused(f"{place}: longer than {LINE_BYTES_MAX >> 20} MiB")
    try:
        row = json.loads(line)
        known = {name: row[name] for name in ChatRow.model_fields if row.get(name) is not None}
        ChatRow.model_validate(known, strict=True)
    except RecursionError:
        raise _refused(f"{place}: nested too deep") from None
    except (ValueError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()
        raise _refused(f"{place}: {' '.join(reason[:3])[:300]}") from None
    return _line(row, place)


def _line(row: dict[str, Any], place: str) -> str:
    """A row as it is stored; without half characters, and with a reference at its end."""
    if row["messages"][-1]["role"] != "assistant":
        raise _refused(f"{place}: the last message is not the assistant's")
    try:
        line = json.dumps(row, ensure_ascii=False)
        line.encode()
    except (UnicodeEncodeError, RecursionError):
        raise _refused(f"{place}: cannot be written as UTF-8") from None
    return line


def _refused(message: str) -> NodeRefused:
    return NodeRefused(400, "invalid_dataset", message, param="dataset_ref")


# ----------------------------------------------------------------------------- drawing


def example_of(order: OnSet | EvalOrder, facts: dict[str, Any], item: int, book: Codebook) -> Posed:
    """Item `item` of a `tasks:` job: regimes of a problem are neighbours, then families, levels."""
    regime = order.regimes[item % len(order.regimes)]
    cells = [(family, level) for level in facts["levels"] for family in facts["families"]]
    number = item // len(order.regimes)
    family, level = cells[number % len(cells)]
    return drawn(family, level, facts["split"], facts["start"] + number // len(cells), regime, book)


def drawn(family: str, level: int, split: Split, index: int, regime: int, book: Codebook) -> Posed:
    """A problem of ours with its oracle's answer as the reference."""
    sample = _sample(family, level, split, index)
    key = f"{family}|{split}|{level}|{index}|{regime}"
    return Posed(row(sample, regime, book), key, sample.fingerprint)


@lru_cache(SAMPLES_KEPT)
def _sample(family: str, level: int, split: Split, index: int) -> Sample:
    return tasks.sample(family, level, split, index)


def of_row(found: dict[str, Any], item: int) -> Posed:
    """A row that somebody wrote."""
    return Posed(found, f"row|{item}")
