"""Reading one term from codes: what the cells of `grammar`'s tables do when they are met.

    entry = table[reader.take()]
    term = entry if entry.__class__ is str else entry[0](reader, entry, depth)

A cell that is not a term already is a tuple whose first part is one of the functions here. They
take the codes that follow from the reader, bottom up into canonical terms, and raise
`LanguageError` without a place: `unpack` knows which code was read last. The type of every
argument is in the tables; what types do not say (lengths, depth, lowest terms) is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.canon import make
from regime3.lang.codes import ATOM, CODES_MAX, DIGIT, END, LAST_DIGIT, PAIR
from regime3.lang.references import touch
from regime3.lang.spelling import Spelling
from regime3.lang.terms import Term, fraction_fault
from regime3.lang.typing import WORDS, check_length

CANONICAL_MAX: Final = 1 << 15
"""Commutative terms whose canonical form is remembered; then all are forgotten."""
CANONICAL_ARGUMENTS_MAX: Final = 8
"""Terms with more arguments are not remembered, so that room is bounded."""
KIND: Final = CODES_MAX
"""Index of the type's word in a table."""

Table = list[Any]
"""A cell for each code, then the type's word."""
Plan = tuple[Any, ...]
"""(build, name, finisher, children); a child is a Table, a Many, a plan or a ready string."""

_LINES: Final = [f"l{line}" for line in range(signature.LINES_MAX + 1)]


class Many:
    """A starred slot in a plan: items of a table, then `end`."""

    __slots__ = ("table",)

    def __init__(self, table: Table) -> None:
        self.table = table


class Reader:
    """What reading a body's terms has to know and to remember."""

    __slots__ = ("canonical", "line", "recent", "spelling", "take")

    def __init__(
        self,
        take: Callable[[], int],
        line: int,
        recent: list[int],
        spelling: Spelling,
        canonical: dict[Term, Term],
    ) -> None:
        self.take = take
        """The next code; StopIteration when there is none."""
        self.line = line
        """The line that this step will be, 1-based."""
        self.recent = recent
        """What R refers to."""
        self.spelling = spelling
        self.canonical = canonical
        """Canonical forms of commutative terms that were read before, for all bodies."""

    def term(self, table: Table, depth: int) -> Term:
        """The term of the table's type that comes next."""
        return self.begun(table, self.take(), depth)

    def begun(self, table: Table, code: int, depth: int) -> Term:
        """The term of the table's type that begins with `code`, which was taken before."""
        entry = table[code]
        if entry.__class__ is tuple:
            entry = entry[0](self, entry, depth)
        elif entry is None:
            raise unfit(table, code)
        return entry  # type: ignore[no-any-return]


def unfit(table: Table, code: int) -> LanguageError:
    """The refusal of a code that a table has no cell for."""
    if DIGIT <= code < LAST_DIGIT + 10 and table[PAIR] is not None:
        return LanguageError("digits go in pairs here: P, and A for the highest two")
    if LAST_DIGIT <= code < LAST_DIGIT + 10 and table[ATOM] is not None:
        return LanguageError("a number below 100 is one code A")
    return LanguageError(f"{WORDS.get(table[KIND], table[KIND])} must stand here")


def build(reader: Reader, plan: Plan, depth: int) -> Term:
    """A compound: its children in reading order, then its canonical form."""
    if depth >= signature.DEPTH_MAX:
        raise LanguageError(f"deeper than {signature.DEPTH_MAX}")
    _, name, finish, children = plan
    take = reader.take
    parts = [name]
    for child in children:
        if child.__class__ is list:
            code = take()
            entry = child[code]
            if entry.__class__ is tuple:
                entry = entry[0](reader, entry, depth + 1)
            elif entry is None:
                raise unfit(child, code)
            parts.append(entry)
        elif child.__class__ is tuple:
            parts.append(build(reader, child, depth + 1))
        elif child.__class__ is str:
            parts.append(child)
        else:
            _items(reader, child.table, depth + 1, parts)
    return tuple(parts) if finish is None else finish(reader, tuple(parts))


