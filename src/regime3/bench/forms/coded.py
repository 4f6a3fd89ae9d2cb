"""Forms written in codes, and S-expressions with as many learned tokens."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from regime3 import tasks
from regime3.bench.forms.form import text_ids, text_of
from regime3.errors import LanguageError
from regime3.lang import codes
from regime3.lang.codebook import Codebook
from regime3.lang.pack import Packer
from regime3.lang.problem import Body, Problem, read_body, show_body
from regime3.lang.spelling import ATOMS, DIGITS, LAST_DIGITS, PAIRS
from regime3.lang.unpack import Unpacker
from regime3.model.nano_tokenizer import TEXT_VOCABULARY
from regime3.tasks.family import Sample


class Coded:
    """Regime 3 with one codebook. `most_first` writes the highest digit of a number first."""

    readable = True

    def __init__(self, name: str, book: Codebook, most_first: bool = False) -> None:
        self.name, self.book, self.most_first = name, book, most_first
        self._packer, self._unpacker = Packer(book), Unpacker(book)

    def encode(self, sample: Sample) -> list[int]:
        packed = self._packer.pack(sample.problem, sample.body)
        return [TEXT_VOCABULARY + code for code in (turned(packed) if self.most_first else packed)]

    def decode(self, problem: Problem, tokens: list[int]) -> Body:
        for place, token in enumerate(tokens):
            if not TEXT_VOCABULARY <= token < TEXT_VOCABULARY + codes.CODES_MAX:
                raise LanguageError(f"token {place} is no code")
        packed = [token - TEXT_VOCABULARY for token in tokens]
        return self._unpacker.unpack(problem, turned(packed) if self.most_first else packed)


def turned(packed: list[int]) -> list[int]:
    """Every run of digits (D … T or P … A) with its digits the other way round. Its own inverse."""
    found: list[int] = []
    run: list[int] = []
    for code in packed:
        more, last = (PAIRS, ATOMS) if run and run[0] in PAIRS else (DIGITS, LAST_DIGITS)
        if run and code in last:
            digits = [*(each - more.start for each in run), code - last.start]
            found += [more[digit] for digit in digits[:0:-1]] + [last[digits[0]]]
            run = []
            continue
        if run and code not in more:
            found += run
            run = []
        (run if code in DIGITS or code in PAIRS else found).append(code)
    return found + run


class LearnedSexpr:
    """S-expressions in which the most frequent neighbours are single tokens (byte-pair encoding
    over the nano tokenizer's ids, across words and steps), as many as regime 3 has codes."""

    name = "2-learned-tokens"
    readable = True

    def __init__(self, per_level: int) -> None:
        corpus = [
            text_ids(show_body(tasks.sample(family, level, "train", index).body))
            for family, made in tasks.FAMILIES.items()
            for level in range(1, made.levels + 1)
            for index in range(per_level)
        ]
        self.merges = _learn(corpus, codes.CODES_MAX)
        self._rank = {pair: TEXT_VOCABULARY + number for number, pair in enumerate(self.merges)}

    def encode(self, sample: Sample) -> list[int]:
        ids = text_ids(show_body(sample.body))
        while True:
            found = min((self._rank.get(pair, 1 << 30) for pair in pairwise(ids)), default=1 << 30)
            if found == 1 << 30:
                return ids
            ids = _merged(ids, self.merges[found - TEXT_VOCABULARY], found)

    def decode(self, problem: Problem, tokens: list[int]) -> Body:
        ids = list(tokens)
        while any(token >= TEXT_VOCABULARY for token in ids):
            ids = [part for token in ids for part in self._parts(token)]
        return read_body(problem, text_of(ids))

    def _parts(self, token: int) -> tuple[int, ...]:
        if token < TEXT_VOCABULARY:
            return (token,)
        if token - TEXT_VOCABULARY >= len(self.merges):
            raise LanguageError(f"token {token} was never learned")
        return self.merges[token - TEXT_VOCABULARY]


def _learn(corpus: list[list[int]], count: int) -> list[tuple[int, int]]:
    """The `count` most frequent merges in order; ties go to the least pair."""
    merges: list[tuple[int, int]] = []
    while len(merges) < count:
        pairs: Counter[tuple[int, int]] = Counter()
        for ids in corpus:
            pairs.update(pairwise(ids))
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        corpus = [_merged(ids, best, TEXT_VOCABULARY + len(merges)) for ids in corpus]
        merges.append(best)
    return merges


def _merged(ids: list[int], pair: tuple[int, int], token: int) -> list[int]:
    found: list[int] = []
    place = 0
    while place < len(ids):
        if ids[place] == pair[0] and place + 1 < len(ids) and ids[place + 1] == pair[1]:
            found.append(token)
            place += 2
        else:
            found.append(ids[place])
            place += 1
    return found
