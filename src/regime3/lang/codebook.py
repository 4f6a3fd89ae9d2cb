"""Codebooks: which options packing uses and what each learned code stands for.

    book = shipped()                       # the one in the package
    book = load(path, expected=name)       # refused unless it is that one
    book.expansion(311)                    # "(add (scale _ x0) _)"

A codebook is canonical JSON (UTF-8, sorted keys, no spaces) whose sha256 is its name; shards,
checkpoints and evaluations carry the name. A file that was changed in any way is refused with the
place. What macros are is in `macros`, which learns them; this module neither packs nor unpacks.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

from regime3 import disk
from regime3.errors import InputRefused, LanguageError
from regime3.lang import codes, signature
from regime3.lang.signature import Slots

OPTIONS: Final = ("atoms", "negatives", "pairs", "references")
"""What packing may use: one code for 0 to 99 (A), one for -1 to -60 (N; wants atoms), one for two
digits of a larger integer (P; wants atoms), codes for large integers seen lately (R)."""
STRATEGY_MAX: Final = 2
MACRO_NODES_MAX: Final = 64
"""Names and variables in one macro, so that no file can make one grow without bounds."""
FILE_BYTES_MAX: Final = 1 << 16

Macro = tuple[int, int, int]
"""(f, slot, g): the code g fills slot number `slot` (0-based) among the open slots of code f."""
Pattern = tuple[Any, ...]
"""(code, *parts) where a part is a slot (its type, as a word) or a Pattern."""


@dataclass(frozen=True)
class Codebook:
    """What packing and unpacking have to agree on. Made by `bare`, `load` and `with_macros`."""

    strategy: int
    """0: nothing is predicted; 1: the specification's; 2: inside blocks too."""
    options: Mapping[str, bool]
    """Each of `OPTIONS`: whether packing uses it."""
    macros: tuple[Macro, ...] = ()
    corpus: str = ""
    """sha256 of the corpus that the macros were learned from; '' without one."""
    version: str = signature.VERSION
    signature: str = signature.SHA256
    forms: tuple[dict[str, Slots], ...] = field(init=False, repr=False, compare=False)
    """`codes.FORMS`, and those of the macros after them."""

    def __post_init__(self) -> None:
        """Refuses, as `LanguageError`, what no codebook may say."""
        _check_settings(self)
        object.__setattr__(self, "forms", _all_forms(self.macros))

    def __hash__(self) -> int:
        return hash(self.name)

    @cached_property
    def name(self) -> str:
        """sha256 of the codebook's file, in hex."""
        return hashlib.sha256(self.json.encode()).hexdigest()

    @cached_property
    def json(self) -> str:
        """The file, as text."""
        return _canonical_json(
            {
                "codes": codes.BASE,
                "corpus": self.corpus,
                "macros": self.macros,
                "options": dict(self.options),
                "signature": self.signature,
                "strategy": self.strategy,
                "version": self.version,
            }
        )

    @cached_property
    def assigned(self) -> frozenset[int]:
        """The codes that mean something: the base, the macros, and what options add."""
        found = set(range(codes.FIRST_MACRO + len(self.macros)))
        if self.options["negatives"]:
            found.update(range(codes.MACRO_END, codes.PAIR))
        if self.options["pairs"]:
            found.update(range(codes.PAIR, codes.CODES_MAX))
        return frozenset(found)

    def with_macros(self, macros: Iterable[Macro], corpus: str) -> Codebook:
        """The same codebook with macros learned from the corpus of that sha256."""
        return replace(self, macros=tuple(macros), corpus=corpus)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all."""
        disk.write_text(path, self.json)

    def demand(self, name: str) -> None:
        """Refuse to read codes that were packed with a codebook of another name."""
        if name != self.name:
            raise InputRefused(
                f"packed with codebook {name[:12]}, not {self.name[:12]}",
                next_command="r3 codebook show FILE",
            )

    def pattern(self, code: int, kind: str) -> Pattern:
        """What `code` stands for where type `kind` is wanted; KeyError if it cannot stand there."""
        if code < codes.FIRST_MACRO:
            return (code, *self.forms[code][kind])
        outer, slot, inner = self.macros[code - codes.FIRST_MACRO]
        pattern, _ = self._filled(self.pattern(outer, kind), slot, inner)
        return pattern

    def _filled(self, pattern: Pattern, slot: int, code: int) -> tuple[Pattern, int]:
        """The pattern with open slot number `slot` filled, and what is left to count if it has
        fewer slots (-1 once filled)."""
        parts = list(pattern)
        for place, part in enumerate(parts[1:], start=1):
            if slot < 0:
                break
            if isinstance(part, tuple):
                parts[place], slot = self._filled(part, slot, code)
            elif slot == 0:
                parts[place], slot = self.pattern(code, part), -1
            else:
                slot -= 1
        return tuple(parts), slot

    def expansion(self, code: int) -> str:
        """What a code stands for, for people: `(add (scale _ x0) _)`, with `_` for what follows."""
        if code in codes.MEANINGS:
            return codes.MEANINGS[code]
        if not 0 <= code < len(self.forms):
            return "reserve"
        return self._shown(self.pattern(code, next(iter(self.forms[code]))))

    def _shown(self, pattern: Pattern) -> str:
        words = [codes.BASE[pattern[0]].rstrip("+")]
        for part in pattern[1:]:
            if isinstance(part, tuple):
                words.append(self._shown(part))
            else:
                words.append("_ …" if part.endswith("*") else "_")
        return f"({' '.join(words)})" if len(words) > 1 or _bracketed(words[0]) else words[0]

    def type_of(self, code: int) -> str:
        """Where a code may stand, for people: types such as `E L`."""
        atom = codes.ATOM <= code < codes.FIRST_MACRO
        if codes.NEG <= code < codes.IMPLIED or atom or codes.MACRO_END <= code < codes.CODES_MAX:
            return "Int"
        if code == codes.IMPLIED:
            return "step"
        kinds = self.forms[code] if 0 <= code < len(self.forms) else ()
        return " ".join(kind for kind in kinds if kind not in codes.TOLD_TYPES)


def _bracketed(name: str) -> bool:
    return name in ("list", "given", "elem", "factors", "try", "counter")


def _canonical_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _check_settings(book: Codebook) -> None:
    if book.version != signature.VERSION:
        raise LanguageError(f"version: {book.version!r}, where this program is {signature.VERSION}")
    if book.signature != signature.SHA256:
        raise LanguageError(
            f"signature: made for {book.signature[:12]}, not {signature.SHA256[:12]}, so names may"
            " have other codes"
        )
    if book.strategy not in range(STRATEGY_MAX + 1):
        raise LanguageError(f"strategy: {book.strategy!r} is none of 0 to {STRATEGY_MAX}")
    if set(book.options) != set(OPTIONS) or any(type(v) is not bool for v in book.options.values()):
        lacking = "".join(f"; {each} is missing" for each in OPTIONS if each not in book.options)
        raise LanguageError(f"options: must be {', '.join(OPTIONS)}, each true or false{lacking}")
    if book.options["pairs"] and not book.options["atoms"]:
        raise LanguageError("options: pairs wants atoms, which spell the highest two digits")
    if book.options["negatives"] and not book.options["atoms"]:
        raise LanguageError("options: negatives wants atoms, which spell 0 and what is positive")
    if not re.fullmatch("([0-9a-f]{64})?", book.corpus):
        raise LanguageError(f"corpus: {book.corpus[:64]!r} is no sha256")
    if len(book.macros) > codes.MACROS_MAX:
        raise LanguageError(f"macros: more than {codes.MACROS_MAX}")


def _all_forms(macros: Iterable[Macro]) -> tuple[dict[str, Slots], ...]:
    """`codes.FORMS` and those of the macros; refuses one that is not what macros may be."""
    forms = list(codes.FORMS)
    nodes = [1] * len(forms)
    seen: set[Macro] = set()
    for number, macro in enumerate(macros):
        place = f"macros[{number}]"
        forms.append(_macro_forms(macro, forms, place))
        nodes.append(nodes[macro[0]] + nodes[macro[2]])
        if nodes[-1] > MACRO_NODES_MAX:
            raise LanguageError(f"{place}: more than {MACRO_NODES_MAX} names and variables")
        if macro in seen:
            raise LanguageError(f"{place}: {list(macro)} stands there twice")
        seen.add(macro)
    return tuple(forms)


def _macro_forms(macro: Macro, forms: list[dict[str, Slots]], place: str) -> dict[str, Slots]:
    """The forms of the macro that comes after `forms`: open slots in reading order."""
    outer, slot, inner = macro
    for code in (outer, inner):
        if not 0 <= code < len(forms):
            raise LanguageError(f"{place}: code {code} is not assigned before it")
        if not is_part(code, forms):
            raise LanguageError(f"{place}: {codes.name(code)} can be no part of a macro")
    found = {}
    for kind, slots in forms[outer].items():
        if slot in range(len(slots)) and slots[slot] in forms[inner]:
            found[kind] = slots[:slot] + forms[inner][slots[slot]] + slots[slot + 1 :]
    if not found:
        names = f"{codes.name(inner)} in slot {slot} of {codes.name(outer)}"
        raise LanguageError(f"{place}: {names} types nowhere")
    return found


def is_part(code: int, forms: list[dict[str, Slots]] | tuple[dict[str, Slots], ...]) -> bool:
    """Whether macros may hold a code: names, variables and macros; no constant, line or integer."""
    if code == codes.END or codes.CONSTANT <= code < codes.NEG:
        return False
    return bool(forms[code])


def bare(
    strategy: int = STRATEGY_MAX,
    *,
    atoms: bool = True,
    references: bool = True,
    pairs: bool = False,
    negatives: bool = False,
) -> Codebook:
    """A codebook without macros."""
    options = {
        "atoms": atoms,
        "negatives": negatives,
        "pairs": pairs,
        "references": references,
    }
    return Codebook(strategy, options)


@cache
def shipped() -> Codebook:
    """The codebook in the package."""
    source = resources.files("regime3.lang").joinpath("codebook.json")
    if not source.is_file():
        raise InputRefused(
            "the package holds no codebook", file="codebook.json", next_command="r3 codebook learn"
        )
    return read(source.read_bytes(), "regime3/lang/codebook.json")


def load(path: Path, expected: str | None = None) -> Codebook:
    """The codebook in a file; `expected` is the name that it must have.

    Raises `InputRefused` with the file, the place in it and the reason.
    """
    try:
        with open(path, "rb") as source:
            data = source.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise InputRefused(f"cannot be read: {error.strerror}", file=str(path)) from None
    return read(data, str(path), expected)


def read(data: bytes, file: str, expected: str | None = None) -> Codebook:
    """The codebook that the bytes of `file` hold. Raises as `load` does."""
    name = hashlib.sha256(data).hexdigest()
    try:
        if len(data) > FILE_BYTES_MAX:
            raise LanguageError(f"longer than {FILE_BYTES_MAX:,} bytes")
        if expected is not None and name != expected:
            raise LanguageError(f"its name is {name[:12]}, where {expected[:12]} is wanted")
        book = _of_json(data)
        if book.name != name:
            raise LanguageError("not canonical JSON, so its name would be another")
    except LanguageError as error:
        raise InputRefused(error.reason, file=file, next_command="r3 codebook show") from None
    return book


def _of_json(data: bytes) -> Codebook:
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise LanguageError(f"not JSON in UTF-8: {error}") from None
    kinds = {
        "codes": list,
        "corpus": str,
        "macros": list,
        "options": dict,
        "signature": str,
        "strategy": int,
        "version": str,
    }
    if not isinstance(found, dict) or set(found) != set(kinds):
        raise LanguageError(f"wants an object with {', '.join(kinds)}")
    for key, kind in kinds.items():
        if type(found[key]) is not kind:
            raise LanguageError(f"{key}: must be of type {kind.__name__}")
    _check_codes(found.pop("codes"))
    found["macros"] = tuple(_macro(macro, place) for place, macro in enumerate(found["macros"]))
    return Codebook(**found)


def _check_codes(names: list[Any]) -> None:
    for code, (theirs, ours) in enumerate(zip(names, codes.BASE, strict=False)):
        if theirs != ours:
            raise LanguageError(f"codes[{code}]: {str(theirs)[:32]!r}, where {ours!r} stands")
    if len(names) != len(codes.BASE):
        raise LanguageError(f"codes: {len(names)}, where there are {len(codes.BASE)}")


def _macro(value: Any, place: int) -> Macro:
    if type(value) is not list or [type(part) for part in value] != [int, int, int]:
        raise LanguageError(f"macros[{place}]: must be three integers")
    return (value[0], value[1], value[2])
