"""One sequence under its mask: which code may come next, code by code.

    row = Constrainer(problem, book, budget=200)
    while not row.done:
        row.advance(choose(row.mask()))      # every choice decodes, types and ends in time

It follows a string of codes as `unpack` reads it: a stack of states, the slack that the budget has
left, H, and the replay, which moves on only where a step ends. All that a mask depends on is a few
small numbers, so masks are made once for each and looked up after. Nothing here judges a step: a
wrong number passes the mask as easily as a right one. Not for several threads at once.

Reference: SPEC.md, section 6.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from regime3.errors import LanguageError
from regime3.lang import codes
from regime3.lang.codebook import Codebook
from regime3.lang.codes import (
    ATOM,
    BACK,
    CODES_MAX,
    FIRST_MACRO,
    LAST_DIGIT,
    MACRO_END,
    NEG,
    PAIR,
    REFERENCE,
)
from regime3.lang.masks import fractions
from regime3.lang.masks.automaton import FREE, LOWER, NEEDED, UPPER, State
from regime3.lang.masks.rows import Row
from regime3.lang.masks.shared import masks_of
from regime3.lang.masks.states import LOOSE, REFERENCES, Ways
from regime3.lang.problem import Problem, Step
from regime3.lang.references import touch
from regime3.lang.replay import State as Replay
from regime3.lang.replay import start
from regime3.lang.signature import LINES_MAX, STEPS_MAX
from regime3.lang.signature import PROBLEM_NODES_MAX as NODES_MAX
from regime3.lang.spelling import LAST_DIGITS
from regime3.lang.terms import Term

BUDGET_MAX: Final = 1 << 16
"""Codes of one body."""
_LIST: Final = codes.CODE["list"]
_LOGIC: Final = ("entails", "follows")


class Constrainer:
    """Which code may come next in one body, within a budget of codes.

    `loose` leaves out what only the problem and its replay can tell: the static part alone, for
    comparison. Raises `LanguageError` if the budget is too small for any answer.
    """

    __slots__ = (
        "_automaton", "_codes", "_grammar", "_logic", "_long", "_premises", "_reader",
        "_recent", "_replay", "_safe", "_seen", "_slack", "_stack", "_state", "_ways", "done",
        "least", "masks", "problem", "row", "steps",
    )  # fmt: skip

    def __init__(
        self, problem: Problem, book: Codebook, budget: int, *, loose: bool = False
    ) -> None:
        self.problem = problem
        self.masks = masks_of(book)
        self._automaton, self._grammar = self.masks.tables(problem, loose)
        self.least = self._automaton.least
        """The fewest codes of any body."""
        if not self.least <= budget <= BUDGET_MAX:
            raise LanguageError(
                f"a budget of {budget} codes, where {self.least} to {BUDGET_MAX:,} make a body"
            )
        self.done = False
        self.steps = 0
        """Steps finished, without the answer."""
        self._slack = budget - self.least
        self._safe = BUDGET_MAX + 1 if loose else self._automaton.codes_safe
        self._codes: list[int] = []
        """Of this step."""
        self._long: list[int] = []
        """The integers of two codes or more, and those of H, in this step."""
        self._stack: list[State] = []
        self._ways: Ways = ()
        self._premises = len(problem.premises)
        self._logic = problem.kind in _LOGIC
        self._reader = self.masks.unpacker.reader(problem, _nothing)
        self._recent = self._reader.recent.copy()
        """H at this code; the reader's own is H where the step began."""
        self._seen = len(self._recent)
        """How many integers there are in H, or lines before this one."""
        predicts = book.strategy > 0 and not loose
        self._replay = start(problem, book.strategy) if predicts else None
        self._state = self._automaton.state(LOOSE) if loose else self._begin()
        self.row = self._find_row()
        """The mask, and its place in `masks.rows`, the table that all sequences share."""

    @property
    def budget_left(self) -> int:
        """How many codes may still come."""
        waiting = sum(self._automaton.weight(state.name)[0] for state in self._stack)
        return self._slack + waiting + self._automaton.weight(self._state.name)[0]

    def mask(self) -> NDArray[np.bool_]:
        """Which of the 512 codes may come next; none, once the body is done."""
        return np.frombuffer(self.row.allowed, np.bool_)

    def advance(self, code: int) -> None:
        """Take the next code. Raises `LanguageError` if the mask does not allow it."""
        if not (0 <= code < CODES_MAX and self.row.allowed[code]):
            raise LanguageError(f"{codes.name(code)} may not stand here: the mask excludes it")
        cost, pushed, ends, _ = self._state.moves[code]
        slack = self._slack = self._slack - cost
        given = self._codes
        given.append(code)
        if ends:
            self._end_integer(code)
        stack = self._stack
        stack += pushed
        state = stack.pop()
        if state.between:
            state = self._pass_on(state)
        self._state = state
        # With much slack most masks depend on one number at most.
        if slack >= state.tight and len(given) < self._safe:
            self.row = state.ample[self._seen * state.counts] or self._find_row()
        else:
            self.row = self._find_row()

    # ------------------------------------------------------------------------------------ steps

    def _pass_on(self, state: State) -> State:
        """From the end of a step to the next one, or of the answer to nothing more."""
        if state.done:
            self.done = True
            return state
        self.steps += 1
        if self._replay is not None:
            results = self._told() if self._ways else None
            step = self._replay.step_of(results) if results else self._read_step(self._replay)
            self._replay.follow(step)
        return self._begin()

    def _begin(self) -> State:
        """The state of a step that begins here."""
        self._codes.clear()
        self._long.clear()
        mode = "any"
        if self._logic:
            self._seen = self._premises + self.steps
            if not 0 < self._seen < LINES_MAX:
                mode = "last" if self._seen else "no-line"
        if self.steps == STEPS_MAX - 1:
            mode = "last"
        replay, implied = self._replay, False
        self._ways = ()
        if replay is not None:
            self._ways = replay.expects()
            implied = replay.implied() is not None
        found = self._automaton.steps[implied].get(self._ways) if mode == "any" else None
        return found or self._automaton.step(mode, self._ways, implied)

    def _told(self) -> tuple[Term, ...] | None:
        """What tells the step, where it is a line, integers or a list of them: all is known."""
        given = self._codes
        if len(given) == 1 and self._logic and BACK < given[0] < NEG:
            return (f"l{self._seen + 1 - (given[0] - BACK)}",)
        numbers = self._reader.spelling.numbers
        if len(given) == 1 and given[0] in numbers:
            return (numbers[given[0]],)
        listed = given[0] == _LIST
        if listed:
            given = given[1:-1]
        if any(code < NEG or FIRST_MACRO <= code < MACRO_END for code in given):
            return None
        found: list[Term] = ["list"] if listed else []
        known, inside = iter(self._long), False
        for code in given:
            if code < LAST_DIGIT or code >= PAIR:
                inside = True
            elif inside or REFERENCE <= code < ATOM:
                found.append(next(known))
                inside = False
            else:
                found.append(numbers[code])
        if self._long:
            self._reader.recent[:] = self._recent
        return (tuple(found),) if listed else tuple(found)

    def _read_step(self, replay: Replay) -> Step:
        """The step that the codes since the last one spell, read as `unpack` does."""
        reader, grammar = self._reader, self._grammar
        reader.line = self._premises + self.steps
        waiting = iter(self._codes)
        reader.take = waiting.__next__
        code = next(waiting)
        entry = grammar.steps[code]
        if entry is not None:
            step: Step = entry[0](reader, entry, 0)
            return step
        way = next(way for way in self._ways if grammar.tables[way[0]][code] is not None)
        terms = [reader.begun(grammar.tables[way[0]], code, 1)]
        terms += [reader.term(grammar.tables[kind], 1) for kind in way[1:]]
        return replay.step_of(tuple(terms))

    # --------------------------------------------------------------------------------- integers

    def _end_integer(self, code: int) -> None:
        """An integer of two codes or more, or one of H, ends with `code`, the last one taken."""
        if code in REFERENCES:
            value = self._recent[REFERENCE - code - 1]
        else:
            value = self._finished(code, len(self._codes) - 1)
        self._long.append(value)
        touch(self._recent, value)
        self._seen = len(self._recent)

    def _digits(self, end: int) -> tuple[int, int]:
        """The digits before place `end` of this step's codes: their value, and how many."""
        more, base = self._reader.spelling.more, self._reader.spelling.base
        begin = end
        while begin and self._codes[begin - 1] in more:
            begin -= 1
        value = 0
        for code in reversed(self._codes[begin:end]):
            value = base * value + code - more.start
        return value, end - begin

    def _finished(self, code: int, end: int) -> int:
        """The integer that `code` finishes at place `end`; digits and a sign may stand before."""
        low, count = self._digits(end)
        digit = code - LAST_DIGIT if code in LAST_DIGITS else self._reader.spelling.numbers[code]
        value: int = low + digit * self._reader.spelling.base**count
        before = end - count - 1
        return -value if before >= 0 and self._codes[before] == NEG else value

    # ------------------------------------------------------------------------------------ masks

    def _find_row(self) -> Row:
        """The mask here, made if it is new."""
        state = self._automaton.state(self._state.name)
        if state.uses == LOWER:
            return self.masks.rows.row(self._below())
        seen = self._seen if state.uses else 0
        if len(self._codes) >= self._safe:
            return self._make_row(state, seen, self._room())
        if state.uses == UPPER and self._slack < fractions.TIGHT:
            return self._make_row(state, seen)
        key = min(self._slack, state.most), seen
        row = state.rows.get(key)
        if row is None:
            row = state.rows[key] = self._make_row(state, seen)
        if self._slack >= state.tight:
            state.ample[seen] = row
        return row

    def _make_row(self, state: State, seen: int, room: int = NODES_MAX) -> Row:
        """The mask of a state; `room` is how many nodes more this step may have."""
        allowed = bytearray(CODES_MAX)
        for code, move in enumerate(state.moves):
            if move.cost <= self._slack and move.room <= room:
                allowed[code] = state.uses == FREE or NEEDED.get(code, 0) <= seen + state.ahead
        if state.uses == UPPER and self._slack < fractions.TIGHT:
            self._keep_divisible(state, allowed)
        return self.masks.rows.row(bytes(allowed))

    def _room(self) -> int:
        """How many nodes this step may have beyond what it has and what closes it at least."""
        nodes = sum(self._grammar.nodes[code] for code in self._codes)
        waiting = (*self._stack, self._state)
        return NODES_MAX - nodes - sum(self._automaton.weight(each.name)[1] for each in waiting)

    def _keep_divisible(self, state: State, allowed: bytearray) -> None:
        """Exclude numerators below which no denominator fits any more."""
        for code in range(LAST_DIGIT, PAIR):
            if allowed[code]:
                if code in REFERENCES:
                    value = self._recent[REFERENCE - code - 1]
                else:
                    value = self._finished(code, len(self._codes))
                left = self._slack - state.moves[code].cost
                allowed[code] = fractions.fits(value, left, self._reader.spelling)

    def _below(self) -> bytes:
        """The mask in a denominator."""
        low, count = self._digits(len(self._codes))
        end = len(self._codes) - count - 1
        over, before = self._codes[end], self._codes[end - 1]
        if over in REFERENCES or before in self._reader.spelling.more or before == NEG:
            above = self._long[-1]
        else:
            above = self._reader.spelling.numbers[over]
        left = self._slack + self._automaton.weight(self._state.name)[0]
        recent = self._recent[::-1] if self.masks.book.options["references"] else []
        return fractions.below(above, low, count, left, recent, self._reader.spelling)


def _nothing() -> int:
    raise AssertionError("no step is being read")
