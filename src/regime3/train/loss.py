"""Token-summed cross-entropy over supervised positions, without ever holding all logits.

`TokenLoss(model, chunk_tokens).sum(batch)` gathers the hidden states that predict supervised
tokens, then multiplies by the output head in chunks; each chunk but a lone one is recomputed in
backward, so at most `chunk_tokens x vocabulary` logits live at one time. The matrix product runs
in the autocast dtype, the softmax in fp32.

`choose_path` compares this with the model's own logits on a tiny batch and falls back to the
model's whole forward where they differ (a head of an unusual shape). No fused kernels, no label
smoothing, no shifting inside the loss: a slice names its positions and targets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch.utils.checkpoint import checkpoint

from regime3.train.slices import SliceBatch, collate

Told = Callable[[torch.Tensor, torch.Tensor], None]
"""Gets every chunk's logits [tokens, vocabulary] in fp32 and its targets [tokens]."""
PARITY_TOLERANCE = 2e-3
PARITY_LENGTHS = (7, 4)


@dataclass(frozen=True)
class HeadRule:
    """What a model does to the logits after its linear head: scale, then an optional soft cap."""

    scale: float = 1.0
    softcap: float | None = None

    @classmethod
    def of(cls, config: Any) -> HeadRule:
        """Read from a config: Cohere multiplies by `logit_scale`, Granite divides."""
        text = config.get_text_config()
        scale = 1.0
        if isinstance(getattr(text, "logit_scale", None), int | float):
            scale = float(text.logit_scale)
        elif isinstance(getattr(text, "logits_scaling", None), int | float):
            scale = 1.0 / float(text.logits_scaling)
        cap = getattr(text, "final_logit_softcapping", None)
        return cls(scale, float(cap) if cap else None)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        if self.scale != 1.0:
            logits = logits * self.scale
        if self.softcap is not None:
            logits = torch.tanh(logits / self.softcap) * self.softcap
        return logits


class TokenLoss:
    """The loss of one model. `fast` False means: use the model's own forward and logits."""

    def __init__(self, model: Any, chunk_tokens: int) -> None:
        self.model = model
        self.chunk_tokens = chunk_tokens
        self.head = model.get_output_embeddings()
        self.rule = HeadRule.of(model.config)
        self.fast = isinstance(self.head, torch.nn.Linear)

    def sum(self, batch: SliceBatch, told: Told | None = None) -> torch.Tensor:
        """Summed negative log-likelihood of the batch's targets, nats; a scalar in fp32.

        `told` gets the logits; without gradients only, as they are made twice with them.
        """
        if not self.fast:
            return _own_logits_loss(self.model, batch, told)
        hidden = self._hidden(batch)
        chunks = range(0, len(batch.targets), self.chunk_tokens)
        total = hidden.new_zeros((), dtype=torch.float32)
        for first in chunks:
            part = hidden[first : first + self.chunk_tokens]
            targets = batch.targets[first : first + self.chunk_tokens]
            total = total + self._chunk(part, targets, told, recompute=len(chunks) > 1)
        return total

    def _hidden(self, batch: SliceBatch) -> torch.Tensor:
        """Hidden states [supervised, width] at the positions that predict a target.

        No attention mask: padding is on the right, and a causal model's real tokens never look
        right, so the mask could only slow attention down.
        """
        out = self.model.get_decoder()(input_ids=batch.input_ids, use_cache=False)
        states: torch.Tensor = out.last_hidden_state
        return states.reshape(-1, states.shape[-1]).index_select(0, batch.positions)

    def _chunk(
        self, hidden: torch.Tensor, targets: torch.Tensor, told: Told | None, *, recompute: bool
    ) -> torch.Tensor:
        if recompute and torch.is_grad_enabled():
            out: torch.Tensor = checkpoint(
                self._chunk_loss, hidden, targets, use_reentrant=False, preserve_rng_state=False
            )
            return out
        return self._chunk_loss(hidden, targets, told)

    def _chunk_loss(
        self, hidden: torch.Tensor, targets: torch.Tensor, told: Told | None = None
    ) -> torch.Tensor:
        logits = self.rule.apply(self.head(hidden).float())
        if told is not None:
            told(logits, targets)
        return F.cross_entropy(logits, targets, reduction="sum")


def _own_logits_loss(model: Any, batch: SliceBatch, told: Told | None = None) -> torch.Tensor:
    """The same sum from the model's own forward, which knows its head best."""
    out = model(input_ids=batch.input_ids, attention_mask=batch.attention_mask(), use_cache=False)
    logits = out.logits.reshape(-1, out.logits.shape[-1]).index_select(0, batch.positions)
    if told is not None:
        told(logits.float(), batch.targets)
    return F.cross_entropy(logits.float(), batch.targets, reduction="sum")


def choose_path(loss: TokenLoss, device: torch.device, alert: Callable[[str], None]) -> None:
    """Keep the chunked path only where it agrees with the model's own logits.

    Runs two short padded rows through both, without dropout or gradients; no RNG is drawn.
    `alert` is told why when the slow path is chosen.
    """
    if not loss.fast:
        alert(f"{type(loss.head).__name__} is no plain linear head: training with full logits")
        return
    was_training = loss.model.training
    loss.model.eval()
    batch = _parity_batch(loss.model.config.get_text_config().vocab_size, device)
    with torch.no_grad():
        own = _own_logits_loss(loss.model, batch).item()
        ours = loss.sum(batch).item()
    loss.model.train(was_training)
    if abs(own - ours) > PARITY_TOLERANCE * max(1.0, abs(own)):
        loss.fast = False
        alert(f"chunked loss {ours:.4f} differs from the model's own {own:.4f}: using full logits")


def _parity_batch(vocabulary: int, device: torch.device) -> SliceBatch:
    from regime3.records.rows import Example

    rows = [
        Example([(7 * place + 3 * row + 1) % vocabulary for place in range(length)], 1)
        for row, length in enumerate(PARITY_LENGTHS)
    ]
    return collate(rows, device)
