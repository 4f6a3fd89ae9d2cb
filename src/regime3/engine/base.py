"""What an engine is: asks go in, and each step tells what came of them.

    engine.take(ask)             # queued, or answered with the next step
    tells = engine.step()        # one decode step, and all that there is to tell

An engine is used from one thread. It never waits: `wait_s` says how long its process may. Nothing
here computes; `fake` and `hf` do.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from regime3.errors import NodeRefused
from regime3.records import wire


class Engine(ABC):
    """Base of all engines: sorts asks, gathers tells, turns refusals into `Failed`."""

    def __init__(self) -> None:
        self.told: list[wire.AnyTell] = []

    def take(self, ask: wire.AnyAsk) -> None:
        """One ask. What is refused fails at once, and nothing is raised for it."""
        try:
            match ask:
                case wire.Generate():
                    self.submit(ask)
                case wire.Cancel():
                    self.cancel(ask.id)
                case wire.Load():
                    self.load(ask)
                case wire.Unload():
                    self.unload(ask)
                case wire.Tokenize():
                    self.told.append(self.tokenize(ask))
                case wire.Limit():
                    self.limit(ask.slots)
                case wire.Detokenize():
                    self.told.append(self.detokenize(ask))
        except NodeRefused as refusal:
            self.told.append(failed(ask.id, refusal))

    def step(self) -> list[wire.AnyTell]:
        """Do the next piece of work; what there is to tell since the last one."""
        self.work()
        return self.tell()

    def tell(self) -> list[wire.AnyTell]:
        """All that there is to tell, once. The list itself stays: loops write to it too."""
        told = self.told.copy()
        self.told.clear()
        return told

    @property
    @abstractmethod
    def wait_s(self) -> float | None:
        """How long the process may wait for asks before the next step; None: for ever."""

    @abstractmethod
    def work(self) -> None:
        """One step; tells go to `told`."""

    @abstractmethod
    def broke(self, error: BaseException) -> None:
        """An exception left `work`: fail what it concerns, so that the rest can go on."""

    @abstractmethod
    def pulse(self) -> wire.Pulse:
        """What is going on. The only method that other threads may call."""

    @abstractmethod
    def submit(self, ask: wire.Generate) -> None:
        """Take a request in. Raises `NodeRefused`."""

    @abstractmethod
    def cancel(self, number: int) -> None:
        """Forget a request, if it is there."""

    @abstractmethod
    def load(self, ask: wire.Load) -> None:
        """Begin to load a model. Raises `NodeRefused`."""

    @abstractmethod
    def unload(self, ask: wire.Unload) -> None:
        """Let a model go. Raises `NodeRefused`."""

    @abstractmethod
    def limit(self, slots: int) -> None:
        """Run at most so many sequences from now on."""

    @abstractmethod
    def tokenize(self, ask: wire.Tokenize) -> wire.Tokens:
        """A prompt's tokens. Raises `NodeRefused`."""

    @abstractmethod
    def detokenize(self, ask: wire.Detokenize) -> wire.Text:
        """The text of tokens. Raises `NodeRefused`."""


def failed(number: int, refusal: NodeRefused) -> wire.Failed:
    """A refusal as it is told."""
    message = str(refusal).partition("\n")[0]
    return wire.Failed(number, refusal.status, refusal.code, message, refusal.param)


def model_not_found(name: str) -> NodeRefused:
    """There is no such model here."""
    return NodeRefused(404, "model_not_found", f"the model {name!r} is not loaded", param="model")


def context_exceeded(prompt: int, wanted: int, context: int, param: str = "prompt") -> NodeRefused:
    """A prompt and what shall follow it are too long together; all in tokens."""
    return NodeRefused(
        400,
        "context_length_exceeded",
        f"the prompt has {prompt:,} tokens and {wanted:,} are asked for: more than the model's "
        f"context of {context:,}",
        param=param,
    )
