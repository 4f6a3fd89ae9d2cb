"""The text that the nano tokenizer learns its merges from, written by code.

`lines()` yields the same sentences for ever: English-like templates filled from word lists,
sums, small programs of S-expressions and chat lines, drawn by sha256 of a counter. It is no
training set for a model and claims no likeness to real text beyond its common words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

LINES = 12_000


def _words(text: str) -> list[str]:
    return text.split()


NOUNS = _words("""
answer problem question number list word letter line step sum product result value
example sentence string sequence set order case rule state table row column graph node edge path
tree root game board piece position digit integer fraction equation expression variable term
function program code input output item element index count length size time day week month year
hour minute second clock date age price cost money coin dollar cent shop store box bag basket apple
orange book page pencil ball toy car train bus road city house room door window garden farm animal
dog cat bird fish horse cow chicken duck sheep child boy girl man woman friend family mother father
brother sister teacher student school class team player person people group world country water food
bread milk egg tea cup plate knife tool machine engine model data file lab token prompt thought
reason proof premise statement conclusion argument fact truth hypothesis knight knave circle square
triangle rectangle angle area perimeter volume radius side point distance speed weight height
temperature degree percent ratio average median factor multiple divisor remainder prime power base
matrix cube color shape figure pattern move turn score goal rest part whole half third quarter pair
name place way thing kind type form body head hand eye mind idea plan task job work day night
morning evening summer winter sun moon star sky sea river mountain tree flower leaf seed""")

VERBS = _words("""
is are was were has have had find give take make get put add subtract multiply divide
count solve compute calculate determine evaluate simplify sort reverse rotate rearrange remove
replace insert convert translate decrypt encode decode write read say tell ask answer think know
believe need want like use try check prove show follow start begin end stop go come move turn walk
run jump eat drink buy sell pay cost spend save earn receive send bring carry hold keep leave open
close fill draw look see hear feel grow change become mean call name return print assume suppose
consider let choose pick guess remember forget learn teach train help play win lose share split
combine compare equal contain include represent appear happen remain complete""")

ADJECTIVES = _words("""
first second third last next previous new old big small large little long short
high low right left wrong true false good bad better best same different equal even odd positive
negative whole possible impossible correct incorrect valid empty full many few more less most least
red blue green yellow white black orange purple brown simple hard easy fast slow early late hot
cold happy sad young total final following given single double unique common certain clear
available important original alphabetical ascending descending lexicographic""")

GLUE = _words("""
the a an of to in on at by for with from as and or not if then else when while because
so but that this these those there here it its he she they them their his her you your we our I my
me who which what where why how all each every any some no none one two three four five six seven
eight nine ten eleven twelve twenty hundred thousand only also just now after before until between
under over into out up down again once always never can could will would should must may might do
does did be been being than both either neither only-if such exactly total altogether""")

COMMON = _words("""
about above across against along among another around away back because become behind
below beside beyond both build change close consist could course current decide describe different
direct during else enough especially even ever example except expect explain face far field finally
form further general great happy hence however human important include indeed inside interest just
kind large later least likely little local long main matter measure might minutes moment mostly
move much natural near nearly necessary never often open order other outside over own particular
perhaps place plain possible present probably provide question quick quite rather reach ready real
really reason receive relate require rest return same scene section seem several shape similar
simple since small something sometimes soon special stand state still strange strong study such
support sure system taken talk tell terms therefore thing through thus together toward try type
under understand unless until upon useful usually various very voice wait watch wide within without
wonder write yesterday yet assistant user system helpful please sure thanks sorry hello""")

NAMES = _words("""
Alice Bob Carol David Emma Frank Grace Henry Ivy Jack Kate Liam Mary Noah Olivia Peter
Quinn Rose Sam Tom Una Victor William Xavier Yara Zoe Alexander Benjamin Charlotte Daniel Elizabeth
James John Michael Sophia Samuel Harper Riley Jackson Monday Tuesday Wednesday Thursday Friday
Saturday Sunday January February March April May June July August September October November
December""")

TEMPLATES = (
    "What is the {a} {n} of the {n}?",
    "How many {n}s does the {n} have after {v} the {a} {n}?",
    "The {n} {v} the {a} {n}, so the {n} is {a}.",
    "If {g} {n} {v} {g} {n}, then {g} {n} {v} {g} {n}.",
    "Your task is to {v} the {n} {g} {v} the {a} {n}.",
    "{g} {n} {v} {g} {a} {n} {g} {n}.",
    "Let's {v} this {n} step by step:\n1. {v} the {n}\n2. {v} the {a} {n}",
    "Therefore, the {n} {v} {g} {n}. So the answer is {a}.",
    "Please {v} your {n} as {g} {a} {n}, and {v} nothing else.",
    "Is the following {n} {a}? Answer yes or no.\n{v} {n}: {a}",
    "Given {g} {n} and {g} {n}, {v} {g} {n} that {v} {g} {n}.",
    "She {v} {g} {n}; he {v} {g} {n}. They {v} {g} {a} {n}!",
    "{i} + {i} = {i}",
    "{i} - {i} * ({i} + {i}) = {i}",
    "Calculate {i} * {i} / {i}. The result is {i}.",
    "x = {i}, y = {i}, so x + y = {i}",
    "[{i}, {i}, {i}, {i}] -> [{i}, {i}]",
    "(eqn (add (scale {i} x0) {i}) {i})\n(qed {i})",
    "(given (imp c0 c1) (or c1 (not c2)))\n(step l1 l2) (qed yes)",
    "(eval (mul {i} (sub {i} {i})))",
    'def {n}({n}, {n}):\n    return {n} + {i}\n\nprint("{a}")',
    '{{"{n}": {i}, "{n}": ["{a}", "{a}"]}}',
    "system\nYou are a helpful assistant.",
    "user\nCan you {v} {g} {n}?",
    "assistant\nSure! The {n} is {a}.",
    "{c} {v}ing {c} {n}s, {m} {v}ed {g} {n} {c} {m}.",
    "{m} says that {m} {v} {c} {g} {n}, {c} {m} {v}s {i} {n}s.",
    "{m} has {i} {n}s and {v}s {i} more. {c} {m} {g} {v} {c}?",
    "{g} {a} {n} {c} {v} {g} {a}ly {c} {n}ment {g} {v}er.",
    "{g} {c} {v}able {n}tion, {c} {n}al {g} {a}ness {c}.",
    "Think about the {n} first. Wait, that is {a}. Let me {v} again.",
    "A: {a} {n}\nB: {a} {n}\nC: {g} {n}\n\nQ: which {n} {v}?",
)


class _Draw:
    """Numbers keyed by a label: bytes of sha256, four at a time."""

    def __init__(self, label: str) -> None:
        self._label, self._block, self._bytes = label, 0, b""

    def below(self, bound: int) -> int:
        """A whole number in [0, bound)."""
        if len(self._bytes) < 4:
            self._bytes = hashlib.sha256(f"{self._label}|{self._block}".encode()).digest()
            self._block += 1
        head, self._bytes = self._bytes[:4], self._bytes[4:]
        return int.from_bytes(head, "big") % bound

    def word(self, words: list[str]) -> str:
        """A word; early ones come more often, as in any language."""
        return words[min(self.below(len(words)), self.below(len(words)))]


def lines(count: int = LINES) -> Iterator[str]:
    """`count` lines, the same ones for ever."""
    for number in range(count):
        draw = _Draw(f"nano-corpus|{number}")
        template = TEMPLATES[draw.below(len(TEMPLATES))]
        yield _filled(template, draw)


def _filled(template: str, draw: _Draw) -> str:
    """The template with every hole filled on its own; a sentence begins with a capital."""
    pools = {"n": NOUNS, "v": VERBS, "a": ADJECTIVES, "g": GLUE, "c": COMMON, "m": NAMES}
    text = template.replace("{{", "\0").replace("}}", "\1")
    parts: list[str] = []
    while "{" in text:
        head, _, text = text.partition("{")
        kind, _, text = text.partition("}")
        parts += [head, str(draw.below(200)) if kind == "i" else draw.word(pools[kind])]
    line = "".join([*parts, text]).replace("\0", "{").replace("\1", "}")
    return line[0].upper() + line[1:] if template[0] == "{" and template[1] in "gc" else line
