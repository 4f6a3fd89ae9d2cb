"""The words of the task families, for the nano tokenizer: `python scripts/nano_words.py`.

Writes src/regime3/model/nano/words.txt: how often each piece of text stands in prompts of training
problems and in their bodies in English (plain and terse) and S-expressions. Byte-pair merges depend
on nothing else. It is data and ships, so that a family may change its wording without moving a
token of a model that was trained; run this, then `python -m regime3.model.nano_tokenizer`, when the
tokenizer itself shall change. Codes are no text and are left out.
"""

from __future__ import annotations

from collections.abc import Iterator

from regime3 import tasks
from regime3.lang.english import plain, terse
from regime3.lang.problem import show_body
from regime3.model import nano_tokenizer

PER_LEVEL = 60


def texts(per_level: int = PER_LEVEL) -> Iterator[str]:
    """Of every family and level."""
    for family, made in tasks.FAMILIES.items():
        for level in range(1, made.levels + 1):
            for index in range(per_level):
                sample = tasks.sample(family, level, "train", index)
                yield sample.prompt
                for show in (plain.show, terse.show):
                    yield show(sample.problem, sample.body)
                yield show_body(sample.body)


if __name__ == "__main__":
    counts = nano_tokenizer.count_words(texts())
    nano_tokenizer.write_words(counts)
    print(f"{len(counts)} different pieces, {sum(counts.values())} in all")
