"""Random terms, bodies and texts against everything in the language that must give them back.

    python -m tests.lang.fuzz --terms 1000000 --seed 0

The kind half draws typed problems and bodies (`generate`): what is printed or packed is read back,
what the laws make equal has one canonical form and nothing else has, checker and text checker
agree, and fingerprints do not see names. The hostile half damages their texts and code strings:
each is read, or refused by `LanguageError` within `SECONDS_MAX`; what is read prints back to
something that reads equal. Progress goes to stderr, the result as JSON to stdout; any fault is
exit code 1. A *term* is a problem, a step, an answer or a lone term that was drawn, not its parts.
It does not judge whether verdicts are right: `mutants` and `agreement` do.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from itertools import permutations
from typing import Any

from regime3.errors import LanguageError
from regime3.lang import codebook, codes, signature
from regime3.lang.canon import canonical, make
from regime3.lang.check import check, check_text
from regime3.lang.english import plain, terse
from regime3.lang.fingerprint import fingerprint
from regime3.lang.pack import Packer
from regime3.lang.problem import (
    Body,
    Problem,
    body_of,
    problem_of,
    read_body,
    read_problem,
    show_body,
)
from regime3.lang.terms import Term, parse, show, size
from regime3.lang.unpack import Unpacker
from tests.lang.generate import _renamed, random_body, random_macros, random_problem, random_term
from tests.lang.hostile import FRAGMENTS, READERS, damaged, texts_of
from tests.lang.test_canon import _classes, _respelt

SECONDS_MAX = 2.0
"""CPU seconds that one reader may take for one text, of up to a MiB, on one slow core."""
EXAMPLE_MAX = 600
"""Characters of an example in the result."""
NAMINGS_MAX = 4
"""Constants of problems whose fingerprints are compared by trying all namings."""
STORM_EVERY = 500
"""Rounds between two texts of about a MiB."""
TOWER_EVERY = 20
"""Rounds between two problems about as deep as terms may be."""

Coder = tuple[codebook.Codebook, Packer, Unpacker]


@dataclass
class Slowest:
    """The text that took a reader longest, in CPU milliseconds."""

    ms: float = 0.0
    reader: str = ""
    characters: int = 0
    begins: str = ""


@dataclass
class Tally:
    """What was tried and what came of it."""

    rounds: int = 0
    terms: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    read: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, str] = field(default_factory=dict)
    """By check: the shortest example of a fault."""
    slowest_refusal: Slowest = field(default_factory=Slowest)
    slowest_small_refusal: Slowest = field(default_factory=Slowest)
    """Of texts that are no storms."""
    slowest_read: Slowest = field(default_factory=Slowest)

    def fault(self, check: str, why: str) -> None:
        """Count a fault and keep its example if it is the shortest so far."""
        self.faults[check] += 1
        kept = self.smallest.get(check)
        if kept is None or len(why) < len(kept):
            self.smallest[check] = why

    def holds(self, check: str, claim: Callable[[], bool], *example: Any) -> None:
        """One check of the kind half: it must be true, and raise nothing."""
        self.checks[check] += 1
        try:
            why = "" if claim() else "false"
        except Exception as error:
            why = f"{type(error).__name__}: {str(error)[:200]}"
        if why:
            self.fault(check, f"{why}; {_told(*example)}")


def _told(*example: Any) -> str:
    return " | ".join(each if isinstance(each, str) else repr(each) for each in example)


class Fuzz:
    """One run: its codebooks, its tally, and the problem of the round."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.tally = Tally()
        books = _books(random.Random(f"fuzz|{seed}|books"))
        self.coders = [(book, Packer(book), Unpacker(book)) for book in books]

    def round(self) -> None:
        """One problem, two bodies of it, lone terms, and damage to the texts of all of them."""
        number = self.tally.rounds
        self.tally.rounds += 1
        rng = random.Random(f"fuzz|{self.seed}|{number}")
        self.tally.holds("no round raises", lambda: self._round(rng, number), f"round {number}")

    def _round(self, rng: random.Random, number: int) -> bool:
        deep = number % TOWER_EVERY == 1
        problem, bodies = _tower(rng) if deep else _usual(rng)
        self.tally.terms["problems"] += 1
        self._terms(rng, problem)
        self._fingerprints(rng, problem)
        for body in bodies:
            self.tally.terms["steps"] += len(body)
            self._body(rng, problem, body)
            self._hostile(rng, problem, body)
        if number % STORM_EVERY == 1:
            self._storm(rng, problem, bodies[0])
        return True

    # -------------------------------------------------------------------------------- the kind half

    def _terms(self, rng: random.Random, problem: Problem) -> None:
        holds, term = self.tally.holds, problem.term
        text = show(term)
        holds("parse(show)", lambda: parse(text) == term, text)
        holds("read_problem(show)", lambda: read_problem(text) == problem, text)
        holds("canonical is idempotent", lambda: canonical(term) == term, text)
        self._laws(term, _respelt_within(term, rng))
        for _ in range(3):
            one = random_term(rng, rng.choice("ELPBDK"), 3, depth=rng.randint(1, 3))
            other = _respelt(_changed(rng, one), rng)
            self.tally.terms["lone terms"] += 1
            self._laws(one, _respelt(one, rng))
            self._laws(one, other)

    def _laws(self, one: Term, other: Term) -> None:
        """One canonical form just for what `_classes` calls equal under the laws."""
        form = canonical(other)
        equal = _classes(one) == _classes(other)
        name = "equal under the laws" if equal else "unequal under the laws"
        holds = self.tally.holds
        holds(name, lambda: (canonical(one) == form) == equal, show(one), show(other))
        holds("canonical is idempotent", lambda: canonical(form) == form, show(other))
        holds("parse(show)", lambda: parse(show(other)) == other, show(other))

    def _fingerprints(self, rng: random.Random, problem: Problem) -> None:
        holds = self.tally.holds
        other = _disguised(rng, problem.term, problem.constants)
        shown = show(problem.term), show(other)
        mark = _mark(problem.term)
        holds("fingerprint of a disguise", lambda: _mark(other) == mark, *shown)
        if 0 < problem.constants <= NAMINGS_MAX:
            near = _renamed(_changed(rng, other), {})
            wanted = _isomorphic(problem.term, near)
            name = "fingerprint of the same" if wanted else "fingerprint of another"
            holds(name, lambda: (_mark(near) == mark) == wanted, show(problem.term), show(near))

    def _body(self, rng: random.Random, problem: Problem, body: Body) -> None:
        holds, posed, text = self.tally.holds, show(problem.term), show_body(body)
        holds("read_body(show_body)", lambda: read_body(problem, text) == body, posed, text)
        verdict = check(problem, body)
        holds("check_text is check", lambda: check_text(posed, text) == verdict, posed, text)
        for style, english in (("plain", plain), ("terse", terse)):
            self._english(style, english, problem, body)
        for coder in rng.sample(self.coders, 2):
            self._coded(coder, problem, body)

    def _english(self, style: str, english: Any, problem: Problem, body: Body) -> None:
        said = english.show(problem, body)
        told = show(problem.term), show_body(body), said
        self.tally.holds(f"{style}.read(show)", lambda: english.read(problem, said) == body, *told)

    def _coded(self, coder: Coder, problem: Problem, body: Body) -> None:
        book, packer, unpacker = coder
        packed = packer.pack(problem, body)
        tokens, names = codes.tokens_text(packed), codes.names_text(packed)
        holds = self.tally.holds
        told = show(problem.term), show_body(body), book.json if len(book.macros) < 9 else book.name
        holds("unpack(pack)", lambda: unpacker.unpack(problem, packed) == body, *told)
        holds("read_tokens", lambda: codes.read_tokens(tokens) == packed, tokens)
        holds("read_tokens by name", lambda: codes.read_tokens(names) == packed, names)

    # ----------------------------------------------------------------------------- the hostile half

    def _hostile(self, rng: random.Random, problem: Problem, body: Body) -> None:
        """Each reader on its own text, damaged."""
        _, packer, unpacker = coder = rng.choice(self.coders)
        packed = packer.pack(problem, body)
        texts = texts_of(problem, body, packed)
        for reader, text in texts.items():
            self._try(reader, damaged(rng, text, texts), problem, coder)
        self._codes(rng, problem, packed, packer, unpacker)

    def _try(
        self, reader: str, text: str, problem: Problem, coder: Coder, storm: bool = False
    ) -> None:
        """One text before one reader: read and printed back, or refused, in time."""
        tally = self.tally
        told = f"{text!r} | {show(problem.term)} | {coder[0].name[:12]}"
        coder[2].grammar(problem)  # made once for all texts of such problems, so not timed
        began = time.process_time()
        try:
            why = READERS[reader](text, problem, coder)
            refused = False
        except LanguageError:
            why, refused = "", True
        except Exception as error:
            why, refused = f"{type(error).__name__}: {str(error)[:200]}", False
        took = time.process_time() - began
        (tally.refused if refused else tally.read)[reader] += 1
        if took > SECONDS_MAX:
            why = why or f"{took:.1f} s"
        if why:
            kind = "slow" if why.endswith(" s") else why.partition(":")[0][:60]
            tally.fault(f"hostile {reader}: {kind}", f"{why}; {told}")
        slowest = [tally.slowest_refusal if refused else tally.slowest_read]
        if refused and not storm:
            slowest.append(tally.slowest_small_refusal)
        for each in slowest:
            if took * 1000 > each.ms:
                each.ms, each.reader, each.characters = round(took * 1000, 2), reader, len(text)
                each.begins = text[:80]

    def _codes(
        self,
        rng: random.Random,
        problem: Problem,
        packed: list[int],
        packer: Packer,
        unpacker: Unpacker,
    ) -> None:
        """Codes damaged as numbers, so that most are codes still."""
        numbers = list(packed)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(numbers) + 1)
            end = place + rng.randint(0, 3)
            new = [rng.choice([*packed, rng.randint(-1, codes.CODES_MAX)])] * rng.randint(0, 2)
            numbers[place:end] = new
        told = show(problem.term), numbers, unpacker.book.name[:12]
        try:
            body = unpacker.unpack(problem, numbers)
        except LanguageError as error:
            self.tally.refused["codes"] += 1
            place_of = error.position
            right = place_of is not None and 0 <= place_of <= len(numbers)
            self.tally.holds("a refused code has a place", lambda: right, *told)
        except Exception as error:
            self.tally.fault("hostile codes", _told(type(error).__name__, str(error), *told))
        else:
            self.tally.read["codes"] += 1
            again = packer.pack(problem, body)
            holds = self.tally.holds
            holds("unpack(pack(unpack))", lambda: unpacker.unpack(problem, again) == body, *told)
            holds(
                "what unpacks is typed", lambda: read_body(problem, show_body(body)) == body, *told
            )

    def _storm(self, rng: random.Random, problem: Problem, body: Body) -> None:
        """A text of about a MiB before every reader."""
        coder = rng.choice(self.coders)
        texts = texts_of(problem, body, coder[1].pack(problem, body))
        for reader, text in texts.items():
            begin = rng.randrange(len(text))
            end = begin + rng.choice([1, 2, 5, len(text)])
            part = rng.choice([text[begin:end], text + "\n", rng.choice(FRAGMENTS)])
            size = signature.TEXT_BYTES_MAX // len(part.encode("utf-8", "replace"))
            storm = part * (size + rng.choice([0, 0, 0, 1]))
            lead = rng.choice(["", text[:begin]])
            if len(lead) + len(storm) > signature.TEXT_BYTES_MAX:
                storm = storm[: -len(lead) or None]
            self._try(reader, lead + storm, problem, coder, storm=True)


