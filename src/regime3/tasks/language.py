"""The language's verbs for one trace, as plain dicts: what `r3` prints and the node answers.

Which regime a trace is in: its row says so, or its codes do; else a body that begins with a
parenthesis is S-expressions, one made of codes alone is codes, and any other is English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from regime3.errors import LanguageError
from regime3.lang import canon, check, codes, signature, terms, typing
from regime3.lang.codebook import Codebook
from regime3.lang.english import plain, terse
from regime3.lang.fingerprint import fingerprint as fingerprint_of
from regime3.lang.pack import packer
from regime3.lang.problem import Body, Problem, cut_steps, read_body, read_problem, show_body
from regime3.lang.terms import Term
from regime3.lang.traces import Trace
from regime3.lang.unpack import unpacker
from regime3.tasks.rows import CODES, ENGLISH, REGIMES, TERMS
from regime3.tasks.verdict import judge_row

SHOWN_MAX = 400
"""Characters of a problem or a step that people are shown."""
_REGIME_OF = {"sexpr": TERMS, "english": ENGLISH}


# --------------------------------------------------------------------------------------- canon


def canonical(text: str, fingerprint: bool) -> dict[str, str]:
    """A problem, step or term in canonical form, and the fingerprint of a problem."""
    term = terms.parse(text)
    if fingerprint or (isinstance(term, tuple) and term[0] in signature.KINDS):
        problem = read_problem(text)
        found = {"canonical": terms.show(problem.term)}
        return found | ({"fingerprint": fingerprint_of(problem)} if fingerprint else {})
    _demand_a_type(term, text)
    return {"canonical": terms.show(canon.canonical(term))}


def _demand_a_type(term: Term, text: str) -> None:
    """Refuse a term of no type at all, with the fault that lies furthest inside."""
    faults: list[LanguageError] = []
    for read in _readings(term):
        try:
            read()
        except LanguageError as error:
            faults.append(error)
        else:
            return
    if not faults or not isinstance(term, tuple):
        raise LanguageError(f"no problem holds {terms.show(term)[:32]}", text, 0)
    furthest = max(faults, key=lambda fault: len(fault.path))
    raise LanguageError(furthest.reason, text, terms.place(text, furthest.path))


def _readings(term: Term) -> Iterator[Callable[[], Any]]:
    """Ways to read a term: as each type that knows its name, then as a step of each kind."""
    scope = typing.Scope(line=signature.LINES_MAX + 1)
    name = term[0] if isinstance(term, tuple) else None
    for kind in typing.WORDS:
        if name in (None, "frac") or name in signature.FORMS.get(kind, {}):
            yield partial(typing.typed, term, kind, scope)
    if isinstance(term, tuple):
        for slots in _slots_of_steps(str(name)):
            yield partial(typing.typed_arguments, term, slots, scope, ())


def _slots_of_steps(name: str) -> list[signature.Slots]:
    """What a step of this name takes, in each kind of problem that has it."""
    if name == "qed":
        return [(answer,) for answer in sorted({answer for _, answer in codes.STEP_KINDS.values()})]
    rules = [signature.rule_slots(kind, name) for kind in signature.KINDS]
    return [rule.slots for rule in rules if rule is not None]


# --------------------------------------------------------------------------------------- check


def checked(trace: Trace, book: Codebook) -> dict[str, Any]:
    """The verdict on one trace, whatever its regime."""
    if _messages(trace) is None and regime_of(trace, ENGLISH) == TERMS:
        verdict = check.check_text(trace.problem, trace.body)
        step = _step_text(trace.body, verdict.index)
        accepted, index, steps = verdict.accepted, verdict.index, verdict.steps
        expected, found = verdict.expected, verdict.found
    else:
        judged = judge_row(_as_row(trace), book)
        accepted, index, steps, step = judged.valid, judged.index, judged.steps, judged.step
        expected, found = judged.expected, judged.found
    return {
        "problem": trace.problem,
        "accepted": accepted,
        "index": index,
        "steps": steps,
        "expected": expected,
        "found": found,
        "step": step,
    }


def _messages(trace: Trace) -> Any:
    """The messages of a chat row whose last one is the body."""
    row = trace.row or {}
    return None if "body" in row or "codes" in row else row.get("messages")


def _as_row(trace: Trace) -> dict[str, Any]:
    """The trace as a chat row; one that is none becomes a reply without a thought."""
    row = trace.row or {}
    if _messages(trace) is not None:
        return row
    messages = [{"role": "user", "content": ""}, {"role": "assistant", "content": trace.body}]
    found = {"problem": trace.problem, "regime": regime_of(trace, ENGLISH), "messages": messages}
    return found | ({"codebook": row["codebook"]} if "codebook" in row else {})


def regime_of(trace: Trace, other: int) -> int:
    """The regime of a trace with a body; `other` where nothing tells."""
    row = trace.row or {}
    if "codes" in row and "body" not in row:
        return CODES
    if type(row.get("regime")) is int and row["regime"] in REGIMES:
        return int(row["regime"])
    body = trace.body.lstrip()
    if body.startswith("(") or not body:
        return TERMS
    if body.startswith("<E") or all(_is_code(word) for word in body.split()):
        return CODES
    return other


def _is_code(word: str) -> bool:
    return word in codes.CODE or re.fullmatch(r"M[0-9]{1,3}|(<E[0-9]{3}>)+", word) is not None


def _step_text(body: str, index: int) -> str:
    """The text of the 1-based step `index`; '' where there is none."""
    if index < 1:
        return ""
    pieces = cut_steps(body)
    if index > len(pieces):
        return ""
    start, end = pieces[index - 1]
    return body[start:end]


def verdict_text(found: dict[str, Any]) -> str:
    """One line if accepted; else the bad step with a caret, and why."""
    problem = _short(found["problem"])
    if found["accepted"]:
        noun = "step" if found["steps"] == 1 else "steps"
        return f"accepted, {found['steps']:,} {noun}: {problem}"
    place = f" at step {found['index']:,}" if found["index"] else ""
    lines = [f"rejected{place}: {problem}"]
    if found["step"]:
        step = " ".join(found["step"].split())
        column = _column(step, found["found"])
        start = max(0, column - SHOWN_MAX // 2)
        lines += [f"    {_short(step[start:])}", "    " + " " * (column - start) + "^"]
    lines.append(f"    expected {found['expected']}; found {found['found']}")
    return "\n".join(lines)


def _short(text: str) -> str:
    line = " ".join(text[: 2 * SHOWN_MAX].split())
    return line if len(text) <= SHOWN_MAX else line[: SHOWN_MAX - 1] + "…"


def _column(step: str, found: str) -> int:
    """Where what was found stands in the step, as a whole; its beginning if it is nowhere."""
    places = [each.start() for each in re.finditer(rf"(?<=\s){re.escape(found)}(?=[\s)]|$)", step)]
    return places[-1] if places else 0


# ---------------------------------------------------------------------------- encode and decode


def encoded(trace: Trace, book: Codebook, names: bool) -> dict[str, Any]:
    """Problem and codes."""
    problem = read_problem(trace.problem)
    packed = packer(book).pack(problem, _body(problem, trace, book, ENGLISH))
    text = codes.names_text(packed, book) if names else codes.tokens_text(packed)
    return {
        "problem": terms.show(problem.term),
        "codes": packed,
        "text": text,
        "codebook": book.name,
    }


def decoded(trace: Trace, book: Codebook, to: str) -> dict[str, Any]:
    """Problem and body in the form that is wanted."""
    problem = read_problem(trace.problem)
    if not trace.body and _messages(trace) is None:
        raise LanguageError("no codes follow the problem")
    body = _body(problem, trace, book, CODES)
    found = {"problem": terms.show(problem.term), "body": _spelled(problem, body, to)}
    return found | ({"regime": _REGIME_OF[to]} if to in _REGIME_OF else {})


def _body(problem: Problem, trace: Trace, book: Codebook, other: int) -> Body:
    """The body that a trace spells. Raises `LanguageError`, `InputRefused` for foreign codes."""
    if _messages(trace) is not None:
        judged = judge_row(_as_row(trace), book)
        if judged.body is None:
            raise LanguageError(f"step {judged.index}: {judged.reason}")
        return judged.body
    regime = regime_of(trace, other)
    if regime == TERMS:
        return read_body(problem, trace.body)
    if regime == ENGLISH:
        return plain.read(problem, trace.body)
    if trace.row is not None and "codebook" in trace.row:
        book.demand(str(trace.row["codebook"]))
    return unpacker(book).unpack(problem, codes.read_tokens(trace.body))


def _spelled(problem: Problem, body: Body, to: str) -> str:
    if to == "english":
        return plain.show(problem, body)
    if to == "terse":
        return terse.show(problem, body)
    return show_body(body)
