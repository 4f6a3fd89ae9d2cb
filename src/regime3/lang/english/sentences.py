"""Bodies as lines of English, in one style: written, and read back exactly.

    english = English("plain", numbered=True)
    english.show(problem, body)
    english.read(problem, text)

Every step is a line and the answer is the last. What is read is typed and canonical and may be
wrong, like every body; `check` judges it.
"""

from __future__ import annotations

from typing import Any, Final

from regime3.errors import LanguageError
from regime3.lang import signature
from regime3.lang.english.numbers import Notation, as_term, framed, listed, literally
from regime3.lang.english.templates import ALL, ROWS, Found, Tree, Writer, pieces, writer
from regime3.lang.english.terms import EMPTY, NOTATIONS, Style
from regime3.lang.problem import Body, Problem, Step, line_of, step_of_term
from regime3.lang.signature import ELEMENTS_MAX, FORMS, KINDS, RULES, STEPS_MAX, Slots
from regime3.lang.terms import check_size

COLUMN: Final[dict[Style, int]] = {"plain": 0, "terse": 1}
"""Where a row of templates has its style."""
ELEMENTS: Final[dict[Style, tuple[str, str]]] = {"plain": ("", "; "), "terse": (" ", ",")}
"""What stands before the elements of a counter-model, and between them."""
NUMBERED: Final = frozenset({"entails", "follows"})
"""Kinds of problems whose steps refer to lines by number."""


class Forms:
    """The sentences of one sort: a writer for each name, and a tree that tells names apart."""

    def __init__(
        self, forms: dict[str, Slots], column: int, notations: dict[str, Notation]
    ) -> None:
        self.writers: dict[str, Writer] = {}
        self.tree = Tree()
        for name, slots in forms.items():
            found = pieces(ROWS[name][column], slots, notations)
            self.writers[name] = writer(found)
            self.tree.add(name, found)

    def read(self, text: str, start: int, end: int) -> tuple[str, Found]:
        """The name of the sentence `text[start:end]`, and what stands in its slots."""
        found: Found = {}
        return self.tree.match(text, start, end, found), found


class English:
    """Regime 1 in the style "plain" or "terse"; with `numbered`, steps of logic bear numbers."""

    def __init__(self, style: Style, numbered: bool) -> None:
        column = COLUMN[style]
        notations = dict(NOTATIONS[style])
        notations["Elem*"] = _elements(style, notations)
        self._numbered = NUMBERED if numbered else frozenset()
        self._steps = {
            kind: Forms({name: rule.slots for name, rule in rules.items()}, column, notations)
            for kind, rules in RULES.items()
        }
        types = {signature.answer_type(kind, folds) for kind in KINDS for folds in (False, True)}
        self._answers = {kind: Forms(_answer_forms(kind), column, notations) for kind in types}

    # ------------------------------------------------------------------------------------ writing

    def show(self, problem: Problem, body: Body) -> str:
        """The body, one step a line, the answer last; no line break at the end."""
        writers = self._steps[problem.kind].writers
        lines = [writers[step[0]](step) for step in body[:-1]]
        if problem.kind in self._numbered:
            first = line_of(problem, 0)
            lines = [f"{first + index}. {line}" for index, line in enumerate(lines)]
        lines.append(self.show_answer(problem, body[-1][1]))
        return "\n".join(lines)

    def show_answer(self, problem: Problem, answer: Any) -> str:
        """The last line."""
        writers = self._answers[problem.answer].writers
        name = answer[0] if isinstance(answer, tuple) else answer
        if name in writers:
            return writers[name](answer)
        return writers["qed"](("qed", answer))

    # ------------------------------------------------------------------------------------ reading

    def read(self, problem: Problem, text: str) -> Body:
        """The body that `show` wrote; blank lines may stand around it.

        Raises `LanguageError` with a caret.
        """
        check_size(text)
        lines = _lines(text)
        if not lines:
            raise LanguageError("the answer is missing", text, len(text))
        if len(lines) > STEPS_MAX:
            raise LanguageError(f"more than {STEPS_MAX} steps", text, lines[STEPS_MAX][0])
        steps = [
            self._read_step(problem, text, start, end, index)
            for index, (start, end) in enumerate(lines[:-1])
        ]
        return (*steps, self._read_answer(problem, text, *lines[-1], len(steps)))

    def _read_step(self, problem: Problem, text: str, start: int, end: int, index: int) -> Step:
        if problem.kind in self._numbered:
            start = literally(f"{line_of(problem, index)}. ", text, start)
        name, found = self._steps[problem.kind].read(text, start, end)
        return _typed(problem, name, found, text, index)

    def _read_answer(self, problem: Problem, text: str, start: int, end: int, index: int) -> Step:
        name, found = self._answers[problem.answer].read(text, start, end)
        if name == "qed":
            return _typed(problem, name, found, text, index)
        answer = (name, *found[ALL][0]) if found else name
        return _typed(problem, "qed", {1: (answer, start)}, text, index)


def _elements(style: Style, notations: dict[str, Notation]) -> Notation:
    """The elements of a counter-model, each as the template of `elem` has it."""
    lead, between = ELEMENTS[style]
    before, after = ROWS["elem"][COLUMN[style]].split("{*}")
    element = framed(before, as_term("elem", notations["G*"]), after)
    return framed(lead, listed(element, between, EMPTY[style], ELEMENTS_MAX), "")


def _answer_forms(kind: str) -> dict[str, Slots]:
    """How answers of a type may be written: names with their slots; `qed` for a bare value."""
    forms = {name: slots for name, slots in FORMS.get(kind, {}).items() if name in ROWS}
    if kind in ("Int", "Num", "List"):
        forms["qed"] = (kind,)
    elif kind == "Answer-solve":
        forms["qed"] = ("Num",)
    return forms


def _lines(text: str) -> list[tuple[int, int]]:
    """Where each line begins and ends, without blank lines before the first and after the last."""
    position = len(text) - len(text.lstrip())
    lines: list[tuple[int, int]] = []
    for line in text.strip().split("\n"):
        lines.append((position, position + len(line)))
        position += len(line) + 1
    return lines if text.strip() else []


def _typed(problem: Problem, name: str, found: Found, text: str, index: int) -> Step:
    """The step, typed and canonical; a fault is placed where its slot begins."""
    if ALL in found:
        arguments, start = found[ALL]
        starts = [start] * len(arguments)
    else:
        arguments = [found[number][0] for number in range(1, len(found) + 1)]
        starts = [found[number][1] for number in range(1, len(found) + 1)]
    try:
        return step_of_term(problem, (name, *arguments), index)
    except LanguageError as error:
        place = starts[error.path[0]] if error.path else starts[0] if starts else None
        raise LanguageError(error.reason, text, place) from None
