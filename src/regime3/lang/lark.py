"""Lark grammars of codes, for engines that mask by grammar: llguidance, and vLLM through it.

    print(lark(book, "gcd"))                       # with token names such as <E196>
    print(lark(book, "entails", constants=3, first_id=151_669))      # with token ids

This is the static part of the masks, one grammar for a kind of problem: types, digit forms, macros,
and that a statement never names a class twice. A grammar can count neither budgets, lines and list
items nor the integers seen so far, and knows no replay: where R, B, bare results and `qed!` may
stand it allows all of them, so a string that it accepts may still be refused by `unpack`. Masks
that know more are `masks.Constrainer`'s. SPEC.md, section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from regime3.lang import codes, signature
from regime3.lang.codebook import Codebook
from regime3.lang.masks.states import (
    DONE,
    FLAT,
    LINES,
    LOOSE,
    REFERENCES,
    Name,
    Pushed,
    Shape,
    States,
)
from regime3.lang.spelling import ATOMS, DIGITS, LAST_DIGITS, NEGATIVES, PAIRS

_SETS = {
    "atoms": ATOMS,
    "digits": DIGITS,
    "last_digits": LAST_DIGITS,
    "references": REFERENCES,
    "lines": LINES,
    "negatives": NEGATIVES,
    "pairs": PAIRS,
}
"""Codes that a rule of their own lists, all or from the second or third on."""
_BOUNDS = {bound for each in _SETS.values() for bound in (each.start, each.stop)}


def lark(
    book: Codebook,
    kind: str,
    *,
    folds: bool = False,
    constants: int = signature.CONSTANTS_MAX,
    first_id: int | None = None,
) -> str:
    """The grammar of bodies for a kind of problem; `folds`: of run, that the answer is an integer.

    Tokens go by name, `<E000>`, or by id if `first_id` says which token code 0 is.
    """
    answer = signature.answer_type(kind, folds)
    states = States(book, Shape(kind, constants, answer, loose=True))
    return _Writer(states, _by_name if first_id is None else _by_id(first_id)).text()


def _by_name(given: range) -> list[str]:
    return [codes.token(code) for code in given]


def _by_id(first: int) -> Callable[[range], list[str]]:
    def shown(given: range) -> list[str]:
        last = "" if len(given) == 1 else f"-{first + given[-1]}"
        return [f"<[{first + given[0]}{last}]>"]

    return shown


class _Writer:
    """Rules of one grammar, in the order in which they are first needed."""

    def __init__(self, states: States, shown: Callable[[range], list[str]]) -> None:
        self.states, self.shown = states, shown
        self.sets: dict[str, range] = {}
        self.waiting: list[Name] = []
        self.seen: set[Name] = set()

    def text(self) -> str:
        """The whole grammar."""
        shape, pushes = self.states.shape, self._grouped(LOOSE)
        steps = {p[:-1]: given for p, given in pushes.items() if p[-1] == LOOSE}
        answers = {p[:-1]: given for p, given in pushes.items() if p[-1] == DONE}
        rules = [
            "%llguidance {}",
            f"// Regime 3, {self.states.version}: bodies of {shape.kind}, answer {shape.answer}",
            "start: step* answer",
            self._rule("step", steps),
            self._rule("answer", answers),
        ]
        while self.waiting:
            name = self.waiting.pop(0)
            rules.append(self._rule(_rule_name(name), self._grouped(name)))
        for word, given in sorted(self.sets.items()):
            rules.append(f"{word}: {' | '.join(self.shown(given))}")
        return "\n".join(rules) + "\n"

    def _grouped(self, name: Name) -> dict[Pushed, list[int]]:
        """The codes of a state by what they push."""
        found: dict[Pushed, list[int]] = {}
        for code in self.states.codes(name):
            pushed = self.states.push(code, name)
            assert pushed is not None
            found.setdefault(tuple(map(self._simple, pushed)), []).append(code)
        return found

    def _simple(self, name: Name) -> Name:
        """The name without what a grammar cannot count."""
        match name:
            case ("type", str(kind), _):
                return ("type", kind, 0 if kind in FLAT else 1)
            case ("many", str(kind), _, _):
                return ("many", kind, 0 if kind in FLAT else 1, None)
            case ("digits", _, int(count)):
                return ("digits", "int", min(count, self.states.spelling.digits_least - 1))
            case ("neg", _):
                return ("neg", "int")
        return name

    def _rule(self, name: str, pushes: dict[Pushed, list[int]]) -> str:
        lines = []
        for pushed, given in pushes.items():
            heads = self._alternatives(given)
            head = f"({' | '.join(heads)})" if len(heads) > 1 and pushed else " | ".join(heads)
            lines.append(" ".join([head, *map(self._symbol, pushed)]))
        return f"{name}: " + "\n    | ".join(lines)

    def _symbol(self, name: Name) -> str:
        if name[0] == "many":
            item = self._symbol(("type", *name[1:3]))
            return f"{item}* {self.shown(range(codes.END, codes.END + 1))[0]}"
        if name not in self.seen:
            self.seen.add(name)
            self.waiting.append(name)
        return _rule_name(name)

    def _alternatives(self, given: Iterable[int]) -> list[str]:
        """Codes as tokens, or as the rule that lists them."""
        found: list[str] = []
        for run in _runs(given):
            word = next((word for word, each in _SETS.items() if run.stop == each.stop), None)
            skipped = run.start - _SETS[word].start if word else 0
            if word is None or not 0 <= skipped <= 2:
                found += self.shown(run)
                continue
            name = f"{word}_from_{skipped}" if skipped else word
            self.sets[name] = run
            found.append(name)
        return found


def _runs(given: Iterable[int]) -> list[range]:
    """Ascending codes as ranges; none crosses from one set of codes into another."""
    found: list[range] = []
    for code in given:
        if found and found[-1].stop == code and code not in _BOUNDS:
            found[-1] = range(found[-1].start, code + 1)
        else:
            found.append(range(code, code + 1))
    return found


def _rule_name(name: Name) -> str:
    match name:
        case ("type", str(kind), _):
            return kind.lower().replace("answer-", "answer_of_")
        case ("digits", _, count):
            return f"after_{count}_digits"
        case ("neg", _):
            return "after_minus"
        case ("other", int(code)):
            return f"not_{codes.BASE[code]}"
        case ("over",):
            return "numerator"
        case ("under",):
            return "denominator"
    return str(name[0])
