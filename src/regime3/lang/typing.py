"""Types: which terms may stand where. Reading a term into a type also makes it canonical.

    typed(("add", 3, "x0"), "L", Scope())          # ("add", "x0", 3)

Raises `LanguageError` with the `path` of the argument at fault; readers of text turn it into a
caret. It refuses what the specification refuses and computes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.canon import make
from regime3.lang.signature import FORMS
from regime3.lang.terms import Term, fraction_fault

Path = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What may be named: constants c0 .. c(constants-1), lines l1 .. l(line-1)."""

    constants: int = signature.CONSTANTS_MAX
    line: int = 0


WORDS = {
    "E": "an expression",
    "M": "an expression of integers, add, mul, sub and pow",
    "L": "a linear expression in x0",
    "B": "an expression in x0",
    "D": "an expression in x0 and x1",
    "K": "a condition",
    "P": "a proposition",
    "G": "a class (c0, c1, …)",
    "S": "a statement (all, no, some, some-not)",
    "Q": "an equation",
    "F": "a stage (map, filter, fold, sort, rev, take, drop)",
    "Z": "a problem (eval, solve, gcd, mod, factor, entails, follows, run)",
    "Ps": "(given …) with propositions",
    "Ss": "(given …) with statements",
    "Int": "an integer",
    "Num": "a number",
    "Bool": "true or false",
    "Elem": "(elem …)",
    "Cited": "a line or the goal",
    "Long": "end",
    "Model": "a told counter-model",
    "Witness": "a class or (elem …)",
    "Line": "a line (l1, l2, …)",
    "List": "(list …)",
    "Pipe": "(pipe …)",
    "Answer-solve": "a number, none or any",
    "Answer-factor": "(factors …)",
    "Answer-entails": "yes or (counter …)",
    "Answer-follows": "yes or (counter …)",
}


def typed(term: Term, kind: str, scope: Scope, path: Path = ()) -> Term:
    """The term in canonical form if it is of type `kind`; else `LanguageError` with a path."""
    if isinstance(term, tuple):
        return _compound(term, kind, scope, path)
    if isinstance(term, int):
        return _integer(term, kind, path)
    if term in signature.RANK:
        if FORMS.get(kind, {}).get(term) == ():
            return term
    elif _names(term, kind, scope, path):
        return term
    raise _mismatch(term, kind, path)


def _integer(term: int, kind: str, path: Path) -> int:
    if kind not in signature.INTEGER_TYPES or isinstance(term, bool):
        raise _mismatch(term, kind, path)
    if abs(term) > signature.INTEGER_MAX:
        raise LanguageError(f"more than {signature.DIGITS_MAX} digits", path=path)
    return term


def _names(term: str, kind: str, scope: Scope, path: Path) -> bool:
    """A variable, constant or line that may stand here; one out of range is refused."""
    if term[0] == "x":
        return kind in signature.VARIABLE_TYPES.get(term, ())
    number = int(term[1:])
    if term[0] == "c" and kind in signature.CONSTANT_TYPES:
        if number >= scope.constants:
            raise LanguageError(
                f"{term} is none of the problem's {scope.constants} constants", path=path
            )
        return True
    if term[0] == "l" and kind == "Line":
        if not 1 <= number < scope.line:
            raise LanguageError(f"{term} is no line before line {scope.line}", path=path)
        return True
    return False


def _compound(term: tuple[Term, ...], kind: str, scope: Scope, path: Path) -> Term:
    name = term[0]
    assert isinstance(name, str)
    if len(path) >= signature.DEPTH_MAX:
        raise LanguageError(f"deeper than {signature.DEPTH_MAX}", path=path)
    if name == "frac":
        if kind not in signature.FRACTION_TYPES:
            raise _mismatch(term, kind, path)
        if fault := fraction_fault(term[1:]):
            raise LanguageError(fault, path=path)
        for number, part in enumerate(term[1:]):
            typed(part, "Int", scope, (*path, number))
        return term
    slots = FORMS.get(kind, {}).get(name)
    if not slots:
        raise _mismatch(term, kind, path)
    arguments = typed_arguments(term, slots, scope, path)
    _refuse(name, arguments, path)
    return make(name, *arguments)


def typed_arguments(
    term: tuple[Term, ...], slots: signature.Slots, scope: Scope, path: Path
) -> list[Term]:
    """The arguments of `term`, each read into its slot's type; a starred slot takes the rest."""
    fixed = [slot for slot in slots if not slot.endswith("*")]
    many = slots[-1][:-1] if len(fixed) < len(slots) else None
    count = len(term) - 1
    if count < len(fixed) or (count > len(fixed) and many is None):
        wanted = f"{len(fixed)} or more" if many else str(len(fixed))
        noun = "argument" if wanted == "1" else "arguments"
        raise LanguageError(f"{term[0]} wants {wanted} {noun}, not {count}", path=path)
    kinds = fixed + [many or ""] * (count - len(fixed))
    return [
        typed(argument, kind, scope, (*path, number))
        for number, (argument, kind) in enumerate(zip(term[1:], kinds, strict=True))
    ]


_LENGTHS = {
    "list": (signature.LIST_MAX, "items"),
    "factors": (signature.LIST_MAX, "factors"),
    "counter": (signature.ELEMENTS_MAX, "elements"),
    "try": (signature.CONSTANTS_MAX, "values"),
    "elem": (signature.CONSTANTS_MAX, "classes"),
}
_AT_LEAST = {"pow": (1, 2), "rem": (1, 2), "mod": (1, 2), "take": (0, 0), "drop": (0, 0)}


def _refuse(name: str, arguments: list[Term], path: Path) -> None:
    """The refusals of the specification beyond types."""
    if name in _LENGTHS:
        check_length(name, len(arguments), path)
    elif name in _AT_LEAST:
        slot, least = _AT_LEAST[name]
        number = arguments[slot]
        if isinstance(number, int) and number < least:
            raise LanguageError(f"{name} wants {least} or more here", path=(*path, slot))
    elif name in FORMS["S"] and arguments[0] == arguments[1]:
        raise LanguageError("one class twice in a statement", path=(*path, 1))
    elif name == "pipe":
        for number, stage in enumerate(arguments[:-1]):
            if isinstance(stage, tuple) and stage[0] == "fold":
                raise LanguageError("fold must be the last stage", path=(*path, number))
    elif name == "gcd":
        if arguments == [0, 0] or any(isinstance(each, int) and each < 0 for each in arguments):
            raise LanguageError("gcd wants no negative number, and not 0 and 0", path=path)
    elif name == "factor":
        number = arguments[0]
        if not isinstance(number, int) or not 2 <= number <= signature.FACTOR_MAX:
            raise LanguageError(f"factor wants 2 to {signature.FACTOR_MAX:,}", path=(*path, 0))


def check_length(name: str, count: int, path: Path) -> None:
    """Refuse a starred form that is longer than its limit."""
    most, noun = _LENGTHS[name]
    if count > most:
        raise LanguageError(f"more than {most} {noun}", path=path)


def _mismatch(term: Term, kind: str, path: Path) -> LanguageError:
    shown = term[0] if isinstance(term, tuple) else term
    what = f"({shown} …)" if isinstance(term, tuple) else str(shown)[:32]
    return LanguageError(f"{WORDS.get(kind, kind)} must stand here, not {what}", path=path)
