"""Rows about problems of the language are proved again before they may be trained.

    fault = Proof(book, forged=False).fault(line)      # None, or why the row is buried

Whoever wrote the row and whatever they said of it: its verdict is computed here, from the row
itself, in its regime and with this lab's codebook; a held-out problem is refused in any spelling.
Rows of other people, who have no `problem` of the language or no regime, are none of our business,
unless the file says that the forge made it: then every row must be proved.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from regime3.errors import InputRefused, LanguageError
from regime3.lang.codebook import Codebook

MARK: Final = b'"problem"'
"""A row without these bytes has no problem: a JSON key that is escaped is nobody's by accident."""
REASON_CHARACTERS_MAX: Final = 300
INTEGER_DIGITS_MAX: Final = 18


class Proof:
    """Proves rows. `book` is asked for once, when the first row needs it."""

    def __init__(self, book: Callable[[], Codebook], *, forged: bool) -> None:
        self._book_of, self.forged = book, forged
        self._book: Codebook | None = None

    def concerns(self, body: bytes, start: int, stop: int) -> bool:
        """Whether any of these lines may have to be proved."""
        return self.forged or body.find(MARK, start, stop) >= 0

    def fault(self, raw: bytes) -> str | None:
        """Why a line that is a good conversation may not be trained; None if it may."""
        row = _decoded(raw)
        if not _is_ours(row):
            return "made by the forge, without a problem to prove it by" if self.forged else None
        if self._book is None:
            self._book = self._book_of()
        try:
            return _held_out(row["problem"]) or _unproved(row, self._book)
        except (InputRefused, LanguageError) as refused:
            return _short(f"cannot be proved: {refused}")


def _is_ours(row: Any) -> bool:
    """Whether it claims to be about a problem of the language."""
    from regime3.tasks.rows import REGIMES

    return (
        isinstance(row, dict)
        and isinstance(row.get("problem"), str)
        and row.get("regime") in REGIMES
    )


def _decoded(raw: bytes) -> Any:
    """The row. Python refuses to read integers of thousands of digits; none of ours has any."""

    def number(text: str) -> int | float:
        return int(text) if len(text) <= INTEGER_DIGITS_MAX else float(text)

    return json.loads(raw, parse_int=number)


def _unproved(row: dict[str, Any], book: Codebook) -> str | None:
    """Why the row's reply is not right. Raises `InputRefused`."""
    # Here, because families take a while to load and most labs' files have no problems.
    from regime3.tasks.verdict import prove_row

    turns = row.get("messages")
    if not isinstance(turns, list):
        return "cannot be proved: a problem, and no messages that answer it"
    roles = [each.get("role") for each in turns if isinstance(each, dict)]
    if roles.count("assistant") != 1 or roles[-1] != "assistant":
        return "cannot be proved: one reply, at the end, answers a problem; others go unchecked"
    judged = prove_row(row, book)
    if judged.valid:
        return None
    at = f"step {judged.index}: " if judged.index else ""
    return _short(f"not accepted by the checker: {at}{judged.reason}")


def _held_out(text: str) -> str | None:
    """Why the problem may never be trained, by its fingerprint."""
    from regime3 import tasks
    from regime3.lang.fingerprint import fingerprint
    from regime3.lang.problem import read_problem

    split = tasks.split_of(fingerprint(read_problem(text)))
    return None if split == "train" else f"a {split} problem: never trained"


def _short(reason: str) -> str:
    one_line = " ".join(reason.split())
    return one_line[:REASON_CHARACTERS_MAX]
