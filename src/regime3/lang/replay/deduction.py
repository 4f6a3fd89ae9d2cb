"""The rules of natural deduction: pure functions of the statements that a step cites.

    rule = DEDUCTIONS["mp"]
    rule.misfit(("imp", "c0", "c1"), "c0")           # None: the operands fit
    rule.fault(("imp", "c0", "c1"), "c0", "c2")      # Finding(expected="c1", found="c2")

Operands fit if some result would be right with them. Which lines are visible, and what a box is,
is not known here: `entails` sees to it. SPEC.md, section 4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from regime3.lang.canon import make
from regime3.lang.replay.finding import Finding, shown
from regime3.lang.terms import Term

Misfit = tuple[int, str]
"""Which operand is at fault, from 0, and what it would have to be."""


@dataclass(frozen=True, slots=True)
class Deduction:
    """One rule. Both functions take the cited statements; `fault` the result as well.

    `fault` is asked only where the operands fit.
    """

    misfit: Callable[..., Misfit | None]
    fault: Callable[..., Finding | None]


# ---------------------------------------------------------------- which operands fit


def _any(*statements: Any) -> Misfit | None:
    return None


def has_form(term: Any, name: str) -> bool:
    """Whether a statement is a compound of that name."""
    return isinstance(term, tuple) and term[0] == name


def _mp_misfit(i: Any, a: Any) -> Misfit | None:
    if not has_form(i, "imp"):
        return 0, "an imp"
    return None if a == i[1] else (1, shown(i[1]))


def _mt_misfit(i: Any, n: Any) -> Misfit | None:
    if not has_form(i, "imp"):
        return 0, "an imp"
    return None if n == ("not", i[2]) else (1, shown(("not", i[2])))


def _ds_misfit(o: Any, n: Any) -> Misfit | None:
    if not has_form(o, "or"):
        return 0, "an or"
    return None if len(_denied(o, n)) == 1 else (1, f"the denial of one disjunct of {shown(o)}")


def _iff_i_misfit(i: Any, j: Any) -> Misfit | None:
    if not has_form(i, "imp"):
        return 0, "an imp"
    back = ("imp", i[2], i[1])
    return None if j == back else (1, shown(back))


def _iff_e_misfit(statement: Any) -> Misfit | None:
    return None if has_form(statement, "iff") else (0, "an iff")


def _raa_misfit(a: Any, f: Any) -> Misfit | None:
    return None if f == "false" else (1, "false")


def _efq_misfit(statement: Any) -> Misfit | None:
    return None if statement == "false" else (0, "false")


def _bot_misfit(a: Any, n: Any) -> Misfit | None:
    return None if n == ("not", a) else (1, shown(("not", a)))


def _cases_misfit(o: Any, i: Any, j: Any) -> Misfit | None:
    if not has_form(o, "or") or len(o) != 3:
        return 0, "an or of two"
    if not has_form(i, "imp") or i[1] not in o[1:]:
        return 1, f"an imp from {shown(o[1])} or {shown(o[2])}"
    other = ("imp", o[2] if i[1] == o[1] else o[1], i[2])
    return None if j == other else (2, shown(other))


# ---------------------------------------------------------------- which results are right


def _unless_equal(right: Term, result: Term) -> Finding | None:
    return None if result == right else Finding(shown(right), shown(result))


def _never(*statements: Any) -> Finding | None:
    return None


def _and_i(a: Any, b: Any, result: Any) -> Finding | None:
    return _unless_equal(make("and", a, b), result)


def _denied(o: Any, n: Any) -> list[Any]:
    """The disjuncts that n denies, or that deny n."""
    return [d for d in o[1:] if n == ("not", d) or d == ("not", n)]


def _ds(o: Any, n: Any, result: Any) -> Finding | None:
    (denied,) = _denied(o, n)
    rest = [d for d in o[1:] if d != denied]
    return _unless_equal(rest[0] if len(rest) == 1 else ("or", *rest), result)


def _iff_i(i: Any, j: Any, result: Any) -> Finding | None:
    return _unless_equal(make("iff", i[1], i[2]), result)


def _raa(a: Any, f: Any, result: Any) -> Finding | None:
    return None if a == ("not", result) else _unless_equal(("not", a), result)


def _and_e(statement: Any, result: Any) -> Finding | None:
    there = _parts("and", statement)
    extra = [each for each in _parts("and", result) if each not in there]
    return Finding(f"conjuncts of {shown(statement)}", shown(extra[0])) if extra else None


def _or_i(statement: Any, result: Any) -> Finding | None:
    if not has_form(result, "or"):
        return Finding("an or", shown(result))
    missing = [each for each in _parts("or", statement) if each not in result[1:]]
    if missing:
        return Finding(f"{shown(missing[0])} among the disjuncts", shown(result))
    return None


def _parts(name: str, statement: Any) -> tuple[Any, ...]:
    """Its conjuncts or disjuncts; anything else is its own only one."""
    return statement[1:] if has_form(statement, name) else (statement,)


def _iff_e(statement: Any, result: Any) -> Finding | None:
    _, a, b = statement
    return None if result == ("imp", b, a) else _unless_equal(("imp", a, b), result)


def _dn(statement: Any, result: Any) -> Finding | None:
    if statement == ("not", ("not", result)):
        return None
    return _unless_equal(("not", ("not", statement)), result)


DEDUCTIONS: Final[dict[str, Deduction]] = {
    "mp": Deduction(_mp_misfit, lambda i, a, r: _unless_equal(i[2], r)),
    "mt": Deduction(_mt_misfit, lambda i, n, r: _unless_equal(("not", i[1]), r)),
    "and-i": Deduction(_any, _and_i),
    "ds": Deduction(_ds_misfit, _ds),
    "iff-i": Deduction(_iff_i_misfit, _iff_i),
    "imp-i": Deduction(_any, lambda a, b, r: _unless_equal(("imp", a, b), r)),
    "raa": Deduction(_raa_misfit, _raa),
    "and-e": Deduction(_any, _and_e),
    "or-i": Deduction(_any, _or_i),
    "iff-e": Deduction(_iff_e_misfit, _iff_e),
    "efq": Deduction(_efq_misfit, _never),
    "dn": Deduction(_any, _dn),
    "cases": Deduction(_cases_misfit, lambda o, i, j, r: _unless_equal(i[2], r)),
    "bot": Deduction(_bot_misfit, _never),
}
"""Every rule of `entails` that cites lines."""
