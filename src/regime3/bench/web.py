"""`r3 bench web`: the viewer over five million steps, in a real browser.

    r3 bench web              # needs Playwright (extra bench) and a Chromium

A history of five million steps with one spike of a single step is written as the history's own
files, `r3 web` serves it as a process of its own, and a Chromium looks at it: how soon it paints,
how much goes over the wire before anybody touches it, how long any zoom takes the server and
whether the spike is in it, how long a step takes from the trainer's report to the page's text,
whether a day of updates makes the page grow, and what fifty viewers cost a training step.
"""

from __future__ import annotations

import contextlib
import json
import math
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from regime3.bench.browser import FLAGS, find
from regime3.bench.long_history import SPIKE, SPIKE_AT, STEP_S, STEPS, write_history
from regime3.bench.status import nano_step
from regime3.bench.telling import rounds
from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.records.messages import Ready, StepDone
from regime3.records.status import QueueFile, QueueState
from regime3.status.board import StatusBoard

POINTS = 800
START_S_MAX = 60.0
LIVE_STEP_S = 0.3
VIEWERS = 50
DAY_UPDATES = 172_800
"""Status files of a day: two a second."""

MEANING = {
    "first_paint_ms_5m_steps": "first contentful paint; 1,000 wanted",
    "curve_drawn_ms_5m_steps": "until the loss of all five million steps is drawn",
    "wire_kb": "all that went over the wire before anybody touched the page; 200 wanted",
    "zoom_server_ms": "median answer for a stretch of any length, loopback included; 100 wanted",
    "zoom_server_ms_p95": "the same, all but the slowest twentieth",
    "spike_visible_percent": "zooms from all steps down to ten in which a one-step spike is seen",
    "step_to_pixel_p95_ms": "from the trainer's report to the step in the page; 1,000 wanted",
    "day_growth_kb": "JavaScript heap after the updates, over what it was after a tenth of them",
    "day_updates": "how many updates that was; a day has 172,800",
    "trainer_cost_percent_50_viewers": "nano step with 50 listening viewers over none; 1 wanted",
    "server_core_percent_50_viewers": "of one core that the server then uses",
}


def run(quick: bool) -> dict[str, Any]:
    """Figures, their smallest and largest, and what they mean."""
    executable = _chromium()
    runs = 3 if quick else 9
    measured: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="regime3-bench-") as folder:
        lab = Lab(Path(folder))
        _say(f"writing {STEPS:,} steps")
        write_history(lab)
        trainer = _Trainer(lab)
        trainer.report()
        with _serving(lab) as (url, server):
            zooms = 100 if quick else 1000
            measured["zoom_server_ms"] = _zooms(url, zooms)
            seen = _spikes(url)
            with _browser(executable) as browser:
                for _ in rounds(runs, "web: page"):
                    for name, value in _opened(browser, url).items():
                        measured.setdefault(name, []).append(value)
                _say("steps to pixels")
                pixels = _pixels(browser, url, trainer, 100 if quick else 400)
                updates = DAY_UPDATES // 20 if quick else DAY_UPDATES
                _say(f"{updates:,} updates")
                growth = _growth(browser, url, updates)
            costs, busy = _cost(url, server, trainer, runs)
            measured["trainer_cost_percent_50_viewers"] = costs
            measured["server_core_percent_50_viewers"] = busy
    figures: dict[str, float] = {name: statistics.median(found) for name, found in measured.items()}
    figures["zoom_server_ms_p95"] = _p95(measured["zoom_server_ms"])
    figures["spike_visible_percent"] = seen
    figures["step_to_pixel_p95_ms"] = _p95(pixels)
    figures |= {"day_growth_kb": growth, "day_updates": updates}
    measured["step_to_pixel_p95_ms"] = pixels
    return {
        "figures": figures,
        "spread": {name: (min(values), max(values)) for name, values in measured.items()},
        "runs": runs,
        "notes": [
            "the viewers of the last figure listen on this machine too, and cost it as clients"
        ],
        "meaning": MEANING,
    }


def _chromium() -> str:
    try:
        import playwright  # noqa: F401
    except ImportError:
        raise Unavailable("Playwright is not installed", "pip install 'regime3[bench]'") from None
    found = find()
    if found is None:
        raise Unavailable("there is no Chromium", "playwright install chromium")
    return found


def _say(what: str) -> None:
    print(f"web: {what}", file=sys.stderr, flush=True)


def _p95(values: list[float]) -> float:
    return float(np.quantile(values, 0.95)) if values else math.nan


# ------------------------------------------------------------------------------- the trainer


