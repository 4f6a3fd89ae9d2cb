"""What the node's HTTP process and its engine process say to each other.

One frame is a 4-byte big-endian length and one msgpack value, over a socket pair. Asks go to the
engine, a list of tells comes back after each decode step, so that a step costs one frame whatever
the batch. The engine renders, tokenises, samples and scores; the HTTP process knows no token.
End of file on the socket means that the other side is gone: an engine without its node leaves.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

FRAME_BYTES_MAX: Final = 256 << 20
"""A longer frame is our own bug: requests are limited long before."""
_LENGTH = struct.Struct(">I")

# ----------------------------------------------------------------------------- to the engine


class Prompt(msgspec.Struct, frozen=True, omit_defaults=True):
    """What to continue: exactly one of the three."""

    ids: list[int] | None = None
    text: str | None = None
    """Tokenised as it stands; nothing is added but what the tokenizer itself adds."""
    messages: list[dict[str, Any]] | None = None
    """Chat messages, rendered with the model's template as at the inference boundary."""
    thinking: bool | None = None
    """Messages only: ask the template for a thought (think-tags profile). None: as trained."""
    completion: str | None = None
    """Messages only: the reply as the profile writes it. It follows the rendered messages, is
    tokenised apart and closed with the end of turn, all as in training, and is scored with them."""


