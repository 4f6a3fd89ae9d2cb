"""Read the status file, for whoever shows it.

The file is replaced as a whole, so a reader sees the old one or the new one. What cannot be read
raises `Unavailable`, which says why and what to type.
"""

from __future__ import annotations

import msgspec

from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.records.status import TrainingStatus


def read_bytes(lab: Lab) -> bytes:
    """The file's bytes, known to be one JSON object. Raises Unavailable."""
    try:
        data = lab.status_file.read_bytes()
    except FileNotFoundError:
        raise Unavailable("no trainer has run in this lab yet", "r3 up") from None
    except OSError as error:
        raise Unavailable(f"training_status.json cannot be read: {error}", "r3 doctor") from None
    try:
        msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError as error:
        raise Unavailable(f"training_status.json is not whole: {error}", "r3 doctor") from None
    return data


def read_status(lab: Lab) -> TrainingStatus:
    """The status. Raises Unavailable."""
    try:
        return msgspec.json.decode(read_bytes(lab), type=TrainingStatus)
    except msgspec.ValidationError as error:
        raise Unavailable(
            f"training_status.json does not fit its schema: {error}", "r3 doctor"
        ) from None
