"""Words that both ends of an upload share (https://tus.io/protocols)."""

from __future__ import annotations

from typing import Final

VERSION: Final = "1.0.0"
EXTENSIONS: Final = "creation,expiration,termination"
CONTENT: Final = "application/offset+octet-stream"
PREFIX: Final = "/models/uploads"
