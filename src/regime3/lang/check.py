"""The checker: is every step of a body right, and its answer? If not, which is the first bad one?

    verdict = check_text("(gcd 462 147)", "(r-divmod 462 147 3 20) (qed 21)")
    # Verdict(accepted=False, index=1, expected="21", found="20", steps=2)

It replays and compares, in time linear in the body: no search, no `eval`, and no trust in whoever
wrote problem or body. What the rules mean is in `replay`. SPEC.md, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

from regime3.errors import LanguageError
from regime3.lang import terms
from regime3.lang.problem import Body, Problem, cut_steps, read_problem, read_step
from regime3.lang.replay import start
from regime3.lang.replay.finding import Finding, shown


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker says of a body.

    `index` is the first bad step, from 1; the answer counts as a step, a missing one is one past
    the last. It is 0 if the problem is bad, and where `accepted`. `steps` counts the answer too.
    """

    accepted: bool
    index: int
    expected: str
    found: str
    steps: int


_NO_ANSWER = Finding("(qed …)", "the end")


def check(problem: Problem, body: Body) -> Verdict:
    """The verdict on a body whose steps are typed and canonical (`read_body`, `body_of`)."""
    state = start(problem)
    steps = len(body)
    for index, step in enumerate(body, start=1):
        if step[0] != "qed":
            finding = state.play(step)
            if finding is not None:
                return _rejected(index, finding, steps)
            continue
        finding = state.answer(step[1])
        if finding is not None:
            return _rejected(index, finding, steps)
        if index < steps:
            return _rejected(index + 1, _nothing_after(shown(body[index])), steps)
        return Verdict(True, 0, "", "", steps)
    return _rejected(steps + 1, _NO_ANSWER, steps)


def check_text(problem: Problem | str, body: str) -> Verdict:
    """The verdict on a body as text. Never raises on any text.

    Steps are cut apart before any is read, so one that cannot be read is bad at its own index.
    """
    try:
        posed = problem if isinstance(problem, Problem) else read_problem(problem)
    except LanguageError as error:
        return _rejected(0, Finding("a problem", error.reason), 0)
    try:
        terms.check_size(body)
    except LanguageError as error:
        return _rejected(1, Finding("a body", error.reason), 1)
    return _check_pieces(posed, body, cut_steps(body))


def _check_pieces(problem: Problem, text: str, pieces: list[tuple[int, int]]) -> Verdict:
    state = start(problem)
    steps = len(pieces)
    answered = False
    for number, (begin, end) in enumerate(pieces):
        if answered:
            return _rejected(number + 1, _nothing_after(text[begin:end]), steps)
        try:
            step = read_step(problem, text, begin, end, number)
        except LanguageError as error:
            return _rejected(number + 1, Finding("a step", error.reason), steps)
        answered = step[0] == "qed"
        finding = state.answer(step[1]) if answered else state.play(step)
        if finding is not None:
            return _rejected(number + 1, finding, steps)
    if not answered:
        return _rejected(steps + 1, _NO_ANSWER, steps)
    return Verdict(True, 0, "", "", steps)


def _nothing_after(piece: str) -> Finding:
    return Finding("nothing after (qed …)", " ".join(piece[:80].split()))


def _rejected(index: int, finding: Finding, steps: int) -> Verdict:
    return Verdict(False, index, finding.expected, finding.found, steps)
