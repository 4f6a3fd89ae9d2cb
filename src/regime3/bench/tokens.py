"""`r3 bench tokens`: how long the same reasoning is in each spelling, in Qwen3's tokens.

Held-out oracle traces of every family and level, the same problems in every spelling; steps and
answer are counted, the problem and wrappers are not. English and S-expressions are counted by
Qwen3's own tokenizer, codes by the same tokenizer with the codes added. Every spelling but
results-only is read back and compared. A ratio is a sum over a sum; its spread is that of ten
disjoint tenths of the problems.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from regime3 import tasks
from regime3.bench import qwen
from regime3.bench.telling import rounds
from regime3.lang import codebook, codes
from regime3.lang.codebook import Codebook
from regime3.lang.english import plain, results_only, terse
from regime3.lang.pack import Packer
from regime3.lang.problem import Body, Problem, read_body, show_body
from regime3.lang.unpack import Unpacker
from regime3.tasks import corpus
from regime3.tasks.family import Sample

QUICK_PER_LEVEL, FULL_PER_LEVEL = 20, 100
TENTHS = 10
PAIRS = {
    "vs_english": ("plain", "codes"),
    "vs_terse_english": ("terse", "codes"),
    "vs_sexpr": ("sexpr", "codes"),
    "vs_english_predicted": ("plain", "predicted"),
    "vs_terse_english_predicted": ("terse", "predicted"),
    "vs_sexpr_predicted": ("sexpr", "predicted"),
    "vs_results_only_english_predicted": ("results", "predicted"),
}
Counts = dict[str, int]


def run(quick: bool) -> dict[str, Any]:
    """Ratios overall and per family, and the share of round trips that held."""
    per_level = QUICK_PER_LEVEL if quick else FULL_PER_LEVEL
    spellings = Spellings()
    counted: list[tuple[str, int, Counts]] = []
    for index in rounds(per_level, "problems of each family and level"):
        for sample in _samples(index):
            counted.append((sample.family, index % TENTHS, spellings.count(sample)))
    trips = len(counted) * len(spellings.readers)
    figures: dict[str, Any] = _ratios([counts for *_, counts in counted])
    figures["roundtrip_percent"] = 100.0 * (trips - spellings.failures) / trips
    figures["plain_over_terse"] = _ratio([c for *_, c in counted], "plain", "terse")
    figures["per_family"] = {
        family: _family([counts for name, _, counts in counted if name == family])
        for family in tasks.FAMILIES
    }
    return {
        "figures": figures,
        "spread": _spread(counted),
        "runs": len(counted),
        "notes": [
            "codebook without prediction: its own macros, learned from the same corpus",
            f"codebooks {spellings.book.name[:12]} and {spellings.unpredicted.name[:12]}",
        ],
        "meaning": {name: f"tokens of {over} over {under}" for name, (over, under) in PAIRS.items()}
        | {"per_family": "mean tokens a trace in each spelling, and the ratios"},
    }


def _samples(index: int) -> Iterator[Sample]:
    for family, made in tasks.FAMILIES.items():
        for level in range(1, made.levels + 1):
            yield tasks.sample(family, level, "heldout", index)


class Spellings:
    """Writes a trace in every spelling, counts its tokens and reads it back."""

    def __init__(self) -> None:
        self.tokenizer = qwen.tokenizer()
        self.tokenizer.add_tokens([codes.token(code) for code in range(codes.CODES_MAX)])
        self.book = codebook.shipped()
        self.unpredicted = corpus.learn(corpus.PER_LEVEL, 0, lambda _: None)
        self.readers: dict[str, Callable[[Problem, str], Body]] = {
            "plain": plain.read,
            "terse": terse.read,
            "sexpr": read_body,
            "codes": _reader(self.unpredicted),
            "predicted": _reader(self.book),
        }
        self.packers = {"codes": Packer(self.unpredicted), "predicted": Packer(self.book)}
        self.failures = 0

    def count(self, sample: Sample) -> Counts:
        """Tokens of each spelling; what does not read back is counted as a failure."""
        problem, body = sample.problem, sample.body
        texts = {
            "plain": plain.show(problem, body),
            "terse": terse.show(problem, body),
            "sexpr": show_body(body),
            "results": results_only.show(problem, body),
        }
        for name, packer in self.packers.items():
            texts[name] = codes.tokens_text(packer.pack(problem, body))
        for name, read in self.readers.items():
            self.failures += read(problem, texts[name]) != body
        return {name: self._tokens(text) for name, text in texts.items()}

    def _tokens(self, text: str) -> int:
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])


def _reader(book: Codebook) -> Callable[[Problem, str], Body]:
    unpacker = Unpacker(book)
    return lambda problem, text: unpacker.unpack(problem, codes.read_tokens(text))


def _ratio(counts: list[Counts], over: str, under: str) -> float:
    return sum(each[over] for each in counts) / sum(each[under] for each in counts)


def _ratios(counts: list[Counts]) -> dict[str, Any]:
    return {name: _ratio(counts, *pair) for name, pair in PAIRS.items()}


def _family(counts: list[Counts]) -> dict[str, float]:
    """Mean tokens of each spelling, then the ratios."""
    means = {name: sum(each[name] for each in counts) / len(counts) for name in counts[0]}
    return {name: round(value, 2) for name, value in {**means, **_ratios(counts)}.items()}


def _spread(counted: list[tuple[str, int, Counts]]) -> dict[str, tuple[float, float]]:
    """Smallest and largest ratio over disjoint tenths of the problems."""
    tenths: dict[int, list[Counts]] = defaultdict(list)
    for _, tenth, counts in counted:
        tenths[tenth].append(counts)
    found = {}
    for name, pair in PAIRS.items():
        values = [_ratio(counts, *pair) for counts in tenths.values()]
        found[name] = (min(values), max(values))
    return found
