"""Does a statement about classes follow? A shortest proof by the rules of `follows`, or a model.

    proof(premises, goal)          # steps, the last one's line is the goal; None if there are none
    counter_model(premises, goal)  # elements, each with its classes; None if it follows

Two independent procedures; the tests hold them against each other and against brute force. A model
takes its requirements one after another, as a person would: a thing that makes the goal false, then
one for each `some` and `some-not`, then one for each class that is still empty; each new thing
belongs to no more classes than it must.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from regime3.lang.canon import make
from regime3.lang.problem import Step
from regime3.lang.terms import Term

Statement = tuple[Any, ...]
Element = tuple[str, ...]
"""The classes that a thing belongs to, in the order in which they are found out."""
Derivation = tuple[str, tuple[Statement, ...]]
"""A rule and its operands in order."""
Found = tuple[str, tuple[Statement, ...], Statement]
"""A rule, its operands in order, and what it yields."""

OPPOSITE = {"all": "some-not", "some-not": "all", "no": "some", "some": "no"}
"""`all A B` is false exactly when `some-not A B` is true, and so on."""


def denial(statement: Statement) -> Statement:
    """The statement that is true exactly when this one is false."""
    return (OPPOSITE[statement[0]], *statement[1:])


# ----------------------------------------------------------------------------------------- models


def counter_model(premises: Sequence[Statement], goal: Statement) -> list[Element] | None:
    """Elements that make every premise true and the goal false, or None if there are none."""
    return model([denial(goal), *premises])


def model(statements: Sequence[Statement]) -> list[Element] | None:
    """Elements that make all statements true, every class inhabited; None if they contradict.

    `all` and `no` are Horn clauses: the least set of classes that a thing must belong to decides.
    """
    links = list(dict.fromkeys(each[1:] for each in statements if each[0] == "all"))
    bans = [statement[1:] for statement in statements if statement[0] == "no"]
    elements: list[Element] = []
    for wanted, unwanted in _requirements(statements):
        if any(set(wanted) <= set(each) and unwanted not in each for each in elements):
            continue
        element = _widened(wanted, links)
        if unwanted in element or any(a in element and b in element for a, b in bans):
            return None
        elements.append(element)
    return elements


def _requirements(statements: Sequence[Statement]) -> Iterator[tuple[Element, str | None]]:
    """Classes that some one thing must belong to, and one that it must not."""
    for name, a, b in statements:
        if name == "some":
            yield (a, b), None
        elif name == "some-not":
            yield (a,), b
    for each in classes(statements):
        yield (each,), None


def classes(statements: Sequence[Statement]) -> list[str]:
    """The classes that statements speak of, by number."""
    found = {name for statement in statements for name in statement[1:]}
    return sorted(found, key=lambda name: int(name[1:]))


def _widened(wanted: Element, links: Sequence[tuple[str, ...]]) -> Element:
    """The classes wanted and those that contain them, each after one that it contains."""
    found = list(wanted)
    for each in found:
        found += [upper for lower, upper in links if lower == each and upper not in found]
    return tuple(found)


# ----------------------------------------------------------------------------------------- proofs

MOODS: dict[tuple[str, str], tuple[str, str, str, str]] = {
    ("all", "all"): ("barbara", "MP", "SM", "all"),
    ("no", "all"): ("celarent", "MP", "SM", "no"),
    ("all", "some"): ("darii", "MP", "SM", "some"),
    ("no", "some"): ("ferio", "MP", "SM", "some-not"),
    ("all", "some-not"): ("baroco", "PM", "SM", "some-not"),
    ("some-not", "all"): ("bocardo", "MP", "MS", "some-not"),
}
"""By the names of two operands: the rule, where its terms stand, and what it yields of S and P."""


def proof(premises: Sequence[Statement], goal: Statement) -> list[Step] | None:
    """Steps whose last line is the goal (none if it is a premise), or None if there are none."""
    found = _derived(premises, goal)
    if goal not in found:
        return None
    lines: dict[Statement, Term] = {}
    for number, premise in enumerate(premises):
        lines.setdefault(premise, f"l{number + 1}")
    steps: list[Step] = []

    def write(statement: Statement) -> Term:
        if statement not in lines:
            rule, operands = found[statement]
            steps.append((rule, *[write(operand) for operand in operands], statement))
            lines[statement] = f"l{len(premises) + len(steps)}"
        return lines[statement]

    write(goal)
    return steps


def _derived(premises: Sequence[Statement], goal: Statement) -> dict[Statement, Derivation]:
    """How each statement comes about with the fewest steps, until the goal has.

    Breadth first, and each step but `absurd` joins what is derived with a premise: a chain of
    syllogisms can always be walked from one end to the other, in no more steps than as a tree.
    """
    found: dict[Statement, Derivation] = {premise: ("", ()) for premise in premises}
    cost = dict.fromkeys(found, 0)
    clash: tuple[int, Derivation] | None = None
    for statement in (queue := list(found)):
        if goal in found or (clash and clash[0] <= cost[statement]):
            break
        for rule, operands, result in _next(statement, premises):
            if result not in found:
                found[result] = (rule, operands)
                cost[result] = cost[statement] + 1
                queue.append(result)
        clash = _cheaper(clash, statement, cost)
    if clash and goal not in found:
        found[goal] = clash[1]
    return found


def _cheaper(
    clash: tuple[int, Derivation] | None, statement: Statement, cost: dict[Statement, int]
) -> tuple[int, Derivation] | None:
    """The contradiction of fewest steps: the one known, or that of this statement, if any."""
    other = denial(statement)
    if other not in cost:
        return clash
    steps = cost[statement] + cost[other]
    if clash and clash[0] <= steps:
        return clash
    universal = statement[0] in ("all", "no")
    return steps, ("absurd", (statement, other) if universal else (other, statement))


def _next(statement: Statement, premises: Sequence[Statement]) -> Iterator[Found]:
    """What one rule makes of a statement, alone or with a premise."""
    name, a, b = statement
    if name == "all":
        yield "sub-all", (statement,), _statement("some", a, b)
    elif name == "no":
        yield "sub-no", (statement,), ("some-not", a, b)
        yield "sub-no", (statement,), ("some-not", b, a)
    for premise in premises:
        if a in premise or b in premise:
            yield from _joined(statement, premise)
            yield from _joined(premise, statement)


def _joined(first: Statement, second: Statement) -> Iterator[Found]:
    """What a syllogism makes of two statements in this order."""
    mood = MOODS.get((first[0], second[0]))
    if mood:
        rule, left, right, name = mood
        for one in _readings(first):
            for two in _readings(second):
                if one[left.index("M")] == two[right.index("M")]:
                    s, p = two[right.index("S")], one[left.index("P")]
                    if s != p:
                        yield rule, (first, second), _statement(name, s, p)


def _readings(statement: Statement) -> tuple[tuple[str, str], ...]:
    """The two classes in order; for `no` and `some` in either order."""
    name, a, b = statement
    return ((a, b), (b, a)) if name in ("no", "some") else ((a, b),)


def _statement(name: str, a: str, b: str) -> Statement:
    made = make(name, a, b)
    assert isinstance(made, tuple)
    return made
