"""Replay of `eval` and `mod`: one operation at a time on an expression.

    state = Evaluation(read_problem("(eval (add (mul 7 8) 2 40))"), strategy=1)
    state.expects()                          # ("Num",): r-mul 7 8 comes next
    state.play(("r-mul", 7, 8, 56))

Operands name two literals that stand in one node; which node is settled by preorder, so a step
needs no addresses. A step whose operands fit no redex leaves the expression as it is.
SPEC.md, section 4: eval and mod; section 5: prediction.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.lang.problem import Problem, Step
from regime3.lang.replay.blocks import LongAddition, LongDivision, WithBlocks
from regime3.lang.replay.expression import Expression
from regime3.lang.replay.finding import Finding, shown, wrong
from regime3.lang.replay.rationals import computed
from regime3.lang.replay.state import Head
from regime3.lang.signature import STEPS_MAX
from regime3.lang.terms import Term

SPLIT_PRODUCTS_MAX: Final = STEPS_MAX
"""Products that the r-split of one body may make. Each takes a step, so no whole body has more."""

_RULES: Final = {"add": "r-add", "sub": "r-sub", "mul": "r-mul", "div": "r-div", "pow": "r-sqr"}
_NAMES: Final = {rule: name for name, rule in _RULES.items()}


class Reduction(WithBlocks):
    """What eval and mod share."""

    __slots__ = ("_expression", "_products")

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._expression = Expression(problem.term[1])
        self._products = 0

    def _step(self, step: Step) -> Finding | None:
        rule = step[0]
        if rule in _NAMES and rule != "r-sqr":
            return self._operate(rule, *step[1:])
        if rule == "r-split":
            return self._split(step[1], step[2])
        if rule == "long-add":
            return self._open_addition(step[1], step[2])
        if rule == "long-div":
            return self._open_division(step[1], step[2])
        return self._outside(step)

    def _operate(self, rule: str, a: Term, b: Term, c: Term) -> Finding | None:
        name = _NAMES[rule]
        redex = self._expression.redex(name, a, b)
        if redex is None:
            return self._no_redex(name, a, b)
        right = computed(rule, a, b)
        if right is None:
            return Finding("no division by zero", shown(b))
        self._expression.replace(redex, c)
        return None if c == right else wrong(right, c)

    def _split(self, a: Term, b: int) -> Finding | None:
        redex = self._expression.redex("mul", a, b)
        if redex is None:
            return self._no_redex("mul", a, b)
        digits = str(b)[::-1]
        terms = [int(digit) * 10**place for place, digit in enumerate(digits) if digit > "0"]
        if b <= 0 or len(terms) < 2:
            return Finding("a positive second factor with two digits that are not 0", shown(b))
        if self._products + len(terms) > SPLIT_PRODUCTS_MAX:
            return Finding(f"at most {SPLIT_PRODUCTS_MAX} products in all", f"{len(terms)} more")
        self._products += len(terms)
        self._expression.replace(redex, ["add", *(["mul", a, term] for term in terms)])
        return None

    def _open_addition(self, a: int, b: int) -> Finding | None:
        if self._expression.redex("add", a, b) is None:
            return self._no_redex("add", a, b)
        if a < 0 or b < 0:
            return Finding("no negative number in a long addition", shown(min(a, b)))
        self._block = LongAddition(a, b, ("r-add", a, b))
        return None

    def _open_division(self, a: int, b: int) -> Finding | None:
        raise NotImplementedError

    def _no_redex(self, name: str, a: Term, b: Term) -> Finding:
        return Finding(f"two arguments of one {name}", shown(a, b))

    def _foresee_free(self) -> Head | None:
        node = self._expression.first_inner()
        if node is None or (node[0] == "div" and node[2] == 0):
            return None
        return (_RULES[node[0]], node[1], node[2])

    def implied(self) -> Term | None:
        """The literal that is left, else None."""
        return self._expression.literal

    def answer(self, term: Term) -> Finding | None:
        """The answer is the literal that is left."""
        right = self.implied()
        if right is None:
            return Finding(self._unfinished(), shown(term))
        return None if term == right else Finding(shown(right), shown(term))

    def _unfinished(self) -> str:
        return f"a step on {shown(self._expression.term())}"


class Evaluation(Reduction):
    """The state of eval."""

    __slots__ = ()

    def _open_division(self, a: int, b: int) -> Finding | None:
        if self._expression.redex("div", a, b) is None:
            return self._no_redex("div", a, b)
        if a < 0 or b <= 0:
            return Finding("a dividend of 0 or more and a divisor above 0", shown(a, b))
        self._block = LongDivision(a, b, ("r-div", a, b))
        return None


class Residues(Reduction):
    """The state of mod."""

    __slots__ = ("_modulus",)

    def __init__(self, problem: Problem, strategy: int) -> None:
        super().__init__(problem, strategy)
        self._modulus: int = problem.term[2]

    def _step(self, step: Step) -> Finding | None:
        if step[0] == "r-mod":
            return self._reduce(step[1], step[2])
        if step[0] == "r-sqr":
            return self._square(step[1], step[2], step[3])
        return super()._step(step)

    def _reduce(self, a: int, r: int) -> Finding | None:
        place = self._place_outside(a)
        if isinstance(place, Finding):
            return place
        node, index = place
        node[index] = r
        right = a % self._modulus
        return None if r == right else wrong(right, r)

    def _place_outside(self, a: int) -> tuple[list[Any], int] | Finding:
        if 0 <= a < self._modulus:
            return Finding(f"a number below 0, or {self._modulus} or more", shown(a))
        return self._expression.place_of(a) or Finding("a number of the expression", shown(a))

    def _square(self, a: int, k: int, b: int) -> Finding | None:
        redex = self._expression.redex("pow", a, k)
        if redex is None:
            return Finding("the arguments of one pow", shown(a, k))
        half: Any = b if k < 4 else ["pow", b, k // 2]
        self._expression.replace(redex, ["mul", a, half] if k % 2 else half)
        right = a * a % self._modulus
        return None if b == right else wrong(right, b)

    def _open_division(self, a: int, b: int) -> Finding | None:
        if b != self._modulus:
            return Finding(f"the modulus {self._modulus}", shown(b))
        place = self._place_outside(a)
        if isinstance(place, Finding):
            return place
        if a < 0:
            return Finding("no negative number in a long division", shown(a))
        self._block = LongDivision(a, b, ("r-mod", a))
        return None

    def _foresee_free(self) -> Head | None:
        number = self._expression.first_outside(self._modulus)
        return super()._foresee_free() if number is None else ("r-mod", number)

    def _operands_of(self, head: Head) -> tuple[Any, ...]:
        return (head[1], self._modulus) if head[0] == "r-mod" else head[1:]

    def implied(self) -> Term | None:
        """The literal that is left if it is a remainder, else None."""
        left = self._expression.literal
        return left if isinstance(left, int) and 0 <= left < self._modulus else None

    def _unfinished(self) -> str:
        if self._expression.literal is None:
            return super()._unfinished()
        return f"r-mod of {shown(self._expression.literal)} first"
