"""The audit log: one JSON line for every call of an admin that may have changed something."""

from __future__ import annotations

import json
from typing import Any

from regime3 import disk
from regime3.paths import Lab


class Audit:
    """Appends to `logs/audit.log`; rotates it past `bytes_max` into `audit-old.log`."""

    def __init__(self, lab: Lab, bytes_max: int = 20_000_000) -> None:
        self._lab, self._bytes_max = lab, bytes_max
        disk.make_folder(lab.logs)

    def __call__(self, line: dict[str, Any]) -> None:
        path = self._lab.log_file("audit")
        if path.exists() and path.stat().st_size > self._bytes_max:
            disk.rename(path, self._lab.log_file("audit-old"), durable=False)
        data = json.dumps(line, ensure_ascii=True).encode() + b"\n"
        try:
            with disk.Appender(path) as log:
                log.append(data)
        except OSError:
            return  # a full disk: the call is done already, and its answer is on its way
