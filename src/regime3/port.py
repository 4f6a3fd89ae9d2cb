"""The worker's end of the two pipes to its supervisor.

Orders are read by a thread and picked up by the training thread between windows; reports go out
at once. The end of the order pipe, or nobody left to read reports, means that the supervisor is
gone: `orphaned` is set and the worker seals and leaves.
"""

from __future__ import annotations

import os
import queue
import threading
from typing import Protocol

import msgspec

from regime3.records.messages import AnyOrder, AnyReport

_REPORTS = msgspec.json.Encoder()
_ORDERS = msgspec.json.Decoder(AnyOrder)


class Port(Protocol):
    """What the worker needs of its supervisor."""

    orphaned: bool

    def orders(self, wait_s: float = 0.0) -> list[AnyOrder]:
        """Orders that came since; waits for the first at most `wait_s`."""

    def send(self, report: AnyReport) -> None:
        """Tell the supervisor."""


class PipePort:
    """The real port, over two inherited descriptors."""

    def __init__(self, orders_descriptor: int, reports_descriptor: int) -> None:
        self.orphaned = False
        self._reports = reports_descriptor
        self._queue: queue.SimpleQueue[AnyOrder | None] = queue.SimpleQueue()
        thread = threading.Thread(target=self._listen, args=(orders_descriptor,), daemon=True)
        thread.start()

    def _listen(self, descriptor: int) -> None:
        with open(descriptor, "rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):  # a torn last line is a dying supervisor's
                    self._queue.put(_ORDERS.decode(line))
        self._queue.put(None)

    def orders(self, wait_s: float = 0.0) -> list[AnyOrder]:
        found: list[AnyOrder] = []
        while not self.orphaned:
            try:
                if wait_s > 0 and not found:
                    order = self._queue.get(timeout=wait_s)
                else:
                    order = self._queue.get_nowait()
            except queue.Empty:
                break
            if order is None:
                self.orphaned = True
            else:
                found.append(order)
        return found

    def send(self, report: AnyReport) -> None:
        data = _REPORTS.encode(report) + b"\n"
        try:
            while data:
                data = data[os.write(self._reports, data) :]
        except BrokenPipeError:
            self.orphaned = True


class FakePort:
    """A port for tests: orders are put in by hand, reports are kept."""

    def __init__(self, orders: list[AnyOrder] | None = None) -> None:
        self.orphaned = False
        self.waiting: list[AnyOrder] = list(orders or [])
        self.reports: list[AnyReport] = []

    def orders(self, wait_s: float = 0.0) -> list[AnyOrder]:
        found, self.waiting = self.waiting, []
        return found

    def send(self, report: AnyReport) -> None:
        self.reports.append(report)