class Sampling(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the next token is drawn. Temperature 0 is greedy."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    """0: no limit."""
    seed: int | None = None
    """Sample i of a request draws from a stream keyed by (seed, i) alone; None: drawn afresh."""
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    logit_bias: dict[int, float] = {}
    ignore_eos: bool = False
    """Write on past the tokens that would end a completion, to `max_tokens`; under a form the
    grammar still ends it."""
    marker_penalty: float = 0.0
    """Taken from a marker run's first token once such a run has been written (emoji profile)."""


class Form(msgspec.Struct, frozen=True, omit_defaults=True):
    """Write a body in a regime under its grammar."""

    regime: int
    """2 or 3."""
    problem: str
    """The problem as an S-expression."""


class Ask(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="ask"):
    """Base. `id` is the asker's and comes back with every tell."""

    id: int


class Generate(Ask, frozen=True, omit_defaults=True, tag="generate"):
    """Continue a prompt `n` times. `max_tokens` 0 scores the prompt only."""

    model: str
    prompt: Prompt
    n: int = 1
    max_tokens: int | None = None
    """None: what the context leaves."""
    sampling: Sampling = Sampling()
    stop: list[str] = []
    """Text that ends a completion; it is not part of it."""
    logprobs: int | None = None
    """Log-probabilities of what is written, with so many alternatives; None: none."""
    prompt_logprobs: int | None = None
    """The same of the prompt's tokens; the first has none."""
    interactive: bool = True
    """False: a job's; takes no reserved slot, and comes after the others."""
    form: Form | None = None
    think_tokens_max: int | None = None
    """A thought longer than this is closed with the profile's stop run; None: no limit."""


class Cancel(Ask, frozen=True, omit_defaults=True, tag="cancel"):
    """Forget the request of this id; it is told nothing more."""


class Load(Ask, frozen=True, omit_defaults=True, tag="load"):
    """Load a verified folder beside what is there. Told: `Loaded`, or `Failed`."""

    model: str
    folder: str


class Unload(Ask, frozen=True, omit_defaults=True, tag="unload"):
    """Let a model's requests drain for so long, fail the rest, free it. Told: `Unloaded`."""

    model: str
    drain_s: float = 0.0


class Tokenize(Ask, frozen=True, omit_defaults=True, tag="tokenize"):
    """Told: `Tokens`."""

    model: str
    prompt: Prompt


class Detokenize(Ask, frozen=True, omit_defaults=True, tag="detokenize"):
    """Told: `Text`."""

    model: str
    ids: list[int]


class Limit(Ask, frozen=True, omit_defaults=True, tag="limit"):
    """Run at most so many sequences from now on. Nothing is told."""

    slots: int


AnyAsk = Limit | Generate | Cancel | Load | Unload | Tokenize | Detokenize

# --------------------------------------------------------------------------- from the engine


class TokenScore(msgspec.Struct, frozen=True, array_like=True):
    """A token and how likely it was, in nats; `logprob` is None for a prompt's first token."""

    id: int
    text: str
    logprob: float | None
    top: list[tuple[int, str, float]] = []
    """The most likely tokens there, best first: id, text, nats."""
    raw: bytes = b""
    """The token's bytes where `text` does not spell them, as with a piece of a character."""
    top_raw: dict[int, bytes] = {}
    """The same of the tokens in `top`, by id."""
    forced: bool = False
    """A grammar or a budget left no other token, so that it was not the model's choice."""


class Tell(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="tell"):
    """Base. `id` is the ask's; 0 belongs to none."""

    id: int


class Begun(Tell, frozen=True, omit_defaults=True, tag="begun"):
    """The prompt is in: its length, and its scores if they were asked for."""

    prompt_tokens: int
    prompt: list[TokenScore] | None = None
    shared_tokens: int = 0
    """Of them, how many another request had paid for."""
    completion_tokens: int = 0
    """Of them, the last ones, how many are the prompt's `completion`, its end of turn counted."""


class Piece(Tell, frozen=True, omit_defaults=True, tag="piece"):
    """What sample `index` has written since: whole characters only.

    An end token is in `scores` alone, after those of `ids`: it is no text, and yet was drawn."""

    index: int
    text: str
    ids: list[int]
    scores: list[TokenScore] | None = None


class Finished(Tell, frozen=True, omit_defaults=True, tag="finished"):
    """Sample `index` is done. The request is done with its last sample."""

    index: int
    reason: str
    """stop or length."""
    tokens: int
    """Written, the end token counted."""


class Failed(Tell, frozen=True, omit_defaults=True, tag="failed"):
    """The whole ask has failed; `status` is the HTTP status that says so."""

    status: int
    code: str
    """A word for programs: context_length_exceeded, model_not_found, engine_restarted, ..."""
    message: str
    param: str | None = None


class ModelCard(msgspec.Struct, frozen=True):
    """What the engine knows of a model that it holds."""

    name: str
    parameters: int
    context_window: int
    vocabulary: int
    dtype: str
    device: str
    codebook: str | None
    """Name of the codebook of its codes; None: it has none."""
    bos_token: str | None = None
    eos_token: str | None = None
    pad_token: str | None = None
    chat_template: str | None = None


class Loaded(Tell, frozen=True, omit_defaults=True, tag="loaded"):
    card: ModelCard
    load_s: float
    warm_s: float


class Unloaded(Tell, frozen=True, omit_defaults=True, tag="unloaded"):
    dropped: int = 0
    """Requests that the deadline cut off."""


class Tokens(Tell, frozen=True, omit_defaults=True, tag="tokens"):
    ids: list[int]
    texts: list[str]


class Text(Tell, frozen=True, omit_defaults=True, tag="text"):
    text: str


class Pulse(Tell, frozen=True, omit_defaults=True, tag="pulse"):
    """A sign of life, at least one a second, and what is going on. `id` is 0."""

    running: int
    """Sequences in the batch."""
    waiting: int
    """Sequences that wait for a slot."""
    slots: int
    tokens_written: int
    """Since the engine began."""
    tokens_read: int
    """Prompt tokens computed since the engine began."""
    models: list[str] = []
    memory_used_bytes: int | None = None
    """On the GPU; None without one."""


AnyTell = Begun | Piece | Finished | Failed | Loaded | Unloaded | Tokens | Text | Pulse

_encoder = msgspec.msgpack.Encoder()
_asks = msgspec.msgpack.Decoder(AnyAsk)
_tells = msgspec.msgpack.Decoder(list[AnyTell])


def ask_frame(ask: AnyAsk) -> bytes:
    """One ask, framed."""
    return _framed(_encoder.encode(ask))


def tells_frame(tells: list[AnyTell]) -> bytes:
    """The tells of a step, framed."""
    return _framed(_encoder.encode(tells))


def read_ask(body: bytes) -> AnyAsk:
    """The ask of a frame's body."""
    ask: AnyAsk = _asks.decode(body)
    return ask


def read_tells(body: bytes) -> list[AnyTell]:
    """The tells of a frame's body."""
    tells: list[AnyTell] = _tells.decode(body)
    return tells


def length_of(header: bytes) -> int:
    """Bytes of the body that follows this 4-byte header."""
    length: int = _LENGTH.unpack(header)[0]
    assert length <= FRAME_BYTES_MAX, f"a frame of {length} bytes"
    return length


def _framed(body: bytes) -> bytes:
    assert len(body) <= FRAME_BYTES_MAX, f"a frame of {len(body)} bytes"
    return _LENGTH.pack(len(body)) + body
