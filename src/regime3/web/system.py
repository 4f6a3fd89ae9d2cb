"""What both boxes have and use: the trainer's from its status, the node's from the node itself.

A node that is away, slow or of another kind is said with its reason; it is asked at most every
`ASK_S`, by one request at a time, and never waited for long.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from typing import Any, Final

import httpx

from regime3.client import node_address
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.status.events import read_events
from regime3.status.machine_log import read
from regime3.status.reading import read_status

ASK_S: Final = 4.0
TIMEOUT_S: Final = 1.5
RANGES: Final = (3600, 86_400, 604_800, 0)
"""Seconds back that a page may ask of the node; 0: all that it keeps."""
POINTS: Final = 400
EVENTS: Final = ("out-of-memory", "worker-died")
EVENTS_MAX: Final = 200


class Boxes:
    """The two boxes of a lab."""

    def __init__(self, lab: Lab, settings: Settings, clock: Clock) -> None:
        self.lab, self.settings, self.clock = lab, settings, clock
        self.node = NodeView(lab, settings, clock)

    def system(self) -> dict[str, Any]:
        """Processor, memory and disk of each box; a box that says nothing has a `reason`."""
        return {
            "now": self.clock.now(),
            "trainer": self._trainer("system"),
            "node": self.node.ask("system", "system"),
        }

    def cards(self) -> dict[str, Any]:
        """Cards of each box; null: there is none. `simulated` ones say so."""
        return self._both("gpu")

    def memory(self, since: float, points: int) -> dict[str, Any]:
        """The trainer's box over time, with what ran out of memory and the budget learned."""
        try:
            status = read_status(self.lab)
        except Unavailable:
            status = None
        events = read_events(self.lab, limit=EVENTS_MAX)
        return {
            "now": self.clock.now(),
            "token_budget": status and status.token_budget,
            "memory_bytes": status and status.memory_bytes,
            "out_of_memory_total": status and status.out_of_memory_total,
            "events": [each for each in events if each.kind in EVENTS and each.time >= since],
            **read(self.lab, since, points),
        }

    def node_over_time(self, back: int) -> dict[str, Any]:
        """The node's box over one of `RANGES`, as the node kept it; a `reason` where it did not."""
        path = f"system/history?seconds={back}&points={POINTS}"
        told = self.node.ask(path, "over")
        nothing: dict[str, Any] = {"time": [], "figures": {}}
        return {
            "now": self.clock.now(), "at": told["at"], "reason": told["reason"], "events": [],
            **(told["over"] or nothing),
        }  # fmt: skip

    def _both(self, what: str) -> dict[str, Any]:
        return {
            "now": self.clock.now(),
            "trainer": self._trainer(what),
            "node": self.node.ask(what, what),
        }

    def _trainer(self, what: str) -> dict[str, Any]:
        try:
            status = read_status(self.lab)
        except Unavailable as problem:
            return {"at": None, "reason": problem.message, what: None}
        return {
            "at": status.timestamp,
            "reason": None,
            what: getattr(status, what),
            **({"device": status.device} if what == "gpu" else {}),
        }


class NodeView:
    """What the node says of itself, for everyone who looks: each address asked once in a while."""

    def __init__(self, lab: Lab, settings: Settings, clock: Clock) -> None:
        self.lab, self.settings, self.clock = lab, settings, clock
        self._asking: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._told: dict[str, tuple[float, dict[str, Any]]] = {}

    def ask(self, path: str, name: str) -> dict[str, Any]:
        """`at`, `reason` and under `name` the answer, a JSON object; null with a `reason`.

        What was said last, unless that is old and nobody asks already."""
        at_s, told = self._told.get(path, (float("-inf"), {"at": None, "reason": "not asked yet"}))
        asking = self._asking[path]
        if time.monotonic() - at_s >= ASK_S and asking.acquire(blocking=False):
            try:
                told = self._asked(path)
                self._told[path] = time.monotonic(), told
            finally:
                asking.release()
        return {"at": told["at"], "reason": told["reason"], name: told.get("body")}

    def _asked(self, path: str) -> dict[str, Any]:
        try:
            address, token = node_address(self.lab, self.settings)
        except Unavailable as problem:
            return {"at": None, "reason": f"{problem.message} (next: {problem.next_command})"}
        headers = {"authorization": f"Bearer {token}"} if token else {}
        try:
            with httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT_S) as client:
                body = client.get(f"/{path}").raise_for_status().json()
        except httpx.HTTPStatusError as error:
            return {"at": None, "reason": f"the node answers {error.response.status_code}"}
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return {"at": None, "reason": f"no node answers: {type(error).__name__}"}
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return {"at": None, "reason": "what answers there is no node"}
        return {"at": self.clock.now(), "reason": None, "body": body}
