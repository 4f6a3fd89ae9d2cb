"""Does a proposition follow? A short proof in natural deduction, or values that show it does not.

    proof(premises, goal, tables)        # steps whose last line is the goal
    refutation(premises, goal, tables)   # steps that force some values, then `try` and `val`

The search goes forward first: whatever follows without assumptions. Then it works back from the
goal, with one more box each time nothing is found: what the goal's form asks for, a case
distinction, the opposite assumed, or something that lets a waiting rule go on. Truth tables keep it
from trying to prove what does not follow, so that it fails only where its boxes run out. It is no
complete prover, and need not be: what it cannot prove is never posed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from regime3.lang.problem import Step
from regime3.lang.replay.inferences import denial
from regime3.lang.terms import Term
from regime3.tasks.provers.deduction import Line, written
from regime3.tasks.provers.forward import Scope, Wanted, directions, joined, parts, subformulas
from regime3.tasks.provers.tables import Tables

BOXES_MAX = 6
"""Of one proof: more would not fit into a body's lines."""


class Search:
    """Looks for proofs with a limited number of new boxes; of those it finds, the shortest."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self._hopeless: set[tuple[frozenset[Term], Term, int]] = set()

    def least(self, scope: Scope, goal: Term, boxes: int) -> Line | None:
        """A line that says the goal, with as few new boxes as will do, or None."""
        for allowed in range(boxes + 1):
            line = self.prove(scope, goal, allowed)
            if line:
                return line
        return None

    def prove(self, scope: Scope, goal: Term, boxes: int) -> Line | None:
        """A line that says the goal, with at most so many new boxes, or None."""
        known = _known(scope, goal)
        if known or boxes == 0:
            return known
        key = (frozenset(scope.facts), goal, boxes)
        if key in self._hopeless:
            return None
        found = _shortest([*self._by_box(scope, goal, boxes), *self._by_key(scope, goal, boxes)])
        if not found:
            self._hopeless.add(key)
        return found

    def _direct(self, scope: Scope, goal: Term, boxes: int) -> tuple[Line, int] | None:
        """A line that says the goal and how many boxes that took; nothing else is proved first."""
        known = _known(scope, goal)
        if known:
            return known, 0
        for allowed in range(1, boxes + 1):
            line = _shortest(self._by_box(scope, goal, allowed))
            if line:
                return line, allowed
        return None

    def _entails(self, scope: Scope, goal: Term) -> bool:
        if scope.truth is None:
            scope.truth = self.tables.all_of(scope.facts)
        return scope.truth & ~self.tables.of(goal) == 0

    # ------------------------------------------------------------------------- by opening boxes

    def _by_box(self, scope: Scope, goal: Term, boxes: int) -> Iterator[Line]:
        """Proofs that end in the rule of the goal's form, in cases or in a contradiction."""
        name = goal[0] if isinstance(goal, tuple) else goal
        match goal:
            case ("imp", a, b):
                yield from self._assuming(scope, a, b, boxes, "imp-i", goal)
            case ("not", a):
                yield from self._assuming(scope, a, "false", boxes, "raa", goal)
            case ("and", *pieces):
                yield from self._by_pieces(scope, pieces, boxes, goal)
            case ("iff", a, b):
                yield from self._by_pieces(scope, directions(a, b), boxes, goal)
            case ("or", *pieces):
                for piece in pieces:
                    found = self._entails(scope, piece) and self._direct(scope, piece, boxes)
                    if found:
                        yield Line("or-i", (found[0],), goal)
        if name not in ("imp", "not", "and", "iff", "false"):
            yield from self._assuming(scope, ("not", goal), "false", boxes, "raa", goal)
            yield from self._by_cases(scope, goal, boxes)

    def _assuming(
        self, scope: Scope, assumption: Term, end: Term, boxes: int, rule: str, goal: Term
    ) -> Iterator[Line]:
        """The goal by a rule that closes a box, from its assumption to its end."""
        top, inside = scope.assuming(assumption)
        line = self.prove(inside, end, boxes - 1)
        if line:
            yield Line(rule, (top, line), goal)

    def _by_pieces(
        self, scope: Scope, pieces: Sequence[Term], boxes: int, goal: tuple[Term, ...]
    ) -> Iterator[Line]:
        lines = self._in_turn(scope, pieces, boxes)
        if lines:
            yield joined(lines, goal)

    def _in_turn(self, scope: Scope, goals: Sequence[Term], boxes: int) -> list[Line]:
        """Lines for all the goals, each known to the next; none if the boxes do not last."""
        lines: list[Line] = []
        for goal in goals:
            found = self._direct(scope, goal, boxes)
            if not found:
                return []
            lines.append(found[0])
            boxes -= found[1]
            scope = scope.with_lines([found[0]])
        return lines

    def _by_cases(self, scope: Scope, goal: Term, boxes: int) -> Iterator[Line]:
        for formula, line in scope.facts.items():
            sides = parts(formula, "or")
            if len(sides) == 2 and not any(side in scope.facts for side in sides):
                lines = self._in_turn(scope, [("imp", side, goal) for side in sides], boxes)
                if lines:
                    yield Line("cases", (line, *lines), goal)

    # ------------------------------------------------------------- by proving something else first

    def _by_key(self, scope: Scope, goal: Term, boxes: int) -> Iterator[Line]:
        """Prove what a rule is waiting for, and go on from there."""
        for key in _keys(scope):
            if key not in scope.facts and key != goal and self._entails(scope, key):
                found = self._direct(scope, key, boxes)
                if found:
                    line, taken = found
                    end = self.prove(scope.with_lines([line]), goal, boxes - taken)
                    if end:
                        yield end


