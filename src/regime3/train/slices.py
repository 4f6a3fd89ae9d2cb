"""A window cut into micro-batches by token budget, and a micro-batch as tensors.

`cut(rows, budget)` sorts the examples by length and finds the cuts that cost least: padded
tokens plus a fixed price a slice. Any cut gives the same gradient, because every slice's loss
is its sum over the window's count; so this file decides only speed and memory. Deterministic.

It neither packs several examples into one row nor truncates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from regime3.records.rows import Example, RowRef

Slicing = Literal["whole", "half", "single"]
"""How carefully a window is cut: by the budget, by half of it, or one row per slice."""

SLICE_PRICE_TOKENS = 64
"""What starting a slice costs, in tokens of work. Found by `r3 bench train`; on a GPU more."""
OPTIMAL_EXAMPLES_MAX = 2048
PAD_ID = 0
"""Any valid token: right padding is never looked at and never supervised."""


@dataclass(frozen=True)
class Piece:
    """One example and the row it belongs to."""

    row: RowRef
    example: Example


@dataclass(frozen=True)
class Slice:
    """Examples trained in one forward and backward, longest first."""

    pieces: list[Piece]

    @property
    def rows(self) -> list[RowRef]:
        """The rows in it, each once, in order of first appearance."""
        seen: dict[tuple[str, int], RowRef] = {}
        for piece in self.pieces:
            seen.setdefault((piece.row.file_id, piece.row.position), piece.row)
        return list(seen.values())

    @property
    def examples(self) -> list[Example]:
        return [piece.example for piece in self.pieces]

    @property
    def padded_tokens(self) -> int:
        """Rows times the longest: what the device works on."""
        return len(self.pieces) * max(piece.example.length for piece in self.pieces)


@dataclass(frozen=True)
class SliceBatch:
    """Tensors of a slice: ids [rows, longest]; flat positions [n] whose states predict targets."""

    input_ids: torch.Tensor
    lengths: list[int]
    positions: torch.Tensor
    targets: torch.Tensor

    def attention_mask(self) -> torch.Tensor:
        """[rows, longest] of 1 on tokens and 0 on padding."""
        device = self.input_ids.device
        places = torch.arange(self.input_ids.shape[1], device=device)
        return (places < torch.tensor(self.lengths, device=device)[:, None]).long()


def supervised_count(example: Example) -> int:
    """Targets of an example: its completion, less a first token that nothing can predict."""
    return example.length - max(example.prompt_length, 1)


def cut(
    rows: list[RowRef],
    budget_tokens: int,
    slicing: Slicing = "whole",
    price_tokens: int = SLICE_PRICE_TOKENS,
) -> list[Slice]:
    """Slices of at most `budget_tokens` padded tokens; one example alone may exceed it."""
    if slicing == "single":
        return [part for row in rows for part in cut([row], budget_tokens, "whole", price_tokens)]
    budget = max(1, budget_tokens // 2) if slicing == "half" else budget_tokens
    pieces = [Piece(row, example) for row in rows for example in row.examples]
    pieces.sort(key=lambda piece: -piece.example.length)
    lengths = [piece.example.length for piece in pieces]
    best = _cheapest if len(pieces) <= OPTIMAL_EXAMPLES_MAX else _fullest
    stops = best(lengths, budget, price_tokens)
    starts = [0, *stops[:-1]]
    return [Slice(pieces[a:b]) for a, b in zip(starts, stops, strict=True)]


def _cheapest(lengths: list[int], budget: int, price: int) -> list[int]:
    """Ends of the runs with the least padded tokens plus price; `lengths` falls.

    Shortest path over cut points: `cost[i]` covers the first i examples.
    """
    cost, came_from = [0], [0]
    for stop in range(1, len(lengths) + 1):
        least, at = None, stop - 1
        for start in range(stop - 1, -1, -1):
            padded = (stop - start) * lengths[start]
            if padded > budget and stop - start > 1:
                break
            total = cost[start] + padded + price
            if least is None or total < least:
                least, at = total, start
        assert least is not None
        cost.append(least)
        came_from.append(at)
    stops, stop = [], len(lengths)
    while stop > 0:
        stops.append(stop)
        stop = came_from[stop]
    return stops[::-1]


def _fullest(lengths: list[int], budget: int, _price: int) -> list[int]:
    """Ends of the runs that fill the budget in turn: for windows of very many examples."""
    stops: list[int] = []
    start = 0
    for stop in range(1, len(lengths) + 1):
        following = stop + 1 - start
        if stop == len(lengths) or following * lengths[start] > budget:
            stops.append(stop)
            start = stop
    return stops


def collate(examples: list[Example], device: torch.device | str = "cpu") -> SliceBatch:
    """Pad on the right to the longest and list what is supervised."""
    longest = max(example.length for example in examples)
    ids: list[list[int]] = []
    positions: list[int] = []
    targets: list[int] = []
    for row, example in enumerate(examples):
        ids.append(example.input_ids + [PAD_ID] * (longest - example.length))
        first = max(example.prompt_length, 1)
        base = row * longest - 1
        positions.extend(range(base + first, base + example.length))
        targets.extend(example.input_ids[first:])
    return SliceBatch(
        torch.tensor(ids, device=device),
        [example.length for example in examples],
        torch.tensor(positions, dtype=torch.long, device=device),
        torch.tensor(targets, dtype=torch.long, device=device),
    )
