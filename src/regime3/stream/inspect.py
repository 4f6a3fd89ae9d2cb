"""Looking at a file before it is trained: `r3 data check FILE` and `r3 data show FILE --row N`.

    report = check_rows(open(path, "rb"), decode, renderer)
    for shown in show_row(raw, decode, renderer): console.print(painted(shown))

Rows are decoded and rendered by the very functions that train them, handed in by the caller, so
what is shown is what is trained. One pass, constant memory but for the lengths and row hashes.
Nothing is admitted, moved or written; duplicates of other files and of validation rows are seen
at admission only.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec
from rich.text import Text

from regime3.errors import InputRefused
from regime3.model.chat import ChatRenderer
from regime3.records.rows import Example, Row

Decode = Callable[[bytes], tuple[Row, str]]
"""A raw line to its row and the name of the adapter that read it; raises `InputRefused`."""

REFUSALS_MAX = 1000
"""Refused rows listed one by one; all are counted by reason."""
PROGRESS_ROWS = 1000
PIECE_TOKENS_MAX = 16
"""Tokens joined at most to make whole characters of a byte-level piece."""
BIN_EDGES = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


class Refusal(msgspec.Struct, frozen=True):
    """A row that would be buried. `line` is 1-based."""

    line: int
    reason: str


class Lengths(msgspec.Struct, frozen=True):
    """How long examples are, tokens. `histogram` pairs an upper bound with its examples."""

    shortest: int = 0
    median: int = 0
    p90: int = 0
    p99: int = 0
    longest: int = 0
    histogram: list[tuple[int, int]] = []


class CheckReport(msgspec.Struct, frozen=True):
    """What training would make of a file."""

    rows: int
    trainable: int
    buried: int
    reasons: dict[str, int]
    """Buried rows by reason, numbers in it replaced by N."""
    refusals: list[Refusal]
    formats: dict[str, int]
    """Rows by the adapter that read them."""
    distinct: int
    """Different conversations among the rows that decode."""
    examples: int
    turns_too_long: int
    """Assistant turns left out of rows whose other turns fit."""
    tokens: int
    supervised_tokens: int
    thinking_examples: int
    lengths: Lengths
    completion_lengths: Lengths

    @property
    def supervised_share(self) -> float:
        """Supervised tokens over all, 0 when there are none."""
        return self.supervised_tokens / self.tokens if self.tokens else 0.0

    @property
    def thinking_share(self) -> float:
        """Examples with a thought over all, 0 when there are none."""
        return self.thinking_examples / self.examples if self.examples else 0.0


class Piece(msgspec.Struct, frozen=True):
    """Text of one token, or of the few that make up a character together."""

    text: str
    supervised: bool
    tokens: int = 1


class ShownExample(msgspec.Struct, frozen=True):
    """One example, token by token."""

    prompt_tokens: int
    supervised_tokens: int
    has_thinking: bool
    pieces: list[Piece]


def check_rows(
    lines: Iterable[bytes],
    decode: Decode,
    renderer: ChatRenderer,
    progress: Callable[[int], None] | None = None,
) -> CheckReport:
    """Read every line as training would. `progress` is told rows done, every thousand."""
    tally = _Tally()
    for number, raw in enumerate(lines, 1):
        tally.take(number, raw.rstrip(b"\r\n"), decode, renderer)
        if progress is not None and number % PROGRESS_ROWS == 0:
            progress(number)
    return tally.report()


def show_row(
    raw: bytes, decode: Decode, renderer: ChatRenderer, key: str = ""
) -> list[ShownExample]:
    """The examples of one row. `key` is the row's, as in training. Raises `InputRefused`."""
    row, _ = decode(raw.rstrip(b"\r\n"))
    return [_shown(example, renderer) for example in renderer.examples(row, key)]


def painted(shown: ShownExample) -> Text:
    """For a terminal: the prompt dim, supervised tokens green, each second token underlined so
    that their boundaries show; newlines are marked."""
    text = Text()
    for number, piece in enumerate(shown.pieces):
        style = "bold green" if piece.supervised else "dim"
        if number % 2:
            style += " underline"
        text.append(piece.text.replace("\n", "↵\n"), style=style)
    return text