class _Trainer:
    """A board that goes on after the last step of the history."""

    def __init__(self, lab: Lab) -> None:
        self.board = StatusBoard(lab, Settings(), FakeClock(time.time()))
        self.clock = self.board.clock
        self.board.begin(STEPS - 1)
        files = [QueueFile("a" * 32, "forge-000001", "normal", 10**7)]
        self.board.update(queue=QueueState(files, 1, rows_admitted=10**7, rows_left=10**7))
        self.board.take(Ready(0, STEPS - 1, "cuda:0", 596_049_920, "Qwen3-0.6B", 4096, 19_456, 2))
        self.step = STEPS - 1

    def report(self) -> None:
        """One step more, and the status file if it is due, by the wall's clock."""
        self.step += 1
        self.clock.advance(time.time() - self.clock.now())  # type: ignore[attr-defined]
        self.board.take(
            StepDone(
                self.step, 0.42, 2e-5, 0.6, 24, 26, 15_900, 16_200, 7_300, STEP_S, 0.0, 3, 19_456,
                "a" * 32, 24 * (self.step - STEPS), None, 20, 180,
            )
        )  # fmt: skip
        self.board.write_if_due(self.clock.now())


# -------------------------------------------------------------------------------- the server


@contextlib.contextmanager
def _serving(lab: Lab) -> Iterator[tuple[str, psutil.Process]]:
    """`r3 web` as a process of its own; its address."""
    lab.settings_file.write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "regime3", "web", "--lab", str(lab.root)]
    server = subprocess.Popen([*command, "--set", "web.port=0"], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S_MAX
        while not lab.web_address_file.exists():
            if server.poll() is not None or time.monotonic() > deadline:
                raise Unavailable("the viewer did not start", "r3 web")
            time.sleep(0.05)
        url = json.loads(lab.web_address_file.read_bytes())["url"].rstrip("/")
        yield url, psutil.Process(server.pid)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _ask(http: httpx.Client, first: int, last: int) -> tuple[float, dict[str, Any]]:
    metrics = (  # as the page asks
        "loss:min:max:mean,loss_smoothed:last,validation_loss:last,tokens_per_sec:min:max:mean,"
        "supervised_per_sec:mean"
    )
    query: dict[str, Any] = {"metric": metrics, "first": first, "last": last, "points": POINTS}
    started = time.perf_counter()
    answer = http.get("/api/history", params=query)
    took = 1e3 * (time.perf_counter() - started)
    found: dict[str, Any] = answer.raise_for_status().json()
    return took, found


def _zooms(url: str, count: int) -> list[float]:
    """Milliseconds of stretches of every length, anywhere."""
    draw = random.Random(0)
    with httpx.Client(base_url=url, timeout=60.0) as http:
        found = []
        for _ in range(count):
            width = int(10 ** draw.uniform(1, np.log10(STEPS)))
            first = draw.randrange(1, STEPS - width + 2)
            found.append(_ask(http, first, first + width - 1)[0])
    return found


def _spikes(url: str) -> float:
    """Percent of zooms around the spike, ever closer, in which it is seen."""
    seen = []
    width: float = STEPS
    with httpx.Client(base_url=url, timeout=60.0) as http:
        while width >= 10:
            first = max(1, int(SPIKE_AT - width / 2))
            answer = _ask(http, first, int(first + width))[1]
            highest = max(value or 0.0 for value in answer["metrics"]["loss"]["max"])
            seen.append(highest == SPIKE and len(answer["step"]) <= POINTS)
            width /= 1.5
    return float(100 * sum(seen) / len(seen))


# ------------------------------------------------------------------------------- the browser


@contextlib.contextmanager
def _browser(executable: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield browser
        browser.close()


DRAWN = """() => {
  const canvas = document.querySelector('#plot-loss canvas');
  if (!canvas || !canvas.width) return false;
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let inked = 0;
  for (let at = 3; at < data.length; at += 4) inked += data[at] > 0;
  return inked > 2000;
}"""
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
WATCH = """
window.seenSteps = [];
document.addEventListener('DOMContentLoaded', () => {
  const shown = document.getElementById('step');
  new MutationObserver(() => {
    const step = parseInt(shown.firstChild.textContent.replace(/[^0-9]/g, ''), 10);
    requestAnimationFrame(() => window.seenSteps.push([step, Date.now()]));
  }).observe(shown, { childList: true, characterData: true, subtree: true });
});
"""
FEED = """
window.EventSource = class {
  constructor() { this.heard = {}; window.told = this; }
  addEventListener(name, act) { this.heard[name] = act; }
  close() {}
};
"""
PUSH = """async ([from, count]) => {
  const live = await (await fetch('/api/live')).json();
  for (let at = from; at < from + count; at += 1) {
    live.status.sequence += 1;
    live.status.current_step += 1;
    live.status.timestamp += 0.5;
    live.status.loss = live.status.streaming_ce = 0.4 + 0.1 * Math.sin(at);
    live.now += 0.5;
    window.told.heard.live({ data: JSON.stringify(live) });
    if (at % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  }
}"""


def _page(browser: Any, script: str = "") -> Any:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, reduced_motion="reduce")
    page = context.new_page()
    page.add_init_script(script)
    return page


def _opened(browser: Any, url: str) -> dict[str, float]:
    """A first visit, nothing cached: paint, curve, and bytes on the wire."""
    page = _page(browser)
    wire = [0]
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    sizes: dict[str, int] = {}

    def count(event: dict[str, Any]) -> None:
        sizes[event["requestId"]] = int(event["encodedDataLength"])

    def more(event: dict[str, Any]) -> None:
        wire[0] += int(event.get("encodedDataLength", 0))

    session.on("Network.loadingFinished", count)
    session.on("Network.dataReceived", more)
    started = time.perf_counter()
    page.goto(url, wait_until="commit")
    while not page.evaluate(DRAWN):
        time.sleep(0.01)
    drawn = 1e3 * (time.perf_counter() - started)
    page.wait_for_timeout(500)
    paint = page.evaluate(PAINT)
    finished = sum(sizes.values())
    page.context.close()
    return {
        "first_paint_ms_5m_steps": float(paint),
        "curve_drawn_ms_5m_steps": drawn,
        "wire_kb": max(finished, wire[0]) / 1e3,
    }


def _pixels(browser: Any, url: str, trainer: _Trainer, steps: int) -> list[float]:
    """Milliseconds from each step's report to the first frame that shows it or a later one."""
    page = _page(browser, WATCH)
    page.goto(url)
    page.wait_for_timeout(1500)
    taken: list[tuple[int, float]] = []
    ended = threading.Event()

    def train() -> None:
        for _ in range(steps):
            trainer.report()
            taken.append((trainer.step, 1e3 * time.time()))
            time.sleep(LIVE_STEP_S)
        ended.set()

    thread = threading.Thread(target=train)
    thread.start()
    while not ended.is_set():
        page.wait_for_timeout(200)
    thread.join()
    page.wait_for_timeout(2000)
    seen = page.evaluate("() => window.seenSteps")
    page.context.close()
    found = []
    for step, at in taken:
        shown = [when for other, when in seen if other >= step]
        if shown:  # the last steps may wait for a status file that is not due any more
            found.append(max(0.0, min(shown) - at))
    return found


def _growth(browser: Any, url: str, updates: int) -> float:
    """Kilobytes by which the page's heap grows, after the first tenth of the updates."""
    page = _page(browser, FEED)
    page.goto(url)
    page.wait_for_timeout(1500)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def heap() -> float:
        session.send("HeapProfiler.collectGarbage")
        found = session.send("Performance.getMetrics")["metrics"]
        return next(float(each["value"]) for each in found if each["name"] == "JSHeapUsedSize")

    tenth = updates // 10
    page.evaluate(PUSH, [0, tenth])
    before = heap()
    for part in range(1, 10):
        page.evaluate(PUSH, [part * tenth, tenth])
    after = heap()
    page.context.close()
    return (after - before) / 1e3


# ------------------------------------------------------------------------------- the viewers


def _cost(
    url: str, server: psutil.Process, trainer: _Trainer, runs: int
) -> tuple[list[float], list[float]]:
    """Percent by which a step takes longer while fifty listen, rounds with and without in turn;
    and percent of a core that the server then uses.

    The step runs on one thread, as a trainer's does, and reports to the board as it goes."""
    import torch

    torch.set_num_threads(1)
    step = nano_step()
    step()
    found, busy = [], []
    for number in rounds(2 * runs, "web: viewers"):
        spent = {}
        for listening in (number % 2 == 0, number % 2 == 1):
            with _listening(url, VIEWERS) if listening else contextlib.nullcontext():
                before, began = sum(server.cpu_times()[:2]), time.monotonic()
                spent[listening] = _step_s(step, trainer)
                used, took = sum(server.cpu_times()[:2]) - before, time.monotonic() - began
                if listening:
                    busy.append(100 * used / took)
        found.append(100 * (spent[True] / spent[False] - 1))
    return found, busy


def _step_s(step: Any, trainer: _Trainer, count: int = 10) -> float:
    spent = []
    for _ in range(count):
        started = time.perf_counter()
        step()
        trainer.report()
        spent.append(time.perf_counter() - started)
    return statistics.median(spent)


@contextlib.contextmanager
def _listening(url: str, count: int) -> Iterator[None]:
    """So many viewers on the stream, in a process of their own."""
    host, port = url.removeprefix("http://").split(":")
    code = (
        "import selectors, socket, sys\n"
        "picker = selectors.DefaultSelector()\n"
        "for _ in range(int(sys.argv[3])):\n"
        "    s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "    s.sendall(f'GET /api/stream HTTP/1.1\\r\\nHost: {sys.argv[1]}:{sys.argv[2]}\\r\\n'\n"
        "              'Accept-Encoding: gzip\\r\\n\\r\\n'.encode())\n"
        "    picker.register(s, selectors.EVENT_READ)\n"
        "print('all', flush=True)\n"
        "while True:\n"
        "    for key, _ in picker.select():\n"
        "        if not key.fileobj.recv(65536):\n"
        "            picker.unregister(key.fileobj)\n"
    )
    command = [sys.executable, "-c", code, host, port, str(count)]
    viewers = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert viewers.stdout is not None and viewers.stdout.readline()
        time.sleep(0.5)
        yield
    finally:
        viewers.kill()
        viewers.wait()
