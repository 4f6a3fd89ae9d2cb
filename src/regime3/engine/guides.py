"""Makes the guide of a request's samples, out of what the model's folder and profile say."""

from __future__ import annotations

from typing import Any

from regime3.config import Examples
from regime3.engine.guide import Guide, Part, Penalties
from regime3.lang.codebook import Codebook
from regime3.model.chat import ChatRenderer
from regime3.records import wire


class Guides:
    """One model's."""

    def __init__(
        self,
        tokenizer: Any,
        renderer: ChatRenderer | None,
        book: Codebook | None,
        examples: Examples,
    ) -> None:
        self._tokenizer, self._renderer = tokenizer, renderer
        self._book, self._examples = book, examples

    def of(self, ask: wire.Generate, limit: int) -> Guide | None:
        """A guide for one sample of at most `limit` tokens; None if it needs none."""
        sampling = ask.sampling
        parts: list[Part] = []
        if sampling.logit_bias or sampling.presence_penalty or sampling.frequency_penalty:
            parts.append(Penalties(sampling))
        return Guide(parts) if parts else None
