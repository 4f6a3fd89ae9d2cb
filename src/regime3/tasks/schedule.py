"""Which regime a training row is written in, as training goes on.

    shares("transitional", step=500, steps_total=1000)     # thousandths by form
    choose("transitional", 500, 1000, key="arithmetic|train|3|17")

    english        regime 1 alone
    mixed          all three alike from beginning to end, and translations
    transitional   from mostly English to mostly codes; no form ever falls below its floor
    pure           regime 3 alone

A pure function of its arguments: a step that is taken again writes the same rows. It writes no row
itself, and knows nothing of loss or accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from regime3.errors import InputRefused
from regime3.tasks.draw import Draw

Schedule = Literal["english", "mixed", "transitional", "pure"]
Regime = Literal[1, 2, 3]

DEFAULT: Schedule = "transitional"
WHOLE = 1000
"""Shares are integers and add up to this, so that no rounding differs between machines."""
FORM_FLOOR = 50
"""Thousandths that each regime keeps under the transitional schedule, at every step."""
TRANSLATION_SHARE = 100
"""Thousandths of rows that rewrite a body from one regime into another, if there are several."""
ANNEAL_SHARE = 800
"""Thousandths of the steps over which the transitional schedule changes; then it stays."""

TRANSLATION = "translation"
FORMS = ("english", "terms", "codes", TRANSLATION)
REGIMES: dict[str, Regime] = {"english": 1, "terms": 2, "codes": 3}
"""The regime that each form but translation is."""
Shares = dict[str, int]


def _shares(english: int, terms: int, codes: int, translation: int) -> Shares:
    assert english + terms + codes + translation == WHOLE
    return dict(zip(FORMS, (english, terms, codes, translation), strict=True))


CONSTANT: dict[str, Shares] = {
    "english": _shares(WHOLE, 0, 0, 0),
    "mixed": _shares(300, 300, 300, TRANSLATION_SHARE),
    "pure": _shares(0, 0, WHOLE, 0),
}
FIRST = _shares(WHOLE - TRANSLATION_SHARE - 150 - FORM_FLOOR, 150, FORM_FLOOR, TRANSLATION_SHARE)
LAST = _shares(100, 100, WHOLE - TRANSLATION_SHARE - 200, TRANSLATION_SHARE)


@dataclass(frozen=True, slots=True)
class Form:
    """How a row is written: the answer to a prompt, or a translation of a body."""

    target: Regime
    source: Regime | None = None
    """The regime that is translated from; None if the row answers its prompt."""


TRANSLATIONS = tuple(
    Form(target, source) for source in (1, 2, 3) for target in (1, 2, 3) if source != target
)


def shares(schedule: str, step: int, steps_total: int) -> Shares:
    """Thousandths of rows by form at a step (0-based) of so many; they add up to 1,000.

    Steps beyond the last are like the last. Raises `InputRefused` for an unknown schedule.
    """
    if schedule in CONSTANT:
        return dict(CONSTANT[schedule])
    if schedule != "transitional":
        known = ", ".join(sorted([*CONSTANT, "transitional"]))
        raise InputRefused(f"no schedule is called {schedule!r}: there are {known}")
    over = max(1, steps_total * ANNEAL_SHARE // WHOLE)
    done = min(max(step, 0), over)
    found = {form: FIRST[form] + (LAST[form] - FIRST[form]) * done // over for form in FORMS}
    # What rounding down leaves over goes to the codes.
    found["codes"] += WHOLE - sum(found.values())
    return found


def choose(schedule: str, step: int, steps_total: int, key: str) -> Form:
    """The form of the row that the key names, at this step."""
    draw = Draw(f"schedule|{schedule}|{step}|{key}")
    form = _at(shares(schedule, step, steps_total), draw.below(WHOLE))
    if form == TRANSLATION:
        return draw.choice(TRANSLATIONS)
    return Form(REGIMES[form])


def _at(found: Shares, place: int) -> str:
    """The form whose share holds the place, 0 to 999."""
    for form in FORMS[:-1]:
        if place < found[form]:
            return form
        place -= found[form]
    return FORMS[-1]
