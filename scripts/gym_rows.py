"""Chat rows from third-party tasks: `python scripts/gym_rows.py --rows 100000 --out rows.jsonl`.

Needs the extra `gym` (reasoning-gym). That package draws row i of seed s from `Random(s + i)`, so
neighbouring seeds share most of their questions; here rows are drawn at places far apart, each
the hash of task, split and index. Equal questions are kept once. Short tasks only: this file is
for the run in docs/runs.md, not a curriculum.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import reasoning_gym

TASKS = (
    "chain_sum",
    "gcd",
    "lcm",
    "simple_equations",
    "spell_backward",
    "letter_counting",
    "fraction_simplification",
    "products",
)
QUESTION_CHARACTERS_MAX = 110
PLACES = 1 << 60


@cache
def source(task: str) -> Any:
    """The task's data set, as long as it may be: making one costs more than a thousand rows."""
    return reasoning_gym.create_dataset(task, size=PLACES, seed=0)


def row(task: str, split: str, index: int) -> dict[str, object] | None:
    """One conversation, or None when the question is too long for a short row."""
    digest = hashlib.sha256(f"{task}|{split}|{index}".encode()).digest()
    entry = source(task)[int.from_bytes(digest[:8], "big") % PLACES]
    question = entry["question"].strip()
    if len(question) > QUESTION_CHARACTERS_MAX or entry["answer"] is None:
        return None
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": str(entry["answer"])},
        ],
        "task": task,
    }


def write_rows(out: Path, split: str, rows: int, avoid: set[str]) -> set[str]:
    """Write `rows` distinct rows; returns their questions."""
    seen: set[str] = set()
    index = 0
    with open(out, "w", encoding="utf-8") as lines:
        while len(seen) < rows:
            made = row(TASKS[index % len(TASKS)], split, index)
            index += 1
            if made is None:
                continue
            text = json.dumps(made, ensure_ascii=False)
            question = made["messages"][0]["content"]  # type: ignore[index]
            if question in seen or question in avoid:
                continue
            seen.add(question)
            lines.write(text + "\n")
            if len(seen) % 10_000 == 0:
                print(f"{len(seen):,} of {rows:,} rows", file=sys.stderr)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--held-out", type=int, default=200, help="rows for validation/")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    held_out = options.out.with_name(options.out.stem + "-held-out.jsonl")
    kept = write_rows(held_out, "validation", options.held_out, set())
    write_rows(options.out, "train", options.rows, kept)
    print(f"{options.out} and {held_out}")


if __name__ == "__main__":
    main()
