"""The model's public forward, fed from the pool: one token for each row, or pieces of prompts.

Tokens of a fill stand at the right, so that the last position is every row's; padding writes into
the pool's last column. Masks are 4D and added to the scores, which every attention that
transformers has for such masks takes; a sliding window is a mask of its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from regime3.engine.pool import Pool
from regime3.errors import ModelError

SCORED_ELEMENTS_MAX = 1 << 25
"""Logits that exist at one time when all positions are scored: a piece of a prompt has no more."""
PLAIN, SLIDING = "full_attention", "sliding_attention"


class Forward:
    """One model and its pool. Raises `ModelError` for a family that keeps more than keys."""

    def __init__(self, model: Any, pool: Pool) -> None:
        self.model, self.pool = model, pool
        self.device = pool.device
        config = model.config.get_text_config()
        self.vocabulary = int(config.vocab_size)
        self.context = int(getattr(config, "max_position_embeddings", 0) or 4096)
        self.dtype = next(model.parameters()).dtype
        kinds = set(getattr(config, "layer_types", None) or ())
        if kinds - {PLAIN, SLIDING}:
            raise ModelError(
                f"layers of {', '.join(sorted(kinds - {PLAIN, SLIDING}))} are not served"
            )
        self._window = int(getattr(config, "sliding_window", None) or 0)
        if not getattr(config, "use_sliding_window", True):
            self._window = 0
        self._kinds = kinds or ({SLIDING} if self._window else {PLAIN})
        self._hidden = float(torch.finfo(self.dtype).min)
        self._columns = torch.arange(self.context + 64, device=self.device)
        self.scored_tokens_max = max(1, SCORED_ELEMENTS_MAX // self.vocabulary)

    @torch.inference_mode()
    def decode(
        self, tokens: NDArray[np.int64], lengths: NDArray[np.int64], live: NDArray[np.bool_]
    ) -> torch.Tensor:
        """Feed each row its token: logits [rows, vocabulary]. Rows that are not live are noise."""
        pool = self.pool
        columns = np.where(live, lengths, pool.columns - 1)
        positions = self._there(np.where(live, lengths, 0)[:, None])
        width = pool.decode(len(tokens), self._there(columns), int(lengths[live].max()) + 1)
        return self._run(self._there(tokens[:, None]), positions, width, 1)[:, -1]

    @torch.inference_mode()
    def fill(
        self, rows: list[int], pieces: list[list[int]], starts: list[int], *, every: bool
    ) -> torch.Tensor:
        """Feed each row its piece, which begins at `starts`: logits [rows, positions, vocabulary],
        of the last position alone or of `every` one, right-aligned."""
        wide = max(map(len, pieces))
        ids = np.zeros((len(rows), wide), np.int64)
        positions = np.zeros_like(ids)
        columns = np.full_like(ids, self.pool.columns - 1)
        for place, (piece, start) in enumerate(zip(pieces, starts, strict=True)):
            ids[place, wide - len(piece) :] = piece
            own = np.arange(start, start + len(piece))
            positions[place, wide - len(piece) :] = own
            columns[place, wide - len(piece) :] = own
        at = self._there(np.array(rows))
        width = self.pool.fill(at, self._there(columns), int(positions.max()) + 1)
        return self._run(self._there(ids), self._there(positions), width, 0 if every else 1)

    def _run(
        self, ids: torch.Tensor, positions: torch.Tensor, width: int, keep: int
    ) -> torch.Tensor:
        out = self.model(
            input_ids=ids,
            attention_mask=self._mask(positions, width),
            position_ids=positions,
            past_key_values=self.pool,
            use_cache=True,
            logits_to_keep=keep,
        )
        logits: torch.Tensor = out.logits
        return logits[..., : self.vocabulary]

    def _mask(self, positions: torch.Tensor, width: int) -> Any:
        """[rows, 1, positions, width]: zero where a token may look, else as good as -inf."""
        columns, places = self._columns[:width], positions[:, None, :, None]
        after = columns > places
        made = {}
        if PLAIN in self._kinds:
            made[PLAIN] = self._added(after)
        if SLIDING in self._kinds:
            far = columns <= places - self._window if self._window else torch.zeros_like(after)
            made[SLIDING] = self._added(after | far)
        return made if len(made) == 2 else next(iter(made.values()))

    def _added(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.zeros(hidden.shape, dtype=self.dtype, device=self.device).masked_fill_(
            hidden, self._hidden
        )

    def _there(self, array: NDArray[Any]) -> torch.Tensor:
        found = torch.from_numpy(array)
        return found if self.device.type == "cpu" else found.to(self.device, non_blocking=True)
