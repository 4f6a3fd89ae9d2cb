"""Pushing seals to the node in a thread of the supervisor: training never waits for a network.

The newest seal wins: one that was sealed while another was on its way is pushed next, those between
never. Trouble is told once for each seal and tried again with growing pauses; nothing is lost by a
stop, as a push goes on where it was cut. Does nothing while `node.push_to` is empty.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from regime3.config import Node as Settings
from regime3.errors import Regime3Error
from regime3.paths import Lab
from regime3.records.checkpoint import Seal

if TYPE_CHECKING:
    from regime3.ship.push import Pushed

RETRY_S, RETRY_S_MAX = 5.0, 600.0
STOP_S_MAX = 2.0


@dataclass(frozen=True)
class Outcome:
    """What became of a push, as a sentence."""

    done: bool
    text: str


class PushThread:
    """Pushes what it is offered, the newest only."""

    def __init__(self, lab: Lab, settings: Settings) -> None:
        self._lab, self._settings = lab, settings
        self._offered: tuple[Seal, bool] | None = None
        self._in_hand: int | None = None
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._wake, self._stop = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, seal: Seal, *, activate: bool = True) -> None:
        """Push this one next. `activate` False leaves the node's champion as it is."""
        if not self._settings.push_to:
            return
        with self._lock:
            self._offered = (seal, activate and self._settings.push_activate)
        self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="push", daemon=True)
            self._thread.start()

    def needed(self) -> Collection[int]:
        """Seals that are being read, or about to be."""
        with self._lock:
            offered = None if self._offered is None else self._offered[0].number
            return {number for number in (self._in_hand, offered) if number is not None}

    def take(self) -> list[Outcome]:
        """What happened since last asked."""
        found = []
        while not self._outcomes.empty():
            found.append(self._outcomes.get())
        return found

    def stop(self) -> None:
        """Start nothing more. A push under way is left; the next one resumes it."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_S_MAX)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            with self._lock:
                offered, self._offered = self._offered, None
                self._in_hand = offered[0].number if offered is not None else None
            if offered is not None:
                self._insist(*offered)
                self._in_hand = None

    def _insist(self, seal: Seal, activate: bool) -> None:
        """Until it is there, a newer one is offered, or the lab stops."""
        pause, told = RETRY_S, False
        while self._offered is None and not self._stop.is_set():
            try:
                pushed = self._push(seal, activate)
            except (Regime3Error, OSError) as trouble:
                if not told:
                    self._say(False, f"Checkpoint {seal.number} is not pushed yet: {trouble}")
                told = True
                self._wake.wait(pause)
                pause = min(2 * pause, RETRY_S_MAX)
                continue
            if pushed.sent_bytes or activate:
                took_s = pushed.export_s + pushed.transfer_s
                self._say(True, f"Checkpoint {seal.number} is on the node, in {took_s:.1f} s")
            return

    def _push(self, seal: Seal, activate: bool) -> Pushed:
        from regime3.ship.push import Node, push  # most labs push nowhere and start sooner

        with Node(self._settings.push_to, self._settings.push_token) as node:
            return push(self._lab, seal, node, activate=activate)

    def _say(self, done: bool, text: str) -> None:
        self._outcomes.put(Outcome(done, text))
