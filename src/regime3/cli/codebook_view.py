"""What `r3 codebook` prints: codes with their expansions, and differences."""

from __future__ import annotations

from typing import Any

from regime3.lang import codes
from regime3.lang.codebook import Codebook


def rows_of(book: Codebook, macros_only: bool) -> list[dict[str, str]]:
    """One row a code that means something."""
    first = len(codes.BASE) if macros_only else 0
    assigned = [*range(first, len(codes.BASE) + len(book.macros))]
    if book.options["pairs"] and not macros_only:
        assigned += range(codes.PAIR, codes.CODES_MAX)
    return [
        {
            "code": codes.token(code),
            "name": codes.name(code, book),
            "expansion": book.expansion(code),
            "type": book.type_of(code),
        }
        for code in assigned
    ]


def differences(old: Codebook, new: Codebook) -> dict[str, Any]:
    """Fields that differ, and codes whose expansion does."""
    lines = [
        f"{field}: {getattr(old, field)} -> {getattr(new, field)}"
        for field in ("version", "signature", "strategy", "options", "corpus")
        if getattr(old, field) != getattr(new, field)
    ]
    before = {row["code"]: row["expansion"] for row in rows_of(old, False)}
    after = {row["code"]: row["expansion"] for row in rows_of(new, False)}
    for code in sorted(before.keys() | after.keys()):
        was, now = before.get(code, "nothing"), after.get(code, "nothing")
        if was != now:
            lines.append(f"{code}: {was} -> {now}")
    return {"same": old.name == new.name, "old": old.name, "new": new.name, "lines": lines}
