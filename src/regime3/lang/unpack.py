"""Unpacking: codes as a body.

    body = Unpacker(book).unpack(problem, codes)

What comes back is typed and canonical, and may be wrong: `check` judges it. Codes that no packer
would write are read as long as the grammar has them, such as digits for an integer that R names
or a foreseen step in full. Anything else is refused with the place and the reason, in time linear
in the codes. SPEC.md, section 5.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import length_hint
from typing import Final

from regime3.errors import LanguageError
from regime3.lang import codes as codes_of
from regime3.lang import replay, signature
from regime3.lang.codebook import Codebook
from regime3.lang.codes import CODES_MAX, CONSTANT, IMPLIED
from regime3.lang.grammar import Grammar
from regime3.lang.problem import Body, Problem, Step
from regime3.lang.reader import Plan, Reader
from regime3.lang.references import from_problem
from regime3.lang.spelling import spelling_of
from regime3.lang.terms import Term
from regime3.lang.typing import WORDS

NODES_MAX: Final = signature.PROBLEM_NODES_MAX
"""Nodes of a step: as many as of a problem."""


class Unpacker:
    """Unpacks with one codebook. Not for several threads at once."""

    def __init__(self, book: Codebook) -> None:
        self.book = book
        self._spelling = spelling_of(book)
        self._grammars: dict[tuple[str, int], Grammar] = {}
        self._canonical: dict[Term, Term] = {}

    def unpack(self, problem: Problem, codes: Sequence[int]) -> Body:
        """The body that the codes spell.

        Raises `LanguageError` whose `position` is the 0-based place of the code at fault.
        """
        if codes and not 0 <= min(codes) <= max(codes) < CODES_MAX:
            place = next(i for i, code in enumerate(codes) if not 0 <= code < CODES_MAX)
            raise self._refusal(codes, place, f"codes are 0 to {CODES_MAX - 1}")
        waiting = iter(codes)
        try:
            body = _Reading(self, problem, codes, waiting).body()
        except StopIteration:
            raise self._refusal(codes, len(codes), "the codes end before the answer") from None
        except LanguageError as error:
            place = len(codes) - length_hint(waiting) - 1
            reason = self._unknown(codes[place], problem) or error.reason
            raise self._refusal(codes, place, reason) from None
        left = length_hint(waiting)
        if left:
            raise self._refusal(codes, len(codes) - left, "nothing may follow the answer")
        return body

    def grammar(self, problem: Problem) -> Grammar:
        """The tables for a problem."""
        key = codes_of.step_type(problem.kind, problem.answer), problem.constants
        grammar = self._grammars.get(key)
        if grammar is None:
            grammar = self._grammars[key] = Grammar(self.book, *key)
        return grammar

    def recent(self, problem: Problem) -> list[int]:
        """What R refers to before the first step, the latest last."""
        return from_problem(problem, self.book)

    def reader(self, problem: Problem, take: Callable[[], int]) -> Reader:
        """A reader of terms as the first step of the problem finds it."""
        line = len(problem.premises) + 1
        return Reader(take, line, self.recent(problem), self._spelling, self._canonical)

    def _unknown(self, code: int, problem: Problem) -> str:
        """What is wrong with a code wherever it stands, or ''."""
        if code not in self.book.assigned:
            return f"codebook {self.book.name[:12]} does not assign it"
        if problem.constants <= code - CONSTANT < signature.CONSTANTS_MAX:
            return f"the problem has {problem.constants} constants"
        return ""

    def _refusal(self, codes: Sequence[int], place: int, reason: str) -> LanguageError:
        named = f", {codes_of.name(codes[place], self.book)}" if place < len(codes) else ""
        error = LanguageError(f"code {place}{named}: {reason}")
        error.position = place
        return error


class _Reading:
    """One body being read. What is refused is a `LanguageError` about the code read last."""

    def __init__(
        self, unpacker: Unpacker, problem: Problem, codes: Sequence[int], waiting: Iterator[int]
    ) -> None:
        strategy = unpacker.book.strategy
        self.problem, self.codes, self.waiting = problem, codes, waiting
        self.grammar = unpacker.grammar(problem)
        self.state = replay.start(problem, strategy) if strategy else None
        self.reader = unpacker.reader(problem, waiting.__next__)
        self.room = signature.STEPS_MAX - 1
        """Steps that may come before the answer."""
        if problem.goal is not None:
            self.room = signature.LINES_MAX - len(problem.premises)

    def body(self) -> Body:
        """Every step up to the answer; StopIteration when the codes end before."""
        reader, state, steps = self.reader, self.state, self.grammar.steps
        body: list[Step] = []
        while True:
            code = reader.take()
            entry = steps[code]
            if entry is not None:
                step = self._spelled(entry)
            elif code == IMPLIED:
                step = ("qed", self._implied())
            else:
                step = self._foreseen(code)
            body.append(step)
            if step[0] == "qed":
                return tuple(body)
            if len(body) > self.room:
                raise LanguageError(f"only {self.room} steps have room before the answer")
            if state is not None:
                state.follow(step)
            reader.line += 1

    def _spelled(self, entry: Plan) -> Step:
        """A step or answer in full; `entry` is the plan of its first code."""
        left = length_hint(self.waiting)
        step: Step = entry[0](self.reader, entry, 0)
        taken = left - length_hint(self.waiting)
        if taken > self.grammar.codes_safe:
            start, nodes = len(self.codes) - left - 1, self.grammar.nodes
            if sum(nodes[code] for code in self.codes[start : start + taken + 1]) > NODES_MAX:
                raise LanguageError(f"more than {NODES_MAX} nodes in a step")
        return step

    def _foreseen(self, code: int) -> Step:
        """The step that prediction names, from what tells it; `code` is the first of it."""
        ways = () if self.state is None else self.state.expects()
        tables = self.grammar.tables
        for way in ways:
            if tables[way[0]][code] is not None:
                break
        else:
            told = "".join(f", {WORDS[way[0]]}" for way in ways)
            raise LanguageError(f"a rule of {self.problem.kind}{told} or an answer must stand here")
        terms = [self.reader.begun(tables[way[0]], code, 1)]
        for kind in way[1:]:
            terms.append(self.reader.term(tables[kind], 1))
        assert self.state is not None
        return self.state.step_of(tuple(terms))

    def _implied(self) -> Term:
        """The answer of `qed!`."""
        answer = None if self.state is None else self.state.implied()
        if answer is None:
            raise LanguageError("no answer is implied here")
        return answer


@cache
def unpacker(book: Codebook) -> Unpacker:
    """The one of this codebook that the process keeps. Not for several threads at once."""
    return Unpacker(book)
