"""What HTTP costs: the same requests to a real node over HTTP, and to an engine process directly.

Two nodes' worth of processes run: `r3 node` with the nano model, and a second engine behind an
`EngineLink` of our own. Each round gives both the same requests, 64 at a time, greedy; what is
compared is completion tokens a second. A stream is read to its end, event by event.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import httpx

from regime3.bench.requests import Item
from regime3.config import Node, Settings
from regime3.errors import Unavailable
from regime3.paths import Lab
from regime3.records import wire
from regime3.records.launch import engine_arguments
from regime3.serve.link import EngineLink, spawn_engine

CONCURRENT: Final = 64
START_S_MAX: Final = 120.0
STOP_S_MAX: Final = 30.0
MODEL: Final = "nano"

Ask = Callable[[Item], Awaitable[int]]
"""Has a request answered; how many tokens were written."""


def measure(folder: Path, slots: int, runs: list[list[Item]]) -> dict[str, list[float]]:
    """Tokens a second, direct, over HTTP and streamed, one figure a run; `folder` holds the
    model."""
    with _node(folder.parent / "lab", slots) as url:
        return asyncio.run(_rounds(url, folder, slots, runs))


async def _rounds(
    url: str, folder: Path, slots: int, runs: list[list[Item]]
) -> dict[str, list[float]]:
    node = Node(slots=slots, slots_reserved=0, device="cpu", threads=1)
    link = EngineLink(spawn_engine(engine_arguments(Settings(node=node))))
    limits = httpx.Limits(max_connections=CONCURRENT)
    await link.start()
    try:
        await link.load(MODEL, str(folder))
        async with httpx.AsyncClient(base_url=url, timeout=START_S_MAX, limits=limits) as client:
            ways = {
                "direct": lambda item: _directly(link, item),
                "http": lambda item: _whole(client, item),
                "stream": lambda item: _streamed(client, item),
            }
            for ask in ways.values():  # connections, caches, first shapes
                await _rate(ask, runs[0][:CONCURRENT])
            found: dict[str, list[float]] = {way: [] for way in ways}
            for items in runs:
                for way, ask in ways.items():
                    found[way].append(await _rate(ask, items))
            return found
    finally:
        await link.stop()


async def _rate(ask: Ask, items: list[Item]) -> float:
    """Tokens a second when so many workers take requests from one list."""
    left, written = iter(items), 0

    async def work() -> None:
        nonlocal written
        for item in left:
            tokens = await ask(item)
            written += tokens  # not in one line: it would be read before the wait

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(CONCURRENT)))
    return written / (time.perf_counter() - began)


async def _directly(link: EngineLink, item: Item) -> int:
    sampling = wire.Sampling(temperature=0.0, ignore_eos=True)
    ask = wire.Generate(0, MODEL, wire.Prompt(ids=item.prompt), 1, item.tokens, sampling)
    return sum(each.tokens for each in (await link.complete(ask)).samples)


async def _whole(client: httpx.AsyncClient, item: Item) -> int:
    answer = await client.post("/v1/completions", json=_body(item))
    answer.raise_for_status()
    return int(answer.json()["usage"]["completion_tokens"])


async def _streamed(client: httpx.AsyncClient, item: Item) -> int:
    body = _body(item) | {"stream": True, "stream_options": {"include_usage": True}}
    tokens = 0
    async with client.stream("POST", "/v1/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                usage = json.loads(line.removeprefix("data: ")).get("usage")
                tokens = usage["completion_tokens"] if usage else tokens
    return tokens


def _body(item: Item) -> dict[str, object]:
    return {
        "model": "default",
        "prompt": item.prompt,
        "max_tokens": item.tokens,
        "temperature": 0,
        "ignore_eos": True,
    }


@contextlib.contextmanager
def _node(root: Path, slots: int) -> Iterator[str]:
    """`r3 node` over an empty lab: its address."""
    lab = Lab(root)
    for folder in lab.folders():
        folder.mkdir(parents=True, exist_ok=True)
    lab.settings_file.write_text("", encoding="utf-8")
    settings = {"port": 0, "slots": slots, "slots_reserved": 0, "device": "cpu", "threads": 1}
    flags = [part for name, value in settings.items() for part in ("--set", f"node.{name}={value}")]
    process = subprocess.Popen(
        [sys.executable, "-m", "regime3", "node", "--lab", str(root), *flags],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield address_of(lab, START_S_MAX)
    finally:
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def address_of(lab: Lab, wait_s: float) -> str:
    """Where a lab's node answers, once it is ready. Raises `Unavailable` when it is not in time."""
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError, ValueError, httpx.TransportError):
            url = str(json.loads(lab.node_address_file.read_text(encoding="utf-8"))["url"])
            if httpx.get(f"{url.rstrip('/')}/ready").status_code == httpx.codes.OK:
                return url
        time.sleep(0.1)
    raise Unavailable("the node of the benchmark did not come up", "r3 node")
