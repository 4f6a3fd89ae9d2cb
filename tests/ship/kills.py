"""Kill -9 of the node while models are pushed: `python -m tests.ship.kills --kills 60`.

A pusher sends one model after another; the server process is killed at random moments and started
anew. In the end every model is registered with the bytes that were sent, and at no moment was a
folder in the models folder that does not verify.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import threading
import time
from pathlib import Path

from regime3.clock import SystemClock
from regime3.paths import Lab
from regime3.registry import Registry, verify
from regime3.ship import push as pushing
from regime3.ship.export import export_folder
from regime3.ship.push import Node, Pushed, send_folder
from tests.registry.folders import a_folder
from tests.ship.node import a_free_port, start

ALIVE_S = (0.0, 0.4)
"""How long a server lives once it answers."""
MODEL_BYTES = 24 << 20


class Pusher(threading.Thread):
    """Pushes model after model until told to stop; finishes the one in hand."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(daemon=True)
        self.root, self.url = root, url
        self.enough = threading.Event()
        self.pushed: list[Pushed] = []
        self.trouble: BaseException | None = None

    def run(self) -> None:
        # A kill must hit a push at work, not one that rests after the last kill.
        pushing.PAUSE_S = pushing.PAUSE_S_MAX = 0.02
        try:
            while not self.enough.is_set():
                number = len(self.pushed)
                folder = self.root / f"export-{number}"
                source = a_folder(self.root / f"source-{number}", number, MODEL_BYTES)
                export_folder(source, folder, None)
                with Node(self.url) as node:
                    self.pushed.append(send_folder(folder, f"m{number}", node))
        except BaseException as error:
            self.trouble = error


def check(lab: Lab) -> int:
    """Every folder that could be loaded is a whole model; returns how many there are."""
    folders = [path for path in lab.node_models.glob("[!.]*")]
    for folder in folders:
        assert verify(folder, hashes=True).written
    return len(folders)


def kills(root: Path, wanted: int, seed: int = 0, until_s: float = 1e9) -> tuple[int, list[Pushed]]:
    """Kill so many times, or for so long; returns kills and what was pushed."""
    lab, port, rng = Lab(root / "lab"), a_free_port(), random.Random(seed)
    lab.node_models.mkdir(parents=True)
    pusher = Pusher(root, f"http://127.0.0.1:{port}")
    pusher.start()
    done, deadline = 0, time.monotonic() + until_s
    while done < wanted and time.monotonic() < deadline:
        process = start(lab, port)
        time.sleep(rng.uniform(*ALIVE_S))
        process.kill()
        process.join()
        done += 1
        check(lab)
        assert pusher.trouble is None, pusher.trouble
    process = start(lab, port)
    pusher.enough.set()
    pusher.join(120)
    process.terminate()
    process.join()
    assert pusher.trouble is None, pusher.trouble
    registry = Registry(lab, SystemClock())
    assert check(lab) == len(pusher.pushed) == len(registry.list())
    for pushed in pusher.pushed:
        assert registry.get(pushed.id).manifest_sha256 == pushed.manifest_sha256
    return done, pusher.pushed


def main() -> None:
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--kills", type=int, default=60)
    given.add_argument("--seed", type=int, default=0)
    asked = given.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        done, pushed = kills(Path(folder), asked.kills, asked.seed)
    again = sum(max(0, item.sent_bytes - item.size_bytes) for item in pushed)
    size = sum(item.size_bytes for item in pushed)
    print(
        f"{done} kills, {len(pushed)} models whole, {size / 1e6:.0f} MB, "
        f"{again / 1e6:.1f} MB sent again, {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()