def _items(reader: Reader, table: Table, depth: int, parts: list[Term]) -> None:
    """The items of a starred slot, up to `end`."""
    take = reader.take
    # Not `iter(take, END)`: that would take the end of the codes for the end of the items.
    while (code := take()) != END:
        entry = table[code]
        if entry.__class__ is tuple:
            entry = entry[0](reader, entry, depth)
        elif entry is None:
            raise unfit(table, code)
        parts.append(entry)


def line(reader: Reader, entry: Plan, depth: int) -> Term:
    """`Bd`: the line d before this one."""
    number: int = reader.line - entry[1]
    if number < 1:
        raise LanguageError(f"there is no line {entry[1]} before line {reader.line}")
    return _LINES[number]


def cited(reader: Reader, entry: Plan, depth: int) -> Term:
    """`Bd` where the goal may be cited too: `l0`."""
    return "l0" if entry[1] == reader.line else line(reader, entry, depth)


def reference(reader: Reader, entry: Plan, depth: int) -> Term:
    """`Rk`: the large integer seen k before the latest."""
    recent = reader.recent
    if entry[1] >= len(recent):
        raise LanguageError(f"only {len(recent)} large integers have been seen so far")
    number: int = recent[-1 - entry[1]]
    touch(recent, number)
    return number


def digits(reader: Reader, entry: Plan, depth: int) -> Term:
    """An integer whose lowest digit is `entry[1]`."""
    number = _rest(reader, entry[1])
    touch(reader.recent, number)
    return number


def negative(reader: Reader, entry: Plan, depth: int) -> Term:
    """A negative integer, after its sign."""
    code, spelled = reader.take(), reader.spelling
    if code in spelled.more:
        number = _rest(reader, code - spelled.more.start)
    else:
        if code not in spelled.ones:
            raise LanguageError(f"an atom or {spelled.digit}s must follow neg")
        number = code - spelled.ones.start
        if number == 0:
            raise LanguageError("zero has no sign")
        if -number in spelled.alone:
            raise LanguageError(f"-{number} is one code N{number}")
    touch(reader.recent, -number)
    return -number


def _rest(reader: Reader, lowest: int) -> int:
    """The number whose lowest digit was read, from its other digits, the lowest first."""
    spelled = reader.spelling
    more, last, base = spelled.more, spelled.last, spelled.base
    found, place, count = lowest, base, 1
    while True:
        code = reader.take()
        digit = code - (more if code in more else last).start
        if not 0 <= digit < base:
            raise LanguageError(f"a {spelled.digit} must stand here")
        found += digit * place
        place *= base
        count += 1
        if count > spelled.digits_max:
            raise LanguageError(f"more than {signature.DIGITS_MAX} digits")
        if code in last:
            break
    if digit == 0:
        raise LanguageError(f"the highest {spelled.digit} of a number is never 0")
    if count < spelled.digits_least:
        raise LanguageError("a number below 100 is one code A")
    return found


def _ordered(reader: Reader, term: Plan) -> Term:
    """The canonical form of a commutative term whose arguments are canonical."""
    found = reader.canonical.get(term)
    if found is None:
        found = make(*term)
        if len(term) <= CANONICAL_ARGUMENTS_MAX + 1:
            if len(reader.canonical) >= CANONICAL_MAX:
                reader.canonical.clear()
            reader.canonical[term] = found
    return found


def _statement(reader: Reader, term: Plan) -> Term:
    if term[1] == term[2]:
        raise LanguageError("one class twice in a statement")
    return _ordered(reader, term)


def _fraction(reader: Reader, term: Plan) -> Term:
    if fault := fraction_fault(term[1:]):
        raise LanguageError(fault)
    return term


def _counted(reader: Reader, term: Plan) -> Term:
    check_length(term[0], len(term) - 1, ())
    return term


FINISHERS: Final[dict[str, Callable[[Reader, Plan], Term]]] = {
    **dict.fromkeys(signature.COMMUTATIVE, _ordered),
    **dict.fromkeys(signature.FORMS["S"], _statement),
    **dict.fromkeys(("list", "factors", "counter", "try", "elem"), _counted),
    "frac": _fraction,
}
"""What is left to do once a compound of that name has its arguments."""
