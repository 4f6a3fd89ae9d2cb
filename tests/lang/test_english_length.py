"""The oracles' traces in English: read back exactly, and plain within 2.5 times terse in Qwen3's
own tokens, trace by trace."""

from __future__ import annotations

import lzma

import pytest
from tokenizers import Tokenizer

from regime3 import tasks
from regime3.bench import qwen
from regime3.lang.english import plain, results_only, terse

RATIO_MAX = 2.5
PER_LEVEL = 3
QWEN3 = qwen.folder() / "tokenizer.json.xz"


@pytest.fixture(scope="module")
def qwen3() -> Tokenizer:
    return Tokenizer.from_str(lzma.decompress(QWEN3.read_bytes()).decode())


def tokens(tokenizer: Tokenizer, text: str) -> int:
    return len(tokenizer.encode(text, add_special_tokens=False).ids)


@pytest.mark.parametrize("family", tasks.FAMILIES)
def test_plain_reads_back_within_two_and_a_half_times_terse(qwen3: Tokenizer, family: str) -> None:
    assert check_family(qwen3, family, PER_LEVEL) > 1


def check_family(tokenizer: Tokenizer, family: str, per_level: int) -> float:
    """The largest ratio of the family's oracles; results alone never exceed terse."""
    largest = 0.0
    for level in range(1, tasks.FAMILIES[family].levels + 1):
        for index in range(per_level):
            sample = tasks.sample(family, level, "train", index)
            problem, body = sample.problem, sample.body
            sentences, equations = plain.show(problem, body), terse.show(problem, body)
            assert plain.read(problem, sentences) == terse.read(problem, equations) == body
            long, short = tokens(tokenizer, sentences), tokens(tokenizer, equations)
            assert tokens(tokenizer, results_only.show(problem, body)) <= short
            assert long <= RATIO_MAX * short, sentences
            largest = max(largest, long / short)
    return largest