class _Tally:
    """Counts of one pass over a file."""

    def __init__(self) -> None:
        self.rows = self.trainable = self.too_long = self.thinking = 0
        self.reasons: Counter[str] = Counter()
        self.formats: Counter[str] = Counter()
        self.refusals: list[Refusal] = []
        self.seen: set[bytes] = set()
        self.lengths, self.completions = array("I"), array("I")

    def take(self, line: int, raw: bytes, decode: Decode, renderer: ChatRenderer) -> None:
        """Count one line; the edge where a refusal becomes a number."""
        self.rows += 1
        try:
            row, adapter = decode(raw)
            self.formats[adapter] += 1
            self.seen.add(hashlib.sha256(msgspec.json.encode(row)).digest()[:8])
            examples = renderer.examples(row, f"check|{line}")
        except InputRefused as refusal:
            self._refuse(line, refusal.reason)
            return
        self.trainable += 1
        if sum(message.role == "assistant" for message in row.messages) > len(examples):
            self.too_long += renderer.turns(row) - len(examples)
        for example in examples:
            self.lengths.append(example.length)
            self.completions.append(example.supervised)
            self.thinking += example.has_thinking

    def _refuse(self, line: int, reason: str) -> None:
        self.reasons[re.sub(r"\d+", "N", reason)] += 1
        if len(self.refusals) < REFUSALS_MAX:
            self.refusals.append(Refusal(line, reason))

    def report(self) -> CheckReport:
        return CheckReport(
            rows=self.rows,
            trainable=self.trainable,
            buried=self.rows - self.trainable,
            reasons=dict(self.reasons.most_common()),
            refusals=self.refusals,
            formats=dict(self.formats),
            distinct=len(self.seen),
            examples=len(self.lengths),
            turns_too_long=self.too_long,
            tokens=sum(self.lengths),
            supervised_tokens=sum(self.completions),
            thinking_examples=self.thinking,
            lengths=_summary(self.lengths),
            completion_lengths=_summary(self.completions),
        )


def _summary(lengths: array[int]) -> Lengths:
    """Nearest-rank percentiles and a histogram whose bins double."""
    if not lengths:
        return Lengths()
    ordered = sorted(lengths)
    edges = [edge for edge in BIN_EDGES if edge < ordered[-1]]
    bins = Counter(bisect_left(edges, length) for length in ordered)
    uppers = [*edges, ordered[-1]]

    def rank(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return Lengths(
        shortest=ordered[0],
        median=rank(0.5),
        p90=rank(0.9),
        p99=rank(0.99),
        longest=ordered[-1],
        histogram=[(upper, bins[number]) for number, upper in enumerate(uppers)],
    )


def _shown(example: Example, renderer: ChatRenderer) -> ShownExample:
    prompt = example.input_ids[: example.prompt_length]
    completion = example.input_ids[example.prompt_length :]
    pieces = [
        *(Piece(text, False, count) for text, count in _pieces(prompt, renderer)),
        *(Piece(text, True, count) for text, count in _pieces(completion, renderer)),
    ]
    return ShownExample(len(prompt), len(completion), example.has_thinking, pieces)


def _pieces(ids: list[int], renderer: ChatRenderer) -> list[tuple[str, int]]:
    """Texts of single tokens; those that are parts of one character stay together.

    Each is decoded behind its neighbour, because some decoders drop the first blank of a text.
    """
    pieces: list[tuple[str, int]] = []
    before: list[int] = []
    group: list[int] = []
    for token in ids:
        group.append(token)
        text = renderer.text_of(before + group)[len(renderer.text_of(before)) :]
        if text.endswith("�") and len(group) < PIECE_TOKENS_MAX:
            continue
        pieces.append((text, len(group)))
        before, group = group, []
    if group:
        pieces.append((renderer.text_of(group), len(group)))
    return pieces
