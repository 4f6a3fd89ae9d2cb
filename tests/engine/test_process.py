"""Engine processes over a socket pair: life, death, and the end of file."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from regime3.config import Node, Settings
from regime3.records import wire
from regime3.records.launch import engine_arguments, settings_of
from regime3.records.wire import Generate, Prompt, Sampling


class Talk:
    """The node's end."""

    def __init__(self, end: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self.end, self.process, self.heard = end, process, bytearray()
        self.pulses: list[float] = []
        end.settimeout(60.0)

    def send(self, ask: wire.AnyAsk) -> None:
        self.end.sendall(wire.ask_frame(ask))

    def hear(self) -> list[wire.AnyTell]:
        """The tells of the next frame."""
        while True:
            if len(self.heard) >= 4:
                stop = 4 + wire.length_of(bytes(self.heard[:4]))
                if len(self.heard) >= stop:
                    found = wire.read_tells(bytes(self.heard[4:stop]))
                    del self.heard[:stop]
                    if any(isinstance(each, wire.Pulse) for each in found):
                        self.pulses.append(time.monotonic())
                    return found
            piece = self.end.recv(1 << 16)
            if not piece:
                raise EOFError
            self.heard += piece

    def until(self, kind: type, number: int) -> list[wire.AnyTell]:
        told: list[wire.AnyTell] = []
        while not any(isinstance(each, kind) and each.id == number for each in told):
            told += [each for each in self.hear() if each.id == number]
        return told


@contextlib.contextmanager
def started(**node: object) -> Iterator[Talk]:
    ours, theirs = socket.socketpair()
    arguments = engine_arguments(Settings(node=Node(**node)))  # type: ignore[arg-type]
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "regime3.engine", str(theirs.fileno()), *arguments],
            pass_fds=[theirs.fileno()],
        )
    try:
        with ours:
            yield Talk(ours, process)
        assert process.wait(20) is not None
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_settings_go_to_the_engine_and_back() -> None:
    settings = Settings(node=Node(engine="fake", slots=7))
    name, kind, _, text = engine_arguments(settings)
    assert (name, kind) == ("--engine", "fake")
    assert settings_of(text) == settings


def test_a_pulse_comes_at_once_and_the_end_of_file_ends_it() -> None:
    began = time.monotonic()
    with started(engine="fake") as talk:
        assert isinstance(talk.hear()[0], wire.Pulse)
        assert time.monotonic() - began < 3.0
        process = talk.process
    assert process.returncode == 0


def test_it_goes_on_after_an_ask_that_makes_it_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGIME3_FAULT_ENGINE", "error-on:trouble")
    with started(engine="fake") as talk:
        talk.send(wire.Load(1, "m", "x"))
        talk.send(Generate(2, "m", Prompt(text="trouble"), max_tokens=3))
        failed = talk.until(wire.Failed, 2)[-1]
        assert isinstance(failed, wire.Failed) and (failed.status, failed.code) == (
            500,
            "engine_error",
        )
        talk.send(Generate(3, "m", Prompt(text="fine"), max_tokens=3))
        assert talk.until(wire.Finished, 3)


@pytest.mark.parametrize("fault", ["crash-on:trouble", "crash-after:5"])
def test_it_dies_when_a_test_wants_it_to(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    monkeypatch.setenv("REGIME3_FAULT_ENGINE", fault)
    with started(engine="fake") as talk:
        talk.send(wire.Load(1, "m", "x"))
        talk.send(Generate(2, "m", Prompt(text="trouble ahead"), max_tokens=50))
        with pytest.raises((EOFError, ConnectionError)):
            talk.until(wire.Finished, 2)
        assert talk.process.wait(10) == -signal.SIGKILL


def test_pulses_go_on_while_torch_is_imported_and_a_kill_is_seen(nano_folder: Path) -> None:
    with started(engine="hf", device="cpu") as talk:
        talk.send(wire.Load(1, "nano", str(nano_folder)))
        loaded = talk.until(wire.Loaded, 1)[-1]
        assert isinstance(loaded, wire.Loaded) and loaded.card.vocabulary == 2048
        gaps = [b - a for a, b in zip(talk.pulses, talk.pulses[1:], strict=False)]
        assert len(talk.pulses) > 2 and max(gaps) < 2.5
        ask = Generate(
            2, "nano", Prompt(text="2 + 2"), n=2, max_tokens=5, sampling=Sampling(seed=1)
        )
        talk.send(ask)
        told = talk.until(wire.Finished, 2)
        assert isinstance(told[0], wire.Begun) and any(isinstance(t, wire.Piece) for t in told)
        os.kill(talk.process.pid, signal.SIGKILL)
        with pytest.raises((EOFError, ConnectionError)):
            while True:
                talk.hear()
