"""Admission in a thread of the supervisor, so that a huge file never holds up a heartbeat."""

from __future__ import annotations

import queue
import threading

from regime3.errors import DiskFull, ModelError
from regime3.spool import Admission, Spool


class AdmissionThread:
    """Looks at the inbox every `poll_s`; what it admitted or refused waits in `finished`."""

    def __init__(self, spool: Spool, poll_s: float) -> None:
        self._spool, self._poll_s = spool, poll_s
        self._stop = threading.Event()
        self._wake = threading.Event()
        self.finished: queue.SimpleQueue[Admission] = queue.SimpleQueue()
        self.error: BaseException | None = None
        self.rounds = 0
        """Complete looks at the inbox."""
        self.trouble: str | None = None
        """Why the last look took nothing in."""
        self._thread = threading.Thread(target=self._run, name="admission", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._admit()
                self._wake.wait(self._poll_s)
                self._wake.clear()
        except BaseException as error:  # handed to the main thread, which ends the supervisor
            self.error = error

    def _admit(self) -> None:
        """One look. A full disk, an unreadable folder or a damaged codebook is no reason to end:
        what was begun is taken up by the next look."""
        try:
            for admission in self._spool.admit_once(should_stop=self._stop.is_set):
                self.finished.put(admission)
            self.rounds += 1
            self.trouble = None
        except (DiskFull, ModelError, OSError) as error:
            self.trouble = str(error)

    def take(self) -> list[Admission]:
        """Admissions finished since last asked; raises what killed the thread."""
        if self.error is not None:
            raise self.error
        found = []
        while not self.finished.empty():
            found.append(self.finished.get())
        return found

    def stop(self) -> None:
        """End the thread; an admission under way is left for the next start to recover."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
