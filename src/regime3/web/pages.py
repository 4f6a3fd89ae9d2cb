"""The three pages, put together once from `pages/`: a common frame around each one's content.

A lab has three doors, ports in a row, and each opens on its own page; every page is on every door,
so that one forwarded port is enough.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "pages"
DOORS: Final = {"live": "Live", "memory": "Memory", "lab": "Lab"}
"""Pages in the order of their ports, and what they are called."""


@lru_cache
def page(name: str) -> tuple[bytes, str]:
    """A page's HTML and its ETag. `name` is one of DOORS."""
    doors = "".join(
        f'<a href="/{each}"{" aria-current=page" if each == name else ""}>{word}</a>'
        for each, word in DOORS.items()
    )
    html = (FOLDER / "frame.html").read_text(encoding="utf-8")
    parts = {
        "name": name,
        "title": DOORS[name],
        "doors": doors,
        "content": (FOLDER / f"{name}.html").read_text(encoding="utf-8"),
    }
    for key, text in parts.items():
        html = html.replace("{{" + key + "}}", text)
    data = html.encode()
    return data, f'"{hashlib.sha256(data).hexdigest()[:16]}"'
