"""A codebook to read, for `r3 codebook` and the viewer: codes, expansions, differences."""

from __future__ import annotations

from typing import Any

from regime3.lang import codes
from regime3.lang.codebook import Codebook


def rows_of(book: Codebook, macros_only: bool) -> list[dict[str, str]]:
    """One row a code that means something."""
    macros = range(codes.FIRST_MACRO, codes.FIRST_MACRO + len(book.macros))
    return [
        {
            "code": codes.token(code),
            "name": codes.name(code, book),
            "expansion": book.expansion(code),
            "type": book.type_of(code),
        }
        for code in (macros if macros_only else sorted(book.assigned))
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
