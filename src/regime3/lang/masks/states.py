"""What may stand where in a string of codes: states by name, and what each code pushes there.

    states = States(book, Shape("gcd", 0, "Int"))
    states.push(CODE["r-divmod"], ("step", "any", None, False))
    # (("type", "Int", 0), … four of them, ("after",))

A name is a tuple: a type at a depth, items of a starred form and how many more may come, an integer
half spelled, a step. Names are a context-free grammar with counters in them, so list limits, digit
limits, depth and "not the same class twice" need no code of their own. Costs are `automaton`'s,
what depends on a problem's history is `constrainer`'s. See SPEC.md, section 6.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from regime3.lang import codes, signature
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODE, FIRST_MACRO
from regime3.lang.signature import FORMS
from regime3.lang.spelling import spelling_of

Name = tuple[Any, ...]
Pushed = tuple[Name, ...]

REFERENCES: Final = range(codes.REFERENCE, codes.REFERENCE + codes.REFERENCES_MAX)
LINES: Final = range(codes.BACK + 1, codes.BACK + signature.LINES_MAX)
CONSTANTS: Final = range(codes.CONSTANT, codes.CONSTANT + signature.CONSTANTS_MAX)

ITEMS_MAX: Final = {
    "list": signature.LIST_MAX,
    "factors": signature.LIST_MAX,
    "counter": signature.ELEMENTS_MAX,
    "try": signature.CONSTANTS_MAX,
    "elem": signature.CONSTANTS_MAX,
}
"""The most arguments of starred forms; others are bounded by the nodes of a step alone."""

FLAT: Final = frozenset({"Int", "Bool", "Line", "G", codes.CITED})
"""Types without compounds: their depth does not matter."""

AFTER: Final[Name] = ("after",)
"""Between steps: what comes is up to the replay."""
DONE: Final[Name] = ("done",)
LOOSE: Final[Name] = ("loose",)
"""A step as far as a grammar without replay can tell."""

_CLASSES: Final[Name] = ("classes",)
"""Two slots in one, which is no matter to macros: classes are never in them and come last."""

_TOLD: Final[dict[str, tuple[str, ...]]] = {
    "eval": ("Num", codes.LONG), "mod": ("Int", codes.LONG), "gcd": ("Int", codes.LONG),
    "factor": ("Int",), "solve": ("Num",),
    "run": ("Int", "List"), "entails": (codes.CITED, "Bool"), "follows": ("Line", codes.MODEL),
}  # fmt: skip
"""Terms that may tell a step or an answer in a kind of problem, one at a time."""

Ways = tuple[signature.Slots, ...]
"""Ways to tell what comes next, `replay.State.expects`."""


class Shape(NamedTuple):
    """All that states have to know of a problem."""

    kind: str
    constants: int
    answer: str
    """The type of its answer."""
    loose: bool = False
    """Leave out what only a history can tell: what a context-free grammar can say is left."""


class States:
    """The states of one codebook for problems of one shape."""

    def __init__(self, book: Codebook, shape: Shape) -> None:
        self.shape = shape
        self.spelling = spelling_of(book)
        self.references = book.options["references"]
        self.macros = {FIRST_MACRO + number: macro for number, macro in enumerate(book.macros)}
        self.predicts = book.strategy > 0
        self.version = book.version
        self._rules = signature.RULES[shape.kind]
        self._bases: dict[Name, dict[int, Pushed]] = {}

    def codes(self, name: Name) -> list[int]:
        """The codes that may stand in a state, ascending."""
        macros = [code for code in self.macros if self.push(code, name) is not None]
        return sorted([*self.base(name), *macros])

    def push(self, code: int, name: Name) -> Pushed | None:
        """The states that the code leaves to be filled, in reading order, or None: refused."""
        if code not in self.macros:
            return self.base(name).get(code)
        outer, slot, inner = self.macros[code]
        pushed = self.push(outer, name)
        if pushed is None or slot >= len(pushed):
            return None
        filled = self.push(inner, pushed[slot])
        return None if filled is None else pushed[:slot] + filled + pushed[slot + 1 :]

    def base(self, name: Name) -> dict[int, Pushed]:
        """What each code that is no macro pushes."""
        found = self._bases.get(name)
        if found is None:
            found = self._bases[name] = getattr(self, f"_{name[0]}")(*name[1:])
        return found

    def nodes(self, code: int) -> int:
        """Nodes that the code adds to its step; an integer's last code counts for it."""
        if code in self.spelling.more or code in (codes.NEG, codes.END):
            return 0
        if code not in self.macros:
            return 1
        outer, _, inner = self.macros[code]
        return self.nodes(outer) + self.nodes(inner)

    # ------------------------------------------------------------------------------------ terms

    def _type(self, kind: str, depth: int) -> dict[int, Pushed]:
        """A term of a type. A compound's arguments are one deeper."""
        found: dict[int, Pushed] = {}
        for head, slots in codes.TYPE_FORMS.get(kind, {}).items():
            if not slots:
                found[CODE[head]] = ()
            elif depth < signature.DEPTH_MAX:
                found.update(_form(head, slots, depth + 1))
        if kind in signature.INTEGER_TYPES:
            found.update(self._integers("int"))
        for variable, kinds in signature.VARIABLE_TYPES.items():
            if kind in kinds:
                found[CODE[variable]] = ()
        if kind in codes.CONSTANT_TYPES:
            found.update(dict.fromkeys(self._constants(), ()))
        if kind in ("Line", codes.CITED):
            found.update(dict.fromkeys(LINES, ()))
        return found

    def _many(self, kind: str, depth: int, left: int | None) -> dict[int, Pushed]:
        """Items until `end`, at most `left` more."""
        found: dict[int, Pushed] = {CODE["end"]: ()}
        if left == 0:
            return found
        rest = ("many", kind, depth, None if left is None else left - 1)
        for code, pushed in self.base(("type", kind, depth)).items():
            found[code] = (*pushed, rest)
        return found

    def _constants(self) -> range:
        return CONSTANTS[: self.shape.constants]

    def _classes(self) -> dict[int, Pushed]:
        """The two classes of a statement."""
        return {code: (("other", code),) for code in self._constants()}

    def _other(self, taken: int) -> dict[int, Pushed]:
        """A class, but not that one."""
        return {code: () for code in self._constants() if code != taken}

    # --------------------------------------------------------------------------------- integers

    def _integers(self, role: str) -> dict[int, Pushed]:
        """An integer; over a line not 0, under one 2 or more."""
        least = {"int": 0, "over": 1, "under": 2}[role]
        found: dict[int, Pushed] = dict.fromkeys(self.spelling.ones[least:], ())
        found.update(dict.fromkeys(self.spelling.more, (("digits", role, 1),)))
        if role != "under":
            found.update(dict.fromkeys(self.spelling.negatives, ()))
            found[CODE["neg"]] = (("neg", role),)
        if self.references:
            found.update(dict.fromkeys(REFERENCES, ()))
        return found

    def _over(self) -> dict[int, Pushed]:
        return self._integers("over")

    def _under(self) -> dict[int, Pushed]:
        return self._integers("under")

    def _neg(self, role: str) -> dict[int, Pushed]:
        """After the sign: what is no integer of one code with it."""
        least = 1 + len(self.spelling.negatives)
        found: dict[int, Pushed] = dict.fromkeys(self.spelling.ones[least:], ())
        return found | dict.fromkeys(self.spelling.more, (("digits", role, 1),))

    def _digits(self, role: str, count: int) -> dict[int, Pushed]:
        """After `count` digits."""
        found: dict[int, Pushed] = {}
        if count + 1 < self.spelling.digits_max:
            found.update(dict.fromkeys(self.spelling.more, (("digits", role, count + 1),)))
        if count + 1 >= self.spelling.digits_least:
            found.update(dict.fromkeys(self.spelling.last[1:], ()))
        return found

    # ------------------------------------------------------------------------------------ steps

    def _step(self, mode: str, ways: Ways, implied: bool) -> dict[int, Pushed]:
        """A step or the answer, whichever the first code says."""
        found: dict[int, Pushed] = {}
        for way in ways:
            end = DONE if way[0] == codes.MODEL else AFTER
            if mode != "last" or end == DONE:
                first, *others = (_slot("", kind, 1) for kind in way)
                for code, pushed in self.base(first).items():
                    found[code] = (*pushed, *others, end)
        if mode != "last":
            for rule in self._rules.values():
                if mode == "any" or "Line" not in rule.operands:
                    slots = tuple(_slot(rule.name, slot, 1) for slot in rule.slots)
                    found[CODE[rule.name]] = (*slots, AFTER)
        found[CODE["qed"]] = (("type", self.shape.answer, 1), DONE)
        if implied:
            found[CODE["qed!"]] = (DONE,)
        return found

    def _loose(self) -> dict[int, Pushed]:
        told = _TOLD[self.shape.kind] if self.predicts else ()
        found = self._step("any", tuple((kind,) for kind in told), True)
        return {code: tuple(LOOSE if s == AFTER else s for s in p) for code, p in found.items()}

    def _after(self) -> dict[int, Pushed]:
        return {}

    def _done(self) -> dict[int, Pushed]:
        return {}


def _form(head: str, slots: signature.Slots, depth: int) -> dict[int, Pushed]:
    """A compound; an associative one has a code for two arguments and one for more."""
    if head == "frac":
        return {CODE[head]: (("over",), ("under",))}
    if head in FORMS["S"]:
        return {CODE[head]: (_CLASSES,)}
    if head in signature.ASSOCIATIVE:
        item, rest = _slot(head, slots[0], depth), _slot(head, slots[2], depth)
        return {CODE[head]: (item, item), CODE[head + "+"]: (item, item, item, rest)}
    return {CODE[head]: tuple(_slot(head, slot, depth) for slot in slots)}


def _slot(head: str, slot: str, depth: int) -> Name:
    kind = slot.rstrip("*")
    depth = 0 if kind in FLAT else depth
    if kind == slot:
        return ("type", kind, depth)
    return ("many", kind, depth, ITEMS_MAX.get(head))
