"""The nano model's tokenizer, built by `python -m regime3.model.nano_tokenizer`.

A byte-level BPE of 1,536 tokens: the 256 bytes (any text round-trips), merges learned from
`nano_corpus` and from the words of the task families (`nano/words.txt`, which
`scripts/nano_words.py` counts), digits one by one, the ChatML control tokens and the two emojis of
the thinking profile as single tokens. The 512 codes follow, 2,048 in all. The result ships in
`model/nano/`; building it again gives the same bytes, which a test checks. The trainer is our own,
twenty lines of counting, so that no library version can move a merge; ties go to the pair that
sorts first.

It does not tokenise (the `tokenizers` library does, from what is written here), and the template
knows no think tags: reasoning is dropped.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import Regex, pre_tokenizers

from regime3 import disk
from regime3.lang.codes import CODES_MAX, token
from regime3.model import nano_corpus

TEXT_VOCABULARY = 1536
"""Tokens of text and control; the codes follow them."""
VOCABULARY = TEXT_VOCABULARY + CODES_MAX
CONTEXT = 4096
PADDING, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
EMOJIS = ("🤔", "🛑")
CONTROL = (PADDING, TURN_START, TURN_END)
ADDED = (*CONTROL, *EMOJIS, *(token(code) for code in range(CODES_MAX)))
"""Tokens that stand for themselves, in the order of their ids, the last of the vocabulary."""

# A word with the blank before it; a digit; signs with the blank before them; blanks and newlines.
PIECES = r" ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|[^\S\n]+(?=[^\S\n])|\n+|\s"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)

WORDS_FILE = "words.txt"
"""A line for each piece of the families' text: its count, a tab, the piece in the byte alphabet."""
WORDS_WEIGHT = 4
"""So many times does a piece of the families' text count, which is what the model will see most."""

Pair = tuple[str, str]


def build(folder: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json into `folder`."""
    disk.write_json(folder / "tokenizer.json", tokenizer())
    disk.write_json(folder / "tokenizer_config.json", configuration())


def ship_to() -> Path:
    """Where the package keeps the built files."""
    return Path(str(resources.files("regime3.model"))) / "nano"


def configuration() -> dict[str, Any]:
    """tokenizer_config.json."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": TURN_END,
        "pad_token": PADDING,
        "model_max_length": CONTEXT,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }


def tokenizer() -> dict[str, Any]:
    """tokenizer.json: pre-tokeniser, merges, vocabulary and added tokens."""
    split = {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Isolated", "invert": False}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    words = count_words(nano_corpus.lines())
    for piece, count in read_words().items():
        words[piece] += WORDS_WEIGHT * count
    merges = learn_merges(words, VOCABULARY - 256 - len(ADDED))
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet()) + ["".join(pair) for pair in merges]
    added = [
        {
            "id": len(tokens) + number,
            "content": content,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": content in CONTROL,
        }
        for number, content in enumerate(ADDED)
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": [list(pair) for pair in merges],
        },
    }


def learn_merges(words: Counter[str], count: int) -> list[Pair]:
    """The `count` most frequent merges, in order: byte-pair encoding (Sennrich et al., 2016).

    `words` are pre-tokenised pieces in the byte alphabet. Pairs that make a token which is there
    already (by another split) are passed over, so tokens stay distinct.
    """
    pieces = [(list(word), words[word]) for word in sorted(words)]
    totals: Counter[Pair] = Counter()
    places: defaultdict[Pair, set[int]] = defaultdict(set)
    for number, (symbols, times) in enumerate(pieces):
        _account(symbols, times, number, totals, places)
    merges: list[Pair] = []
    made: set[str] = set()
    while len(merges) < count:
        pair = min(totals, key=lambda pair: (-totals[pair], pair))
        for number in sorted(places[pair]):
            symbols, times = pieces[number]
            _account(symbols, -times, number, totals, places)
            symbols[:] = _merged(symbols, pair)
            _account(symbols, times, number, totals, places)
        if "".join(pair) not in made:
            made.add("".join(pair))
            merges.append(pair)
    return merges


def _account(
    symbols: list[str],
    times: int,
    number: int,
    totals: Counter[Pair],
    places: defaultdict[Pair, set[int]],
) -> None:
    """Add a word's pairs to the totals, or take them away with negative `times`."""
    for pair in pairwise(symbols):
        totals[pair] += times
        if totals[pair] == 0:
            del totals[pair]
        if times > 0:
            places[pair].add(number)
        else:
            places[pair].discard(number)


def _merged(symbols: list[str], pair: Pair) -> list[str]:
    merged: list[str] = []
    position = 0
    while position < len(symbols):
        if tuple(symbols[position : position + 2]) == pair:
            merged.append(symbols[position] + symbols[position + 1])
            position += 2
        else:
            merged.append(symbols[position])
            position += 1
    return merged


def count_words(lines: Iterable[str]) -> Counter[str]:
    """Pieces of a text in the byte alphabet, with their counts."""
    pieces = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(piece for piece, _ in pieces.pre_tokenize_str(line + "\n"))
    return counts


def read_words() -> Counter[str]:
    """The pieces of the task families' text, as shipped."""
    lines = (ship_to() / WORDS_FILE).read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines)
    return Counter({piece: int(count) for count, piece in pairs})


def write_words(counts: Counter[str]) -> None:
    """Ship other ones; a word that is met once is left out, for it makes no merge."""
    lines = [f"{counts[piece]}\t{piece}\n" for piece in sorted(counts) if counts[piece] > 1]
    disk.write_text(ship_to() / WORDS_FILE, "".join(lines))


if __name__ == "__main__":
    build(ship_to())
    print(json.dumps({"wrote": str(ship_to()), "tokens": VOCABULARY}))