def _books(rng: random.Random) -> list[codebook.Codebook]:
    """Every strategy and option without macros, some with random macros, and the shipped one."""
    flags = (False, True)
    books = [
        codebook.bare(
            strategy, atoms=atoms, references=references, pairs=pairs, negatives=negatives
        )
        for strategy in range(codebook.STRATEGY_MAX + 1)
        for atoms in flags
        for references in flags
        for pairs in flags[: 1 + atoms]
        for negatives in flags[: 1 + atoms]
    ]
    grown = [book.with_macros(random_macros(rng, rng.choice([3, 40, 56])), "") for book in books]
    return [*books, *grown, codebook.shipped()]


def _usual(rng: random.Random) -> tuple[Problem, list[Body]]:
    problem = random_problem(rng)
    return problem, [random_body(rng, problem, rng.choice([2, 8, 8, 8, 24])) for _ in range(2)]


def _tower(rng: random.Random) -> tuple[Problem, list[Body]]:
    """A goal and a step of nearly the greatest depth, or exactly that, of nots and implications."""
    term: Term = "c0"
    height = signature.DEPTH_MAX - rng.choice([1, 1, 2, 30])
    name = rng.choice(["not", "imp", "or", ""])
    for _ in range(height):
        step = name or rng.choice(["not", "imp", "or", "iff"])
        term = ("not", term) if step == "not" else make(step, term, rng.choice(["c0", "c1"]))
    problem = problem_of(_renamed(("entails", ("given", "c0"), term), {}))
    assert problem.goal is not None
    steps = [("assume", problem.goal), ("val", problem.goal, "true")]
    return problem, [body_of(problem, [*steps[: rng.randint(1, 2)], ("qed", "yes")])]


