"""The engine's process: reads asks, steps the engine, sends what each step tells, shows life.

One frame a step, whatever the batch. While the engine is idle the process sleeps on its socket. A
thread sends a `Pulse` from the very start, while torch is imported too, and falls silent when a
step takes too long: silence is how the node knows that an engine hangs. The end of the socket ends
the process. An exception in a step is the engine's to sort out; one that it cannot sort out ends
the process, and the node starts another.
"""

from __future__ import annotations

import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable

from regime3.engine.base import Engine
from regime3.records import wire

PULSE_S = 0.5
STALL_S_MAX = 60.0
"""A step that takes longer is no life: pulses stop."""
START_S_MAX = 600.0
"""The same for what comes before the first step: imports, and the device's beginning."""
READ_BYTES = 1 << 20
BROKEN_STEPS_MAX = 20
"""Steps in a row that raise; then the process gives up."""


class Gone(Exception):
    """The node's end of the socket is closed."""


class Process:
    """One engine behind one end of a socket pair."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._engine: Engine | None = None
        self._beat_s = time.monotonic()
        self._patience_s = START_S_MAX
        self._received = bytearray()
        self._left = threading.Event()
        self._broken = 0

    def run(self, make: Callable[[], Engine]) -> None:
        """Make the engine and serve until the other end is gone."""
        threading.Thread(target=self._pulses, daemon=True).start()
        try:
            engine = make()
            self._beat_s, self._patience_s = time.monotonic(), STALL_S_MAX
            self._engine = engine
            while True:
                self._hear(engine)
                self._beat_s = time.monotonic()
                self._send(self._stepped(engine))
        except (Gone, ConnectionError):
            return
        finally:
            self._left.set()

    def _stepped(self, engine: Engine) -> list[wire.AnyTell]:
        try:
            told = engine.step()
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            self._broken += 1
            if self._broken > BROKEN_STEPS_MAX:
                raise
            engine.broke(error)
            return engine.tell()
        self._broken = 0
        return told

    # ------------------------------------------------------------------------- the socket

    def _hear(self, engine: Engine) -> None:
        """Take in all asks that have come; wait for one if the engine has nothing to do."""
        wait_s = 0.0 if engine.told else engine.wait_s
        while True:
            self._beat_s = time.monotonic()
            until = PULSE_S if wait_s is None else min(wait_s, PULSE_S)
            if select.select([self._socket], [], [], until)[0]:
                self._read(engine)
                wait_s = 0.0
            elif wait_s is not None:
                return

    def _read(self, engine: Engine) -> None:
        piece = self._socket.recv(READ_BYTES)
        if not piece:
            raise Gone
        received = self._received
        received += piece
        while len(received) >= 4:
            end = 4 + wire.length_of(bytes(received[:4]))
            if len(received) < end:
                return
            ask = wire.read_ask(bytes(received[4:end]))
            del received[:end]
            try:
                engine.take(ask)
            except Exception as error:
                traceback.print_exc(file=sys.stderr)
                message = f"{type(error).__name__}: {error}"
                engine.told.append(wire.Failed(ask.id, 500, "engine_error", message))

    def _send(self, tells: list[wire.AnyTell]) -> None:
        if tells:
            frame = wire.tells_frame(tells)
            with self._sending:
                self._socket.sendall(frame)

    # ------------------------------------------------------------------------- the thread

    def _pulses(self) -> None:
        """A sign of life twice a second, as long as there is life."""
        while not self._left.is_set():
            if time.monotonic() - self._beat_s < self._patience_s:
                engine = self._engine
                pulse = wire.Pulse(0, 0, 0, 0, 0, 0) if engine is None else engine.pulse()
                try:
                    self._send([pulse])
                except OSError:
                    return  # the main thread finds out by itself
            self._left.wait(PULSE_S)


def serve(descriptor: int, make: Callable[[], Engine]) -> None:
    """Serve on an inherited socket."""
    with socket.socket(fileno=descriptor) as end:
        Process(end).run(make)
