"""The worker as seen from its supervisor: start, talk, listen, and end it.

Its standard output and error go to `logs/worker.log`; reports arrive over a pipe of their own, so
a library that prints never disturbs them.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping

import msgspec

from regime3.clock import Clock
from regime3.paths import Lab
from regime3.records.messages import AnyOrder, AnyReport

_ORDERS = msgspec.json.Encoder()
_REPORTS = msgspec.json.Decoder(AnyReport)
SLOW_STATES = frozenset({"loading", "rehearsing", "sealing"})


class WorkerProcess:
    """One life of the worker. `last_sign` is monotonic seconds of its last report."""

    def __init__(self, lab: Lab, clock: Clock, flags: Mapping[str, str], care: list[str]) -> None:
        self.clock = clock
        self.state = "loading"
        self.started = self.last_sign = clock.monotonic()
        self._queue: queue.SimpleQueue[AnyReport] = queue.SimpleQueue()
        orders_read, self._orders = os.pipe()
        reports_read, reports_write = os.pipe()
        command = [sys.executable, "-m", "regime3.worker", "--lab", str(lab.root)]
        command += ["--orders-fd", str(orders_read), "--reports-fd", str(reports_write)]
        for key, value in flags.items():
            command += ["--set", f"{key}={value}"]
        with open(lab.log_file("worker"), "ab") as log:
            self.process = subprocess.Popen(
                [*command, *care],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(orders_read, reports_write),
                start_new_session=True,  # the terminal's Ctrl-C is for the supervisor alone
            )
        os.close(orders_read)
        os.close(reports_write)
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, args=(reports_read,), daemon=True)
        self._talker = threading.Thread(target=self._talk, daemon=True)
        self._listener.start()
        self._talker.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def _listen(self, descriptor: int) -> None:
        with open(descriptor, "rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a torn last line died with its writer
                    self._queue.put(_REPORTS.decode(line))

    def reports(self, wait_s: float) -> list[AnyReport]:
        """Reports since last asked; waits for the first at most `wait_s`."""
        found: list[AnyReport] = []
        try:
            found.append(
                self._queue.get(timeout=wait_s) if wait_s > 0 else self._queue.get_nowait()
            )
            while True:
                found.append(self._queue.get_nowait())
        except queue.Empty:
            pass
        if found:
            self.last_sign = self.clock.monotonic()
        return found

    def send(self, order: AnyOrder) -> None:
        """Give an order; never blocks, even on a worker that has stopped reading."""
        self._outbox.put(_ORDERS.encode(order) + b"\n")

    def _talk(self) -> None:
        while (data := self._outbox.get()) is not None:
            try:
                while data:
                    data = data[os.write(self._orders, data) :]
            except BrokenPipeError:
                break  # the worker is gone; `ended` says so
        os.close(self._orders)

    def ended(self) -> int | None:
        """Its exit status once it has ended: negative is a signal; else None."""
        return self.process.poll()

    def silent_s(self) -> float:
        """Seconds since the last sign of life."""
        return self.clock.monotonic() - self.last_sign

    def ask_to_leave(self) -> None:
        """SIGTERM: seal and leave after the current window."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait: nothing of it is left running."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def last_reports(self) -> list[AnyReport]:
        """After its end: everything it still said, then the pipes are closed."""
        self._listener.join()
        self._outbox.put(None)
        self._talker.join()
        found = []
        while not self._queue.empty():
            found.append(self._queue.get())
        return found


def how_it_ended(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with exit code {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"