def _places(term: Term, path: tuple[int, ...] = ()) -> Iterable[tuple[tuple[int, ...], Term]]:
    if not isinstance(term, tuple):
        yield path, term
    elif term[0] != "frac":
        for number, each in enumerate(term[1:], start=1):
            yield from _places(each, (*path, number))


def _changed(rng: random.Random, term: Term) -> Term:
    """The term with one leaf replaced by another leaf of it, or nearly; ill typed at times."""
    leaves = list(_places(term))
    if not leaves:
        return term
    path, leaf = rng.choice(leaves)
    if isinstance(leaf, int) and rng.random() < 0.5:
        return _put(term, path, leaf + 1)
    alike = [each for _, each in leaves if str(each)[0] == str(leaf)[0]]
    return _put(term, path, rng.choice(alike))


def _put(term: Any, path: tuple[int, ...], value: Term) -> Any:
    if not path:
        return value
    return (*term[: path[0]], _put(term[path[0]], path[1:], value), *term[path[0] + 1 :])


def _respelt_within(term: Term, rng: random.Random) -> Term:
    """The term respelt, or itself where that would be deeper or longer than problems may be."""
    other = _respelt(term, rng)
    fits = _depth(other) <= signature.DEPTH_MAX and 2 * size(other) <= signature.PROBLEM_NODES_MAX
    return other if fits else term


