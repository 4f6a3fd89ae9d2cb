"""The HTTP process' end of the engine: starts it, asks it, hears it, brings it back.

    link = EngineLink(spawn, restarts_max=5)
    await link.start()
    whole = await link.complete(Generate(0, "nano", Prompt(text="2+2="), max_tokens=8))

The engine is another process behind a socket pair. When it dies, every open ask fails with 503
and `Retry-After`, the process is started anew with growing pauses, and what it held is loaded
again: the HTTP side stays up all the while. A death without any answer since the last one counts;
too many and the engine is left dead, which `state` says. A model that does not load again is tried
so many times, with growing pauses, and is then `lost` until somebody loads it or the engine begins
anew. It knows neither HTTP nor models' files.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from socket import AF_UNIX, SOCK_STREAM, socket, socketpair
from typing import TypeVar

import msgspec

from regime3.errors import NodeRefused
from regime3.records import wire
from regime3.records.answers import Whole, Written

BACKOFF_S, BACKOFF_S_MAX = 0.2, 10.0
RELOADS_MAX = 6
"""Tries to load a model again after a restart; the pauses between make a minute of it."""
RELOAD_PAUSE_S, RELOAD_PAUSE_S_MAX = 2.0, 30.0
SILENCE_S_MAX = 120.0
"""An engine whose last sign of life is older than this hangs: it is killed and started anew."""
STOP_S_MAX = 5.0
RETRY_AFTER_S = 2.0

T = TypeVar("T", bound=wire.Tell)
Spawn = Callable[[socket], subprocess.Popen[bytes]]
"""Starts an engine process that talks over the given end."""


def spawn_engine(arguments: list[str]) -> Spawn:
    """`python -m regime3.engine`, with the descriptor of its end as the first argument."""

    def spawn(theirs: socket) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "regime3.engine", str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    return spawn


@dataclass
class _Held:
    """A model that the engine was asked to hold."""

    folder: str
    card: wire.ModelCard | None = None
    back: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it is loaded."""
    trouble: str = ""
    """Why it is lost; empty while it is loaded or tried."""


