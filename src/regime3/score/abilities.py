"""What a model can do: held-out problems of every family and level, answered greedily and checked.

    scorer = Scorer(folder, codebook_of(folder) or codebook.shipped())
    for ability in scorer.measure(families, range(1, 4), (3,), 20, print): ...

Prompts are rendered as in training. A problem is solved when the checker accepts every step and
the answer; it is right when the answer is, whatever the steps. Nothing constrains what is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from regime3 import tasks
from regime3.config import Settings
from regime3.errors import ModelError
from regime3.lang.codebook import Codebook
from regime3.model.chat import ChatRenderer
from regime3.model.generate import greedy
from regime3.model.load import load_model, load_tokenizer
from regime3.records.rows import Message
from regime3.tasks.family import Sample, Split
from regime3.tasks.rows import row
from regime3.tasks.verdict import Judged, judge

BATCH = 64
LENGTH_FACTOR = 2
"""An answer may be so many times as long as the longest oracle's in its batch, in tokens."""
CONTEXT = 4096
"""Tokens of context of a model that does not say."""
LENGTH_EXTRA = 16
"""Tokens beyond that, for what is very short."""


@dataclass(frozen=True)
class Ability:
    """One family and level in one regime."""

    family: str
    level: int
    regime: int
    problems: int
    solved: float
    """Share whose every step and answer the checker accepts."""
    right: float
    """Share whose answer is right."""
    steps_valid: float
    """Mean share of a body's steps before the first bad one; 0 for what cannot be read."""
    tokens: float
    """Mean tokens written, thinking markers included."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self)


class Scorer:
    """A model, its tokenizer and its codebook, ready to be asked; on the GPU if there is one.

    Raises `ModelError` for a folder whose model cannot be used.
    """

    def __init__(self, folder: Path, book: Codebook, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = load_tokenizer(folder)
        self.model = load_model(folder, settings, device=device).eval()
        self.context = int(getattr(self.model.config, "max_position_embeddings", CONTEXT))
        self.renderer = ChatRenderer(self.tokenizer, settings.examples, self.context)
        self.book = book

    def measure(
        self,
        families: Sequence[str],
        levels: Iterable[int],
        regimes: Sequence[int],
        problems: int,
        tell: Callable[[str], None],
        split: Split = "heldout",
    ) -> Iterator[Ability]:
        """One `Ability` a family, level and regime, as soon as it is measured."""
        for family in families:
            for level in levels:
                samples = [tasks.sample(family, level, split, index) for index in range(problems)]
                for regime in regimes:
                    found = self._ability(family, level, regime, samples)
                    tell(f"{family}, level {level}, regime {regime}: solved {found.solved:.0%}")
                    yield found

    def _ability(self, family: str, level: int, regime: int, samples: list[Sample]) -> Ability:
        judged: list[Judged] = []
        tokens = 0
        for start in range(0, len(samples), BATCH):
            group = samples[start : start + BATCH]
            for sample, ids in zip(group, self._answers(group, regime), strict=True):
                tokens += len(ids)
                judged.append(self.judged(sample, regime, ids))
        count = len(samples)
        return Ability(
            family,
            level,
            regime,
            count,
            solved=sum(each.valid for each in judged) / count,
            right=sum(each.right for each in judged) / count,
            steps_valid=sum(each.share for each in judged) / count,
            tokens=round(tokens / count, 1),
        )

    def _answers(self, samples: list[Sample], regime: int) -> list[list[int]]:
        """What the model writes, as token ids without the end."""
        prompts, longest = [], 0
        for sample in samples:
            chat = row(sample, regime, self.book)
            messages = [Message(m["role"], m["content"]) for m in chat["messages"][:-1]]
            prompts.append(self.renderer.prompt_ids(messages, thinking=True))
            longest = max(longest, len(self.golden_ids(chat["messages"][-1])))
        room = self.context - max(map(len, prompts))
        if room < 1:
            raise ModelError(f"a prompt is longer than the model's {self.context:,} tokens")
        most = min(room, LENGTH_FACTOR * longest + LENGTH_EXTRA)
        return greedy(self.model, self.tokenizer, prompts, most)

    def golden_ids(self, message: dict[str, str]) -> list[int]:
        """The oracle's reply as this lab writes it, thinking markers included."""
        reply = Message("assistant", message["content"], message.get("reasoning_content"))
        text, _ = self.renderer.profile.completion(reply, "", 0)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def judged(self, sample: Sample, regime: int, ids: list[int]) -> Judged:
        """The checker's view of what was written."""
        text = self.renderer.text_of(ids)  # a control token in the midst is no part of a body
        turn = self.renderer.profile.split(Message("assistant", text))
        return judge(sample.problem, regime, turn.thought, turn.answer, self.book)


def markdown(rows: list[Ability]) -> str:
    """A table of solved shares for each regime: families down, levels across; the mean of tokens
    is over the levels."""
    lines: list[str] = []
    for regime in sorted({each.regime for each in rows}):
        own = [each for each in rows if each.regime == regime]
        levels = sorted({each.level for each in own})
        lines += [
            f"\n### Regime {regime}\n",
            "| family | " + " | ".join(f"level {level}" for level in levels) + " | tokens |",
            "|---|" + "---:|" * (len(levels) + 1),
        ]
        for family in dict.fromkeys(each.family for each in own):
            cells = {each.level: each for each in own if each.family == family}
            shares = " | ".join(f"{cells[n].solved:.0%}" if n in cells else "" for n in levels)
            mean = sum(each.tokens for each in cells.values()) / len(cells)
            lines.append(f"| {family} | {shares} | {mean:.0f} |")
    return "\n".join(lines) + "\n"
