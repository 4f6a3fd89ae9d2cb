"""Terms as people write them in a question: `(7 * 8) + 2 + 40` is `7 * 8 + 2 + 40`, `5x + 2 = x`.

For prompts only: nothing reads this back. Bodies in English, which must be read back exactly, are
`lang.english`.
"""

from __future__ import annotations

from fractions import Fraction

from regime3.lang.terms import Term, is_literal, value_of
from regime3.tasks.draw import Draw

SIGNS = (("*", "/"), ("*", "/"), ("×", "÷"))
"""Signs for a product and a quotient, as often as they are wanted."""
_STRENGTH = {"add": 1, "sub": 1, "mul": 2, "div": 2, "pow": 3}
_ATOMIC = 4


def infix(term: Term, signs: tuple[str, str] = SIGNS[0]) -> str:
    """An expression of numbers, with brackets only where a reader would go wrong without."""
    if not isinstance(term, tuple) or is_literal(term):
        return number(term)
    name, *arguments = term
    if name == "pow":
        return f"{_bracketed(arguments[0], _ATOMIC, signs)}^{arguments[1]}"
    sign = {"add": "+", "sub": "-", "mul": signs[0], "div": signs[1]}[name]
    strength = _STRENGTH[name]
    # From left to right, brackets may go on the left, but a - (b - c) and a * (b / c) need theirs.
    first = _bracketed(arguments[0], strength, signs)
    rest = [
        _bracketed(
            each, strength if _named(each, name) and name in ("add", "mul") else strength + 1, signs
        )
        for each in arguments[1:]
    ]
    return f" {sign} ".join([first, *rest])


def number(literal: Term) -> str:
    """An integer, or a fraction as p/q."""
    return f"{literal[1]}/{literal[2]}" if isinstance(literal, tuple) else str(literal)


def _named(term: Term, name: str) -> bool:
    return isinstance(term, tuple) and term[0] == name


def _bracketed(term: Term, strength: int, signs: tuple[str, str]) -> str:
    """The term, in brackets if it binds less than `strength`."""
    text = infix(term, signs)
    name = str(term[0]) if isinstance(term, tuple) else ""
    own = _STRENGTH["div"] if name == "frac" else _STRENGTH.get(name, _ATOMIC)
    return f"({text})" if own < strength or text.startswith("-") else text


def equation(term: Term) -> str:
    """`(eqn left right)` with x for the unknown."""
    assert isinstance(term, tuple)
    return f"{linear(term[1])} = {linear(term[2])}"


def linear(term: Term) -> str:
    """An expression in x."""
    if term == "x0":
        return "x"
    if not isinstance(term, tuple) or is_literal(term):
        return number(term)
    name, *arguments = term
    if name == "scale":
        return _scaled(arguments[0], arguments[1])
    if name == "sub":
        return f"{linear(arguments[0])} - {_whole(arguments[1])}"
    text = linear(arguments[0])
    for each in arguments[1:]:
        piece = _whole(each) if _named(each, "sub") else linear(each)
        text += f" - {piece[1:]}" if piece.startswith("-") else f" + {piece}"
    return text


def _scaled(factor: Term, term: Term) -> str:
    """3x, -x, 2x/3, 3(x + 1), (x + 1)/2."""
    value = Fraction(value_of(factor))
    over, under = value.numerator, value.denominator
    text = "x" if term == "x0" else f"({linear(term)})"
    shown = {1: "", -1: "-"}.get(over, str(over)) if text[0] in "x(" else str(over)
    return f"{shown}{text}" + (f"/{under}" if under != 1 else "")


def _whole(term: Term) -> str:
    """A term to be taken away: in brackets if it is a sum or begins with a minus sign."""
    text = linear(term)
    loose = _named(term, "add") or _named(term, "sub") or text.startswith("-")
    return f"({text})" if loose else text


def ask(draw: Draw, questions: tuple[str, ...], **parts: object) -> str:
    """One of the questions, with its parts put in."""
    return draw.choice(questions).format(**parts)