class EngineLink:
    """One engine process, kept alive. Use from one event loop."""

    def __init__(
        self, spawn: Spawn, restarts_max: int = 5, *, reload_pause_s: float = RELOAD_PAUSE_S
    ) -> None:
        self.state = "starting"
        """starting, up, restarting, dead or stopped."""
        self.pulse: wire.Pulse | None = None
        self.restarts = 0
        self.on_restart: list[Callable[[], None]] = []
        self.on_first_token: Callable[[float], None] = _unheard
        """Told how many seconds a request waited for its first token."""
        self.on_token: Callable[[float], None] = _unheard
        """Told the seconds from one token of a sample to the next."""
        self._spawn, self._restarts_max = spawn, restarts_max
        self._reload_pause_s = reload_pause_s
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Queue[wire.AnyTell]] = {}
        self._held: dict[str, _Held] = {}
        self._reloading = asyncio.Lock()
        """One at a time: a model's share of memory is measured when it has been loaded."""
        self._slots: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._heard_s = 0.0
        self._answered = False
        self._runner: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    # --------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Start the engine and mind it until `stop`."""
        self._runner = asyncio.create_task(self._run())
        await self._up.wait()

    async def stop(self) -> None:
        """End the engine; open asks fail."""
        self.state = "stopped"
        if self._runner is not None:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner
        await self._end_process()
        self._fail_open("the node is stopping")

    @property
    def pid(self) -> int | None:
        """Of the engine process."""
        return None if self._process is None else self._process.pid

    async def _run(self) -> None:
        backoff, barren = BACKOFF_S, 0
        while True:
            self._answered = False
            await self._one_life()
            self._fail_open("the engine ended and is being started again")
            for held in self._held.values():
                held.back.clear()
                held.trouble = ""
            barren = 0 if self._answered else barren + 1
            if barren > self._restarts_max:
                self.state = "dead"
                self._up.set()
                return
            self.state = "restarting"
            self.restarts += 1
            for tell in self.on_restart:
                tell()
            backoff = BACKOFF_S if self._answered else min(2 * backoff, BACKOFF_S_MAX)
            await asyncio.sleep(backoff)

    async def _one_life(self) -> None:
        """One engine process, from its start until it is gone."""
        ours, theirs = socketpair(AF_UNIX, SOCK_STREAM)
        try:
            with theirs:
                self._process = self._spawn(theirs)
            reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
            self._heard_s = time.monotonic()
            reload = asyncio.create_task(self._load_again())
            watch = asyncio.create_task(self._watch())
            try:
                await self._hear(reader)
            finally:
                for task in (reload, watch):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError, NodeRefused):
                        await task
        finally:
            await self._end_process()

    async def _hear(self, reader: asyncio.StreamReader) -> None:
        """Hand out what the engine tells until its end of file."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = wire.length_of(await reader.readexactly(4))
                for tell in wire.read_tells(await reader.readexactly(length)):
                    self._take(tell)
                self._heard_s = time.monotonic()

    def _take(self, tell: wire.AnyTell) -> None:
        if isinstance(tell, wire.Pulse):
            self.pulse = tell
            if self.state != "up":
                self.state = "up"
                self._up.set()
            return
        self._answered = True
        inbox = self._open.get(tell.id)
        if inbox is not None:
            inbox.put_nowait(tell)

    async def _watch(self) -> None:
        """Kill an engine that has been silent for too long."""
        while time.monotonic() - self._heard_s < SILENCE_S_MAX:
            await asyncio.sleep(1.0)
        if self._process is not None:
            self._process.kill()

    async def _load_again(self) -> None:
        """After a restart: what it held before; what fails again and again is lost."""
        if self._slots is not None:
            await self.limit(self._slots)
        before = list(self._held.items())
        await asyncio.gather(*[self._bring_back(name, held) for name, held in before])

    async def _bring_back(self, name: str, held: _Held) -> None:
        """Load a model that was held, in as many tries as it gets."""
        pause_s, why = self._reload_pause_s, ""
        for number in range(RELOADS_MAX):
            if number:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, RELOAD_PAUSE_S_MAX)
            if self._held.get(name) is not held:
                return  # nobody wants it any more
            try:
                async with self._reloading:
                    await self._load(name, held)
                return
            except NodeRefused as refusal:
                why = refusal.message
        held.trouble = f"tried {RELOADS_MAX} times: {why}"

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                process.send_signal(number)
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(_gone(process), STOP_S_MAX)
        process.wait()

    def _fail_open(self, why: str) -> None:
        for number, inbox in self._open.items():
            inbox.put_nowait(wire.Failed(number, 503, "engine_restarted", why))

    # --------------------------------------------------------------------------- asking

    async def _send(self, ask: wire.AnyAsk) -> None:
        if self._writer is None:
            raise _gone_away(self.state)
        self._writer.write(wire.ask_frame(ask))
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()  # a dead engine is noticed by `_hear`

    @contextlib.asynccontextmanager
    async def _asked(
        self, make: Callable[[int], wire.AnyAsk]
    ) -> AsyncIterator[Callable[[], Awaitable[wire.AnyTell]]]:
        """Ask; gives a function that waits for the next tell. Cancels what is left unheard."""
        number = next(self._numbers)
        inbox: asyncio.Queue[wire.AnyTell] = asyncio.Queue()
        self._open[number] = inbox

        async def following() -> wire.AnyTell:
            tell = await inbox.get()
            if isinstance(tell, wire.Failed):
                raise refusal_of(tell)
            return tell

        done = False
        try:
            await self._send(make(number))
            yield following
            done = True
        except NodeRefused:
            done = True
            raise
        finally:
            del self._open[number]
            if not done and self._writer is not None:
                # Left early: the client is gone, or its deadline has passed.
                self._writer.write(wire.ask_frame(wire.Cancel(number)))

    async def _told(self, kind: type[T], make: Callable[[int], wire.AnyAsk]) -> T:
        async with self._asked(make) as following:
            tell = await following()
            assert isinstance(tell, kind), f"asked for {kind.__name__}, told {tell}"
            return tell

    async def stream(
        self, ask: wire.Generate
    ) -> AsyncGenerator[wire.Begun | wire.Piece | wire.Finished]:
        """What comes of a `Generate`, as it comes. Close it to cancel. Raises `NodeRefused`."""
        left = ask.n if ask.max_tokens != 0 else 0
        began = time.monotonic()
        last: dict[int, float] = {}
        async with self._asked(lambda number: _numbered(ask, number)) as following:
            begun = False
            while left or not begun:
                tell = await following()
                assert isinstance(tell, wire.Begun | wire.Piece | wire.Finished)
                begun = True
                if isinstance(tell, wire.Piece):
                    now = time.monotonic()
                    if not last:
                        self.on_first_token(now - began)
                    elif tell.index in last and tell.ids:
                        self.on_token((now - last[tell.index]) / len(tell.ids))
                    last[tell.index] = now
                left -= isinstance(tell, wire.Finished)
                yield tell

    async def complete(self, ask: wire.Generate) -> Whole:
        """The whole answer. Raises `NodeRefused`."""
        whole = Whole(0, None, 0, [Written() for _ in range(ask.n if ask.max_tokens != 0 else 0)])
        async with contextlib.aclosing(self.stream(ask)) as tells:
            async for tell in tells:
                if isinstance(tell, wire.Begun):
                    whole.prompt_tokens, whole.prompt = tell.prompt_tokens, tell.prompt
                    whole.shared_tokens = tell.shared_tokens
                    whole.completion_tokens = tell.completion_tokens
                else:
                    whole.add(tell)
        return whole

    async def tokenize(self, model: str, prompt: wire.Prompt) -> wire.Tokens:
        """Token ids and their texts. Raises `NodeRefused`."""
        return await self._told(wire.Tokens, lambda n: wire.Tokenize(n, model, prompt))

    async def detokenize(self, model: str, ids: list[int]) -> str:
        """The text of ids. Raises `NodeRefused`."""
        return (await self._told(wire.Text, lambda n: wire.Detokenize(n, model, ids))).text

    async def limit(self, slots: int) -> None:
        """Let the engine run at most so many sequences; it holds after a restart too."""
        self._slots = slots
        # An engine that is away hears of it when it is back.
        with contextlib.suppress(NodeRefused):
            await self._send(wire.Limit(0, slots))

    # --------------------------------------------------------------------------- models

    @property
    def cards(self) -> dict[str, wire.ModelCard]:
        """Models that are loaded now."""
        return {
            name: held.card
            for name, held in self._held.items()
            if held.card is not None and held.back.is_set()
        }

    @property
    def lost(self) -> dict[str, str]:
        """Models that could not be loaded again after a restart, and why."""
        return {name: held.trouble for name, held in self._held.items() if held.trouble}

    async def load(self, name: str, folder: str) -> wire.Loaded:
        """Load a model beside the others; it comes back by itself after a restart.

        Raises `NodeRefused`; then it is not held, or lost as before."""
        held = self._held.setdefault(name, _Held(folder))
        try:
            return await self._load(name, held)
        except NodeRefused as refusal:
            if refusal.code != "engine_restarted" and not held.trouble:
                self._held.pop(name, None)
            raise

    async def _load(self, name: str, held: _Held) -> wire.Loaded:
        told = await self._told(wire.Loaded, lambda n: wire.Load(n, name, held.folder))
        held.card, held.trouble = told.card, ""
        held.back.set()
        return told

    async def unload(self, name: str, drain_s: float) -> wire.Unloaded:
        """Free a model once its requests are done, or after `drain_s` seconds."""
        self._held.pop(name, None)
        return await self._told(wire.Unloaded, lambda n: wire.Unload(n, name, drain_s))


def _unheard(_: float) -> None:
    """Nobody measures."""


def refusal_of(failed: wire.Failed) -> NodeRefused:
    """What a failed ask raises."""
    later = RETRY_AFTER_S if failed.status in (429, 503) else None
    return NodeRefused(
        failed.status, failed.code, failed.message, param=failed.param, retry_after_s=later
    )


def _gone_away(state: str) -> NodeRefused:
    if state == "dead":
        return NodeRefused(
            503,
            "engine_dead",
            "the engine died too often and was left dead",
            next_command="r3 node",
        )
    return NodeRefused(
        503, "engine_restarted", "the engine is starting", retry_after_s=RETRY_AFTER_S
    )


def _numbered(ask: wire.Generate, number: int) -> wire.Generate:
    return msgspec.structs.replace(ask, id=number)


async def _gone(process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        await asyncio.sleep(0.02)
