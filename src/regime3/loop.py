"""`r3 loop`: the lab improves itself. The one file that knows the order of that.

    seal ─► judge: ship, evaluate, compare ─► verdict ─► promote, hold or ask for a rollback
    queue low ─► forge: plan, ask the node for attempts, prove them ─► a shard in the inbox

Two threads, as a verdict takes minutes and the trainer must not run dry meanwhile. Neither holds
state of its own: both go by the lab's files, the node's HTTP API and requests to the trainer, so
this process may be killed at any moment and goes on where it was. A node that is away, a full disk,
a refused job: told once, tried again with growing pauses. It never imports torch.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Protocol

import httpx

from regime3 import disk
from regime3.client import Client, node_address
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import Regime3Error, Unavailable
from regime3.paths import Lab

RETRY_S, RETRY_S_MAX = 2.0, 120.0
NODE_S_MAX = 60.0
"""How long the first start of a node may take before we do without."""
STOP_S_MAX = 10.0
"""How long a turn may take to notice that it has to end; what it had begun is taken up again."""

Say = Callable[[str], None]


class Worker(Protocol):
    """A half of the loop."""

    def turn(self) -> float:
        """Do one piece of work; the seconds until the next. Raises `Regime3Error`, `OSError`."""


Make = Callable[[Client], Worker]


class Nobody(httpx.BaseTransport):
    """Stands where no node has ever run: a worker learns it as it would of one that is away."""

    def __init__(self, why: Unavailable) -> None:
        self._why = why

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Nobody is there."""
        raise httpx.ConnectError(self._why.message)


class Half:
    """One thread of the loop: turns of a worker, its troubles told once and waited out."""

    def __init__(
        self, name: str, lab: Lab, settings: Settings, make: Make, stop: threading.Event, say: Say
    ) -> None:
        self.name, self._lab, self._settings = name, lab, settings
        self._make, self._stop, self._say = make, stop, say
        self.crash: BaseException | None = None
        """Our own bug, which ends the process; whoever started it starts it anew."""
        self._trouble = ""
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        try:
            self._turns()
        except BaseException as error:  # told by whoever waits: `run` raises it
            self.crash = error
            self._stop.set()

    def _turns(self) -> None:
        """Turns until told to stop. A new client after trouble: the node may have moved."""
        pause = RETRY_S
        while not self._stop.is_set():
            try:
                client, known = self._client()
                with client:
                    worker = self._make(client)
                    while not self._stop.is_set():
                        wait_s = worker.turn()
                        pause = RETRY_S
                        self._tell_well()
                        self._stop.wait(wait_s)
                        if not known:
                            break  # a node may have come
            except (Regime3Error, OSError) as trouble:
                self._tell_trouble(str(trouble))
                self._stop.wait(pause)
                pause = min(2 * pause, RETRY_S_MAX)

    def _client(self) -> tuple[Client, bool]:
        """A client, and whether there is a node that it might reach."""
        try:
            return Client(*node_address(self._lab, self._settings)), True
        except Unavailable as unknown:
            if time.monotonic() - self._began_s < NODE_S_MAX:
                raise  # it may be starting beside us
            return Client("http://no-node.invalid", transport=Nobody(unknown)), False

    def _tell_trouble(self, text: str) -> None:
        if text != self._trouble:
            self._say(f"{self.name}: {text}")
        self._trouble = text

    def _tell_well(self) -> None:
        if self._trouble:
            self._say(f"{self.name}: goes on")
        self._trouble = ""


def run(lab: Lab, settings: Settings, say: Say) -> int:
    """Both halves until SIGTERM or SIGINT. Raises `LabLocked` beside another loop."""
    from regime3.forge import Forge
    from regime3.judge.judge import Judge

    clock = SystemClock()
    makers: dict[str, Make] = {}
    if settings.judge.on:
        makers["judge"] = lambda client: Judge(lab, settings, client, clock, say)
    if settings.forge.on:
        makers["forge"] = lambda client: Forge(lab, settings, client, clock)
    disk.make_folder(lab.loop)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with disk.Lock(lab.loop_lock, "the loop of this lab", f"pid {os.getpid()}"):
        halves = [Half(name, lab, settings, make, stop, say) for name, make in makers.items()]
        for half in halves:
            half.start()
        say(f"the loop runs: {', '.join(makers) or 'nothing is switched on'}")
        stop.wait()
        deadline = time.monotonic() + STOP_S_MAX
        for half in halves:
            half.join(max(0.0, deadline - time.monotonic()))
    for half in halves:
        if half.crash is not None:
            raise half.crash
    return 0
