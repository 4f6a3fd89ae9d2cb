"""The automaton of masks: states with moves, and what each move costs to close again.

    automaton = Automaton(States(book, Shape("gcd", 0, "Int")))
    step = automaton.state(("step", "any", (("Int", "Int"),), True))
    step.moves[code]        # (cost, states pushed in reverse, whether a long integer ends, room)

A configuration is a stack of states; a code replaces the top one by what it pushes. The cost of a
move is how many codes the least closing of the whole stack grows by, so a move passes while its
cost is at most the slack: what the budget has left over and above that closing. `room` is the same
in nodes of the step. States are made when they are first reached and keep the masks made for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from regime3.lang.codes import CITED, CODES_MAX, IMPLIED
from regime3.lang.masks.rows import Row
from regime3.lang.masks.states import (
    AFTER,
    DONE,
    FLAT,
    LINES,
    LOOSE,
    REFERENCES,
    Name,
    Pushed,
    States,
    Ways,
)
from regime3.lang.signature import LINES_MAX
from regime3.lang.signature import PROBLEM_NODES_MAX as NODES_MAX

NEEDED: Final = {
    code: number + 1 for codes in (REFERENCES, LINES) for number, code in enumerate(codes)
}
"""R and B codes: how many integers in H, or earlier lines, there must be."""

SEEN_MAX: Final = max(LINES_MAX, len(REFERENCES))
"""Lines, or integers of H, that there can have been."""

FREE, COUNTED, UPPER, LOWER = range(4)
"""What a state's mask depends on beside the slack: nothing; the size of H, or the line; that and,
where the slack is tight, what the numerator would become; the numerator."""

_HEAVY: Final = 10**6
"""Codes to close what cannot be closed, such as a statement where there is one class."""

Weight = tuple[int, int]


class Move(NamedTuple):
    """What a code does in a state."""

    cost: int
    """How many codes the least closing grows by, this one included; R and qed! may save some."""
    pushed: tuple[State, ...]
    """Last one first, as they go on the stack."""
    ends: bool
    """An integer of two codes or more, or one of H, ends here: H has to know."""
    room: int
    """How many nodes the least closing of the step grows by."""


NO_MOVE: Final = Move(_HEAVY, (), False, 0)
"""Of a code that may not stand in a state: it costs more than any budget."""


class State:
    """One state, interned by its automaton."""

    __slots__ = (
        "ahead",
        "ample",
        "between",
        "counts",
        "done",
        "most",
        "moves",
        "name",
        "rows",
        "tight",
        "uses",
    )

    def __init__(self, name: Name) -> None:
        self.name = name
        self.between = name in (AFTER, DONE)
        self.done = name == DONE
        self.moves: list[Move] = []
        """By code; `NO_MOVE` where it may not stand."""
        self.ahead = int(name[0] == "step" and any(way[0] == CITED for way in name[2]))
        """1 where the goal may be cited, as a line before the first; else 0."""
        self.uses = FREE
        self.counts = 0
        """1 if the mask depends on how many integers or lines there were, else 0."""
        self.most = 0
        """The largest cost of a move: more slack than that changes nothing."""
        self.tight = _HEAVY
        """With this much slack masks are in `ample`."""
        self.ample: list[Row | None] = [None] * (SEEN_MAX + 1)
        """By how many integers or lines there were."""
        self.rows: dict[tuple[int, int], Row] = {}
        """All masks made so far, by slack up to `most` and that number."""


class Automaton:
    """States with moves, for one codebook and problems of one shape."""

    def __init__(self, states: States) -> None:
        self.states = states
        self._interned: dict[Name, State] = {}
        self._ready: set[Name] = set()
        self._weights = _weights(states)
        self.least = self.weight(AFTER)[0]
        """The fewest codes of an answer, and so of a body."""
        self.codes_safe = NODES_MAX // _largest(self._weights, states)
        """A step of so many codes, and what may be left to close it, is never too large."""
        self.steps: tuple[dict[Ways, State], ...] = ({}, {})
        """States where a step by `any` rule begins: is an answer implied, ways to tell it."""

    def state(self, name: Name) -> State:
        """The state of that name, with its moves."""
        state = self._intern(name)
        if name not in self._ready:
            self._ready.add(name)
            self._fill(state)
        return state

    def step(self, mode: str, ways: Ways, implied: bool) -> State:
        """Where a step begins. `mode`: `any` rule, `no-line` (there is none to name) or `last`."""
        state = self.state(("step", mode, ways, implied))
        if mode == "any":
            self.steps[implied][ways] = state
        return state

    def _intern(self, name: Name) -> State:
        state = self._interned.get(name)
        if state is None:
            state = self._interned[name] = State(name)
        return state

    def _fill(self, state: State) -> None:
        name, loose = state.name, self.states.shape.loose
        cost, room = self.weight(name)
        state.moves = [NO_MOVE] * CODES_MAX
        for code in self.states.codes(name):
            pushed = self.states.push(code, name)
            assert pushed is not None
            codes, nodes = _sum(self._weights, self.states, pushed)
            if codes < _HEAVY:
                state.moves[code] = Move(
                    1 + codes - cost,
                    tuple(map(self._intern, reversed(pushed))),
                    not loose and self._ends(code, name),
                    self.states.nodes(code) + nodes - room,
                )
        moves = {c: move for c, move in enumerate(state.moves) if move is not NO_MOVE}
        state.uses = FREE if loose else _uses(name, moves)
        state.counts = int(state.uses == COUNTED)
        state.most = max((move.cost for move in moves.values()), default=0)
        if state.uses < UPPER:
            state.tight = state.most

    def _ends(self, code: int, name: Name) -> bool:
        """Whether an integer of two codes or more, or one of H, ends with the code."""
        spelled = name[0] in ("digits", "neg")
        return code in REFERENCES or (spelled and code not in self.states.spelling.more)

    def weight(self, name: Name) -> Weight:
        """The fewest codes that close a state without R and qed!, and with them fewest nodes."""
        return _weight(self._weights, self.states, name)


def _uses(name: Name, moves: Iterable[int]) -> int:
    role = name[1] if name[0] in ("digits", "neg") else name[0]
    if role in ("under", "over"):
        return LOWER if role == "under" else UPPER
    return COUNTED if any(code in NEEDED for code in moves) else FREE


# -------------------------------------------------------------------------------- least closings


def _weight(known: dict[Name, Weight], states: States, name: Name) -> Weight:
    match name:
        case ("many", *_):
            return 1, 0
        case ("neg", _):
            return 1, 1
        case ("digits", _, int(count)):
            return max(1, states.spelling.digits_least - count), 1
        case ("type", str(kind), _):
            return known[("type", kind, 0 if kind in FLAT else 1)]
        case ("step" | "loose", *_):
            return known[AFTER]
    return known[name]


def _sum(known: dict[Name, Weight], states: States, names: Pushed) -> Weight:
    weights = [_weight(known, states, name) for name in names]
    return sum(codes for codes, _ in weights), sum(nodes for _, nodes in weights)


def _weights(states: States) -> dict[Name, Weight]:
    """Weights of all states at depth 1: relaxed until nothing gets lighter.

    The state after a step weighs what the answer does, in no nodes: each step has its own.
    """
    last = ("step", "last", (), False)
    names = _reachable(states)
    known = dict.fromkeys(names, (_HEAVY, 0)) | {AFTER: (_HEAVY, 0), DONE: (0, 0)}
    while True:
        before = dict(known)
        for name in names:
            known[name] = min(known[name], *_closings(known, states, name))
        known[AFTER] = (min(_closings(known, states, last))[0], 0)
        if known == before:
            return known


def _reachable(states: States) -> list[Name]:
    """Names at depth 1 whose weights are not given by a formula."""
    waiting: list[Name] = [("step", "any", (), False), LOOSE, ("over",), ("under",)]
    seen: dict[Name, None] = {}
    while waiting:
        name = waiting.pop()
        if name[0] == "type":
            name = ("type", name[1], 0 if name[1] in FLAT else 1)
        elif name[0] == "many":
            name = ("many", *name[1:3], 1)
        if name not in seen and name[0] not in ("digits", "neg"):
            seen[name] = None
            waiting.extend(each for pushed in states.base(name).values() for each in pushed)
    return [name for name in seen if name[0] in ("type", "classes", "other", "over", "under")]


def _closings(known: dict[Name, Weight], states: States, name: Name) -> Iterator[Weight]:
    yield _HEAVY, 0
    for code in states.codes(name):
        if code in REFERENCES or code == IMPLIED:
            continue
        pushed = states.push(code, name)
        assert pushed is not None
        codes, nodes = _sum(known, states, pushed)
        yield 1 + codes, states.nodes(code) + nodes


def _largest(known: dict[Name, Weight], states: States) -> int:
    """The most nodes that one code adds to a step, with what it leaves to be closed."""
    closings = (
        closing
        for name in [*_reachable(states), ("step", "any", (), False)]
        for closing in _closings(known, states, name)
    )
    return max(nodes for codes, nodes in closings if codes < _HEAVY)
