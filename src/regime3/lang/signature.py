"""The signature: every name of the language, its rank, its types and its laws.

`signature.txt`, beside this file, is the one truth and is hashed into every codebook; this module
reads it into tables once. Types are words: `E` (an expression of eval), `M` (of mod), `L` (linear),
`B` (a body over x0), `D` (a fold's body over x0, x1), `K` (a condition), `P` (a proposition), `G`
(a class), `S` (a statement), `Q` (an equation), `F` (a stage), `Pipe`, `List`, `Ps`, `Ss`, `Int`,
`Num`, `Bool`, `Elem`, `Line` and the answer types of `answer_type`. A word ending in `*` stands
for any number of arguments.

It reads tables and decides nothing: `types` checks terms against it, `replay` gives rules meaning.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources
from typing import Final

DIGITS_MAX: Final = 64
DEPTH_MAX: Final = 64
PROBLEM_NODES_MAX: Final = 1024
STEPS_MAX: Final = 512
LIST_MAX: Final = 64
CONSTANTS_MAX: Final = 12
LINES_MAX: Final = 40
ELEMENTS_MAX: Final = 32
TEXT_BYTES_MAX: Final = 1 << 20
INTEGER_MAX: Final = 10**DIGITS_MAX - 1
FACTOR_MAX: Final = 10**8 - 1

KINDS: Final = ("eval", "solve", "gcd", "mod", "factor", "entails", "follows", "run")
"""What a problem can be: the name at its head."""

Slots = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as one kind of problem has it: types of its operands, then of its results."""

    name: str
    operands: Slots
    results: Slots

    @property
    def slots(self) -> Slots:
        """Operands and results, as a step holds them."""
        return self.operands + self.results


def _read() -> tuple[str, str, dict[str, list[list[str]]]]:
    """The file's version, the sha256 of what is hashed, and the cells of its rows by section."""
    text = resources.files("regime3.lang").joinpath("signature.txt").read_text(encoding="utf-8")
    hashed = text[text.index("\nversion ") + 1 :]
    sections: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in hashed.splitlines()[1:]:
        if line.startswith("["):
            rows = sections.setdefault(line.strip("[]"), [])
        elif line:
            rows.append([cell.strip() for cell in line.split("|")])
    version = hashed.splitlines()[0].removeprefix("version ")
    return version, hashlib.sha256(hashed.encode()).hexdigest(), sections


VERSION, SHA256, _SECTIONS = _read()

NAMES: Final[tuple[str, ...]] = tuple(row[0] for rows in _SECTIONS.values() for row in rows)
"""All names by rank."""
RANK: Final = {name: rank for rank, name in enumerate(NAMES)}


def _with_law(law: str) -> frozenset[str]:
    return frozenset(row[0] for row in _SECTIONS["terms"] if law in row[2].split())


ASSOCIATIVE: Final = _with_law("associative")
COMMUTATIVE: Final = _with_law("commutative")
IDEMPOTENT: Final = _with_law("idempotent")

FORMS: Final[dict[str, dict[str, Slots]]] = {}
"""FORMS[type][name]: the argument types of `name` where that type is wanted."""


def _add_form(name: str, kind: str, slots: Slots) -> None:
    FORMS.setdefault(kind, {})[name] = slots


def _fill_forms() -> None:
    for name, signature, _ in _SECTIONS["terms"]:
        arguments, _, result = signature.partition(">")
        slots = tuple(arguments.split())
        if name == "given":
            _add_form(name, "Ps", ("P*",))
            _add_form(name, "Ss", ("S*",))
        elif "=" in result:
            for kind in result.split("=")[1].split(","):
                _add_form(name, kind, tuple(_put(slot, "A", kind) for slot in slots))
        else:
            for kind in result.strip().split(","):
                _add_form(name, kind, slots)
    for kind in ("E", "L"):
        _add_form("frac", kind, ("Int", "Int"))
    for name, kinds, arguments in _SECTIONS["answers"][1:]:
        for kind in kinds.split():
            value = {"entails": "Bool", "follows": "Elem"}.get(kind, "")
            slots = tuple(_put(slot, "V", value) for slot in arguments.split())
            _add_form(name, "Elem" if name == "elem" else answer_type(kind), slots)


def _put(slot: str, letter: str, kind: str) -> str:
    """The slot with its letter, starred or not, replaced by a type."""
    return slot.replace(letter, kind) if slot.rstrip("*") == letter else slot


def answer_type(kind: str, folds: bool = False) -> str:
    """The type of an answer to a problem of this kind; `folds`: its pipeline ends in a fold."""
    if kind == "run":
        return "Int" if folds else "List"
    return {"eval": "Num", "mod": "Int", "gcd": "Int"}.get(kind, f"Answer-{kind}")


_fill_forms()
FORMS["Answer-solve"]["frac"] = ("Int", "Int")

INTEGER_TYPES: Final = frozenset({"Int", "Num", "E", "M", "L", "B", "D", "Answer-solve"})
"""Where an integer may stand."""
FRACTION_TYPES: Final = frozenset({"Num", "E", "L", "Answer-solve"})
"""Where a fraction may stand."""
VARIABLE_TYPES: Final = {"x0": frozenset({"L", "B", "D"}), "x1": frozenset({"D"})}
CONSTANT_TYPES: Final = frozenset({"P", "G"})

RULES: Final[dict[str, dict[str, Rule]]] = {kind: {} for kind in KINDS}
"""RULES[kind][name]: the rules that may be used on a problem of this kind."""
for _name, _kinds, _signature in _SECTIONS["rules"]:
    for _kind in _kinds.split():
        _number = "Num" if _kind == "eval" else "Int"
        _operands, _, _results = _signature.partition(">")
        RULES[_kind][_name] = Rule(
            _name,
            tuple(_put(slot, "N", _number) for slot in _operands.split()),
            tuple(_put(slot, "N", _number) for slot in _results.split()),
        )


def rule_slots(kind: str, rule: str) -> Rule | None:
    """The rule as this kind of problem has it, or None."""
    return RULES[kind].get(rule)