def _known(scope: Scope, goal: Term) -> Line | None:
    known = scope.facts.get(goal)
    if not known and "false" in scope.facts:
        return Line("efq", (scope.facts["false"],), goal)
    return known


def _shortest(lines: Iterable[Line]) -> Line | None:
    return min(lines, key=lambda line: len(line.steps), default=None)


def _keys(scope: Scope) -> dict[Term, None]:
    """What would let mp, mt, ds or bot be used on something known, in order."""
    keys: dict[Term, None] = {}
    for formula in scope.facts:
        match formula:
            case ("imp", a, b) if b not in scope.facts:
                keys.update({a: None, ("not", b): None})
            case ("or", *sides) if not any(side in scope.facts for side in sides):
                keys.update({denial(side): None for side in sides})
            case ("not", tuple() as a):
                keys[a] = None
    return keys


def is_literal(proposition: Term) -> bool:
    """A constant or its negation."""
    return isinstance(proposition, str) or isinstance(denial(proposition), str)


def constants_of(proposition: Term) -> Iterator[str]:
    """The constants in a proposition, as often as they stand there."""
    for form in subformulas(proposition):
        if isinstance(form, str) and form != "false":
            yield form


# ----------------------------------------------------------------------------------------- answers


def _start(premises: Sequence[Term], goal: Term) -> tuple[list[Line], Scope]:
    lines = [Line("premise", (), premise) for premise in premises]
    return lines, Scope(Wanted([*premises, goal])).with_lines(lines)


def proof(premises: Sequence[Term], goal: Term, tables: Tables) -> list[Step] | None:
    """Steps whose last line is the goal (none if it is a premise), or None if none were found."""
    lines, scope = _start(premises, goal)
    end = Search(tables).least(scope, goal, BOXES_MAX)
    return written(lines, [end]) if end else None


def refutation(premises: Sequence[Term], goal: Term, tables: Tables) -> list[Step]:
    """Steps to values that make the premises true and the goal false; there are such.

    First what makes the goal false is assumed, and the values that are forced then; then
    the first such row of the truth table; then the value of each premise with a constant whose
    value no line states, and of the goal.
    """
    lines, scope = _start(premises, goal)
    against = _against(goal, tables.all_of(premises), tables)
    assumed = [Line("assume", (), each) for each in against if each not in scope.facts]
    scope = scope.with_lines(assumed)
    forced = {formula: line for formula, line in scope.facts.items() if is_literal(formula)}
    steps = written(lines, [*assumed, *[line for line in forced.values() if line.operands]])
    stated = {*premises, *(step[-1] for step in steps)}
    row = tables.first_row(tables.all_of([*premises, *against]))
    steps.append(("try", *["true" if value else "false" for value in row]))
    for premise in premises:
        if any(not {each, ("not", each)} & stated for each in constants_of(premise)):
            steps.append(("val", premise, "true"))
    return [*steps, ("val", goal, "false")]


def _against(goal: Term, truth: int, tables: Tables) -> list[Term]:
    """Propositions that make the goal false, together possible where `truth` is."""
    match goal:
        case ("not", a):
            return [a]
        case ("imp", a, b):
            return [a, *_against(b, truth & tables.of(a), tables)]
        case ("or", a, *rest):
            first = _against(a, truth, tables)
            rest_of = rest[0] if len(rest) == 1 else ("or", *rest)
            return [*first, *_against(rest_of, truth & tables.all_of(first), tables)]
        case ("and", *pieces):
            a = next(piece for piece in pieces if truth & ~tables.of(piece))
            return _against(a, truth, tables)
        case ("iff", a, b):
            if truth & tables.of(a) & ~tables.of(b):
                return [a, *_against(b, truth & tables.of(a), tables)]
            return [*_against(a, truth & tables.of(b), tables), b]
    return [("not", goal)]
