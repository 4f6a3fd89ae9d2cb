"""One sequence under its mask: which code may come next, code by code.

    row = Constrainer(problem, book, budget=200)
    while not row.done:
        row.advance(choose(row.mask()))      # every choice decodes, types and ends in time

It follows a string of codes as `unpack` reads it: a stack of states, the slack that the budget has
left, H, and the replay, which moves on only where a step ends. All that a mask depends on is a few
small numbers, so masks are made once for each and looked up after. Nothing here judges a step: a
wrong number passes the mask as easily as a right one.

Reference: SPEC.md, section 6.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from regime3.errors import LanguageError
from regime3.lang import codes
from regime3.lang.codebook import Codebook
from regime3.lang.codes import ATOM, CODES_MAX, FIRST_MACRO
from regime3.lang.masks import fractions
from regime3.lang.masks.automaton import FREE, LOWER, NEEDED, UPPER, State
from regime3.lang.masks.rows import Row
from regime3.lang.masks.shared import masks_of
from regime3.lang.masks.states import ATOMS, DIGITS, LOOSE, REFERENCES
from regime3.lang.problem import Problem, Step
from regime3.lang.references import touch
from regime3.lang.replay import State as Replay
from regime3.lang.replay import start
from regime3.lang.signature import LINES_MAX, STEPS_MAX, Slots
from regime3.lang.signature import PROBLEM_NODES_MAX as NODES_MAX
from regime3.lang.terms import Term

BUDGET_MAX: Final = 1 << 16
"""Codes of one body."""
_NO_ROOM: Final = 1 << 30
"""Without a limit on nodes."""
_LOGIC: Final = ("entails", "follows")


class Constrainer:
    """Which code may come next in one body, within a budget of codes.

    `loose` leaves out what only the problem and its replay can tell: the static part alone, for
    comparison. Raises `LanguageError` if the budget is too small for any answer.
    """

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
        self._room = _NO_ROOM
        self._codes: list[int] = []
        self._long: list[int] = []
        self._stack: list[State] = []
        self._bare: Slots | None = None
        self._premises = len(problem.premises)
        self._logic = problem.kind in _LOGIC
        self._reader = self.masks.unpacker.reader(problem, _nothing)
        self._recent = self._reader.recent.copy()
        self._seen = len(self._recent)
        predicts = book.strategy > 0 and not loose
        self._replay = start(problem, book.strategy) if predicts else None
        self._state = self._automaton.state(LOOSE) if loose else self._begin()
        self._row = self._find_row()

    @property
    def place(self) -> int:
        """Where the mask is in `masks.rows`, the table that all sequences of the codebook share.

        It stays good until another row is put there: gather before the next `advance`.
        """
        row = self._row
        return row.place if row.place >= 0 else self.masks.rows.put(row)

    @property
    def budget_left(self) -> int:
        """How many codes may still come."""
        waiting = sum(self._automaton.weight(state.name)[0] for state in self._stack)
        return self._slack + waiting + self._automaton.weight(self._state.name)[0]

    def mask(self) -> NDArray[np.bool_]:
        """Which of the 512 codes may come next; none, once the body is done."""
        return np.frombuffer(self._row.allowed, np.bool_)

    def advance(self, code: int) -> None:
        """Take the next code. Raises `LanguageError` if the mask does not allow it."""
        if not (0 <= code < CODES_MAX and self._row.allowed[code]):
            raise LanguageError(f"{codes.name(code)} may not stand here: the mask excludes it")
        cost, room, pushed, ends = self._state.moves[code]
        self._slack -= cost
        self._room -= room
        self._codes.append(code)
        if ends:
            self._end_integer(code)
        stack = self._stack
        stack += pushed
        state = stack.pop()
        if state.between:
            if state.done:
                self.done = True
            else:
                self._end_step()
                state = self._begin()
        self._state = state
        # Most masks depend on the slack, as far as it is short, and on one number more.
        if self._room >= state.tight_room and state.uses < UPPER:
            slack = self._slack if self._slack < state.tight_cost else state.tight_cost
            row = state.rows.get(slack << 6 | (self._seen if state.uses else 0))
            if row is not None:
                self._row = row
                return
        self._row = self._find_row()

    # ------------------------------------------------------------------------------------ steps

    def _begin(self) -> State:
        """The state of a step that begins here."""
        self._room = NODES_MAX
        self._codes.clear()
        self._long.clear()
        mode = "any"
        if self._logic:
            self._seen = self._premises + self.steps
            if not 0 < self._seen < LINES_MAX:
                mode = "last" if self._seen else "no-line"
        if self.steps == STEPS_MAX - 1:
            mode = "last"
        replay = self._replay
        if replay is None:
            key = (mode, None, False)
        else:
            self._bare = None if mode == "last" else replay.expects()
            key = (mode, self._bare, replay.implied() is not None)
        state = self._automaton.steps.get(key)
        return state or self._automaton.step(*key)

    def _end_step(self) -> None:
        """Replay the step that the codes since the last one spell."""
        self.steps += 1
        replay, given, bare = self._replay, self._codes, self._bare
        if replay is None:
            return
        if bare and len(given) == len(bare) and ATOM <= min(given) <= max(given) < FIRST_MACRO:
            replay.play(replay.step_of(tuple([code - ATOM for code in given])))
        else:
            replay.play(self._read_step(replay))
        self._reader.line += 1

    def _read_step(self, replay: Replay) -> Step:
        """The step, read as `unpack` does."""
        reader, grammar = self._reader, self._grammar
        waiting = iter(self._codes)
        reader.take = waiting.__next__
        code = next(waiting)
        entry = grammar.steps[code]
        if entry is not None:
            step: Step = entry[0](reader, entry, 0)
            return step
        results: list[Term] = []
        for kind in self._bare or ():
            code = next(waiting) if results else code
            results.append(reader.begun(grammar.tables[kind], code, 1))
        return replay.step_of(tuple(results))

    # --------------------------------------------------------------------------------- integers

    def _end_integer(self, code: int) -> None:
        """An integer of two codes or more, or one of H, ends with `code`, the last one taken."""
        if code in REFERENCES:
            value = self._recent[codes.REFERENCE - code - 1]
        else:
            value = self._finished(code, len(self._codes) - 1)
        self._long.append(value)
        touch(self._recent, value)
        if self.problem.kind not in _LOGIC:
            self._seen = len(self._recent)

    def _digits(self, end: int) -> tuple[int, int]:
        """The digits before place `end` of this step's codes: their value, and how many."""
        start = end
        while start and self._codes[start - 1] in DIGITS:
            start -= 1
        value = 0
        for code in reversed(self._codes[start:end]):
            value = 10 * value + code - codes.DIGIT
        return value, end - start

    def _finished(self, code: int, end: int) -> int:
        """The integer that `code` finishes at place `end`; digits and a sign may stand before."""
        low, count = self._digits(end)
        digit = code - codes.ATOM if code in ATOMS else code - codes.LAST_DIGIT
        value: int = low + digit * 10**count
        before = end - count - 1
        return -value if before >= 0 and self._codes[before] == codes.NEG else value

    # ------------------------------------------------------------------------------------ masks

    def _find_row(self) -> Row:
        """The mask here, made if it is new."""
        state = self._automaton.state(self._state.name)
        if state.uses == LOWER:
            return self.masks.rows.row(self._below())
        slack = min(self._slack, state.tight_cost)
        seen = self._seen if state.uses else 0
        tight = state.uses == UPPER and self._slack < fractions.TIGHT
        if tight or self._room < state.tight_room:
            return self._make_row(state, slack, seen)
        row = state.rows.get(slack << 6 | seen)
        if row is None:
            row = state.rows[slack << 6 | seen] = self._make_row(state, slack, seen)
        return row

    def _make_row(self, state: State, slack: int, seen: int) -> Row:
        allowed = bytearray(codes.CODES_MAX)
        for code, move in state.moves.items():
            fits = move.cost <= slack and move.room <= self._room
            allowed[code] = fits and (state.uses == FREE or NEEDED.get(code, 0) <= seen)
        if state.uses == UPPER and self._slack < fractions.TIGHT:
            self._keep_divisible(allowed)
        return self.masks.rows.row(bytes(allowed))

    def _keep_divisible(self, allowed: bytearray) -> None:
        """Exclude numerators below which no denominator fits any more."""
        for code in range(codes.DIGIT + 10, codes.FIRST_MACRO):
            if allowed[code]:
                value = (
                    self._recent[codes.REFERENCE - code - 1]
                    if code in REFERENCES
                    else self._finished(code, len(self._codes))
                )
                left = self._slack - self._state.moves[code].cost
                allowed[code] = fractions.fits(value, left, self._grammar.book.options["atoms"])

    def _below(self) -> bytes:
        """The mask in a denominator."""
        low, count = self._digits(len(self._codes))
        end = len(self._codes) - count - 1
        over, before = self._codes[end], self._codes[end - 1]
        if over in REFERENCES or before in DIGITS or before == codes.NEG:
            above = self._long[-1]
        else:
            above = over - codes.ATOM if over in ATOMS else over - codes.LAST_DIGIT
        left = self._slack + self._automaton.weight(self._state.name)[0]
        return fractions.below(
            above, low, count, left, self._recent[::-1], self._grammar.book.options["atoms"]
        )


def _nothing() -> int:
    raise AssertionError("no step is being read")
