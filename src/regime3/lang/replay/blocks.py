"""Long addition and long division: blocks of one step a digit, and the step that closes them.

    block = LongDivision(462, 7, ("r-divmod", 462, 7))
    block.head()        # ("d-div", 4, 7): what must come next
    block.play(("d-div", 4, 7, 0, 4))
    block.head()        # ("d-div", 46, 7)

A block knows its digits and the carry or remainder that it was told, right or wrong. Whether it
may open, and what its closing step does, is up to the state that holds it. SPEC.md, section 4.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.finding import LITERAL_END, Finding, compare, unfit
from regime3.lang.replay.state import Foreseeing, Head
from regime3.lang.signature import Slots
from regime3.lang.terms import Term

OPERANDS_IN_BLOCKS: Final = 2
"""The first strategy that foresees steps inside a block."""


class Block:
    """What both have: places to go through, then a closing step."""

    __slots__ = ("_closing", "_place", "_places")

    def __init__(self, places: int, closing: Head) -> None:
        self._closing, self._places, self._place = closing, places, 0

    @property
    def ends(self) -> bool:
        """Whether the closing step is next."""
        return self._place == self._places

    def head(self) -> Head:
        """Rule and operands of the only step that may come next."""
        return self._closing if self.ends else self._digit_head()

    def foreseen(self) -> Head | None:
        """`head`, unless a wrong remainder made an operand too long to be written."""
        head = self.head()
        return None if any(abs(each) >= LITERAL_END for each in head[1:]) else head

    def play(self, step: Step) -> Finding | None:
        """Check the results of a digit step whose operands fit, and believe them."""
        head = self.head()
        right = (*head, *self._digit_results(head))
        self._place += 1
        self._believe(step)
        return compare(right, step)

    def _digit_head(self) -> Head:
        raise NotImplementedError

    def _digit_results(self, head: Head) -> tuple[int, int]:
        raise NotImplementedError

    def _believe(self, step: Step) -> None:
        raise NotImplementedError


class LongAddition(Block):
    """`long-add a b` and its `d-add x y h ; s g`, least digit first."""

    __slots__ = ("_a", "_b", "_carry")

    def __init__(self, a: int, b: int, closing: Head) -> None:
        first, second = str(a)[::-1], str(b)[::-1]
        super().__init__(max(len(first), len(second)), closing)
        self._a, self._b = first.ljust(self._places, "0"), second.ljust(self._places, "0")
        self._carry = 0

    def _digit_head(self) -> Head:
        return ("d-add", int(self._a[self._place]), int(self._b[self._place]), self._carry)

    def _digit_results(self, head: Head) -> tuple[int, int]:
        carry, digit = divmod(head[1] + head[2] + head[3], 10)
        return digit, carry

    def _believe(self, step: Step) -> None:
        self._carry = step[5]


class LongDivision(Block):
    """`long-div a b` and its `d-div r b ; q s`, greatest digit first; b > 0."""

    __slots__ = ("_digits", "_divisor", "_rest")

    def __init__(self, a: int, b: int, closing: Head) -> None:
        self._digits = str(a)
        super().__init__(len(self._digits), closing)
        self._divisor, self._rest = b, 0

    def _digit_head(self) -> Head:
        return ("d-div", 10 * self._rest + int(self._digits[self._place]), self._divisor)

    def _digit_results(self, head: Head) -> tuple[int, int]:
        quotient, rest = divmod(head[1], head[2])
        return quotient, rest

    def _believe(self, step: Step) -> None:
        self._rest = step[4]


_LONG: Final[Slots] = ("Long",)
_OPENINGS: Final = {
    "r-add": "long-add",
    "r-mul": "r-split",
    "r-div": "long-div",
    "r-divmod": "long-div",
    "r-mod": "long-div",
}
"""By the rule that comes next: the step that does it the long way."""
_LONG_WAYS: Final = frozenset(_OPENINGS.values())


class WithBlocks(Foreseeing):
    """A state in which blocks may be open. A subclass plays all other steps in `_step`."""

    __slots__ = ("_block",)

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._block: Block | None = None

    def play(self, step: Step) -> Finding | None:
        """What is wrong with the step, or None; then moves on."""
        self._moved()
        block = self._block
        if block is not None:
            head = block.head()
            if step[: len(head)] != head:
                self._block = None
                return unfit(head, step)
            if not block.ends:
                return block.play(step)
            self._block = None
        return self._step(step)

    def _step(self, step: Step) -> Finding | None:
        raise NotImplementedError

    def _foresee(self) -> Head | None:
        if self._block is None:
            return self._foresee_free()
        return self._block.foreseen() if self._strategy >= OPERANDS_IN_BLOCKS else None

    def _foresee_free(self) -> Head | None:
        """What comes next outside a block."""
        raise NotImplementedError

    def _long_way(self) -> Step | None:
        """What the step that comes next may be done by instead, digit by digit."""
        if self._strategy < OPERANDS_IN_BLOCKS or self._block is not None:
            return None
        head = self._next()
        rule = None if head is None else _OPENINGS.get(head[0])
        if head is None or rule not in self._rules:
            return None
        a, b = self._operands_of(head)
        if a.__class__ is not int or b.__class__ is not int or a < 0 or b < 0:
            return None
        if rule == "r-split" and len(str(b).replace("0", "")) < 2:
            return None
        return None if rule == "long-div" and b == 0 else (rule, a, b)

    def _operands_of(self, head: Head) -> tuple[Any, ...]:
        """The two numbers of the step that comes next."""
        return head[1:]

    def expects(self) -> tuple[Slots, ...]:
        """As ever; or `end`, for the long way."""
        ways = super().expects()
        return ways if self._long_way() is None else (*ways, _LONG)

    def bare(self, step: Step) -> tuple[Term, ...] | None:
        """As ever; `end` tells the step that goes the long way."""
        if step[0] in _LONG_WAYS and step == self._long_way():
            return ("end",)
        return super().bare(step)

    def step_of(self, results: tuple[Any, ...]) -> Step:
        """As ever, or the step that goes the long way."""
        if results == ("end",):
            step = self._long_way()
            assert step is not None, "no long way is foreseen here"
            return step
        return super().step_of(results)

    def _outside(self, step: Step) -> Finding:
        return Finding("an open long- block around it", str(step[0]))