def _depth(term: Term) -> int:
    """Brackets around the innermost argument."""
    return 1 + max(map(_depth, term[1:]), default=0) if isinstance(term, tuple) else 0


def _disguised(rng: random.Random, term: Term, constants: int) -> Term:
    """A problem renamed and respelt, with premises shuffled and doubled, sides swapped."""
    names = rng.sample(range(constants), constants)
    return _shuffled(rng, _respelt_within(_named(term, names), rng))


def _shuffled(rng: random.Random, term: Any) -> Any:
    if not isinstance(term, tuple):
        return term
    parts = [_shuffled(rng, each) for each in term[1:]]
    if term[0] == "given" and parts and rng.random() < 0.3:
        parts.append(rng.choice(parts))
    if term[0] in ("given", "eqn", "gcd"):
        rng.shuffle(parts)
    return (term[0], *parts)


def _named(term: Any, names: list[int] | tuple[int, ...]) -> Any:
    if isinstance(term, tuple):
        return (term[0], *[_named(each, names) for each in term[1:]])
    if isinstance(term, str) and re.fullmatch("c[0-9]+", term):
        return f"c{names[int(term[1:])]}"
    return term


def _mark(term: Term) -> str:
    """The fingerprint, or why there is none."""
    try:
        return fingerprint(problem_of(term))
    except LanguageError as error:
        return error.reason


def _isomorphic(one: Term, other: Term) -> bool:
    """Whether some naming makes two problems equal under the laws, `given` being a set."""
    try:
        left, right = problem_of(one), problem_of(other)
    except LanguageError:
        return False
    if left.constants != right.constants:
        return False
    wanted = _problem_class(left.term)
    return any(
        _problem_class(_named(right.term, names)) == wanted
        for names in permutations(range(right.constants))
    )


def _problem_class(term: Any) -> Any:
    return term[0], frozenset(map(_classes, term[1][1:])), _classes(term[2])


def sweep(terms: int, seed: str, say: Callable[[str], None] = print) -> Tally:
    """Rounds until so many terms were drawn."""
    fuzz, began = Fuzz(seed), time.monotonic()
    tally, told = fuzz.tally, began
    while tally.terms.total() < terms:
        fuzz.round()
        if time.monotonic() - told > 10:
            told = time.monotonic()
            count, faults = tally.terms.total(), tally.faults.total()
            say(f"{told - began:.0f} s: {count:,} terms, {faults} faults {dict(tally.faults)}")
    return tally


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--terms", type=int, default=1_000_000)
    parser.add_argument("--seed", default="0")
    given = parser.parse_args()
    wall, cpu = time.monotonic(), time.process_time()
    tally = sweep(given.terms, given.seed, lambda line: print(line, file=sys.stderr, flush=True))
    cpu = time.process_time() - cpu
    total = tally.terms.total()
    slowest = {key: asdict(each) for key, each in vars(tally).items() if key.startswith("slow")}
    found = (
        vars(tally)
        | slowest
        | {
            "seed": given.seed,
            "total_terms": total,
            "total_faults": tally.faults.total(),
            "seconds": round(time.monotonic() - wall, 1),
            "cpu_seconds": round(cpu, 1),
            "terms_per_cpu_second": round(total / cpu),
            "smallest": {name: why[:EXAMPLE_MAX] for name, why in tally.smallest.items()},
        }
    )
    print(json.dumps(found, indent=1))
    sys.exit(1 if tally.faults else 0)


if __name__ == "__main__":
    _main()
