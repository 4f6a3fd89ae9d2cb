"""A checkpoint's safetensors file as it is served: every fp32 tensor in bf16, in the same order.

    with Narrow(path) as weights:
        for wide, narrow in weights.pieces(at=offset): ...

The narrow file need not exist: any part of it is made from the wide one when it is asked for, in
small blocks with integer arithmetic (round to nearest, ties to even, as torch does). No tensor is
ever whole in memory and torch is not needed. The same file gives the same bytes everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from regime3.records.tensors import Header, LyingHeader, encode_header, read_header

BLOCK_BYTES: Final = 4 << 20
"""Read at one time."""
CACHED_VALUES: Final = 1 << 15
"""Values converted at one time: their scratch stays in the core's cache."""
SHRUNK: Final = frozenset({"F32"})

Block = bytes | bytearray | memoryview


class _Run(NamedTuple):
    """Neighbouring tensors that are all converted, or all left as they are."""

    begin: int
    end: int
    """In the narrow file."""
    wide_at: int
    """Where it begins in the wide file."""
    shrink: bool


class Narrow:
    """One file, open: it can be read to its end even if its name is removed meanwhile.

    Raises `LyingHeader`, OSError."""

    def __init__(self, path: Path) -> None:
        header = read_header(path)
        self._wide = open(path, "rb", buffering=0)  # noqa: SIM115 - closed by __exit__
        shipped = [
            (name, "BF16" if tensor.dtype in SHRUNK else tensor.dtype, tensor.shape)
            for name, tensor in header.tensors.items()
        ]
        self.head = encode_header(shipped, header.metadata)
        self._wide_head_bytes = header.data_at
        self._runs = _runs(header, len(self.head))
        self.size_bytes = self._runs[-1].end if self._runs else len(self.head)
        # Used again and again: fresh memory for each block would cost more than converting it, as
        # the kernel clears every page.
        self._wides = [memoryview(bytearray(BLOCK_BYTES)) for _ in range(2)]
        self._narrows = [np.empty(BLOCK_BYTES // 4, "<u2") for _ in range(2)]

    def __enter__(self) -> Narrow:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._wide.close()

    def pieces(self, at: int = 0, length: int | None = None) -> Iterator[tuple[Block, Block]]:
        """The wide file's bytes and what they became, from an offset of the narrow file on.

        A pair stays as it is until the one after the next is asked for: one may be hashed
        while the next is made."""
        end = self.size_bytes if length is None else min(self.size_bytes, at + length)
        if at < len(self.head):
            yield self._read(bytearray(self._wide_head_bytes), 0), self.head[at:end]
        turn = 0
        for run in self._runs:
            begin, stop = max(at, run.begin), min(end, run.end)
            while begin < stop:
                wide, narrow = self._piece(run, begin, stop, turn)
                yield wide, narrow
                begin += len(narrow)
                turn = 1 - turn

    def _piece(self, run: _Run, begin: int, stop: int, turn: int) -> tuple[Block, Block]:
        buffer = self._wides[turn]
        if not run.shrink:
            wide = buffer[: min(stop - begin, BLOCK_BYTES)]
            self._read(wide, run.wide_at + begin - run.begin)
            return wide, wide
        cut = (begin - run.begin) % 2  # a link may be cut between the bytes of a value
        whole = begin - cut
        values = min(-(-(stop - whole) // 2), BLOCK_BYTES // 4)
        wide = buffer[: 4 * values]
        self._read(wide, run.wide_at + 2 * (whole - run.begin))
        narrow = to_bf16(wide, self._narrows[turn]).data.cast("B")
        return wide, narrow[cut : stop - whole]

    def _read(self, block: bytearray | memoryview, at: int) -> Block:
        view, got = memoryview(block), 0
        while got < len(view):
            more = os.preadv(self._wide.fileno(), [view[got:]], at + got)
            if not more:
                raise LyingHeader("the file became shorter while it was read")
            got += more
        return block


def _runs(header: Header, at: int) -> list[_Run]:
    """Runs in the order of their bytes; the first begins at `at`."""
    runs: list[_Run] = []
    for tensor in header.tensors.values():
        shrink = tensor.dtype in SHRUNK
        size = (tensor.end - tensor.begin) // (2 if shrink else 1)
        if runs and runs[-1].shrink == shrink:
            runs[-1] = runs[-1]._replace(end=at + size)
        else:
            runs.append(_Run(at, at + size, header.data_at + tensor.begin, shrink))
        at += size
    return runs


def to_bf16(block: Block, out: NDArray[np.uint16] | None = None) -> NDArray[np.uint16]:
    """Little-endian fp32 bytes as bf16 bits: to nearest, ties to even; NaN stays NaN.

    Written into the beginning of `out`, if it is given."""
    bits = np.frombuffer(block, dtype="<u4")
    narrow = np.empty(len(bits), dtype="<u2") if out is None else out[: len(bits)]
    scratch = np.empty(min(len(bits), CACHED_VALUES), dtype="<u4")
    for at in range(0, len(bits), CACHED_VALUES):
        part = bits[at : at + CACHED_VALUES]
        rounded = scratch[: len(part)]
        np.right_shift(part, 16, out=rounded)
        np.bitwise_and(rounded, 1, out=rounded)
        np.add(rounded, 0x7FFF, out=rounded)
        np.add(rounded, part, out=rounded)
        narrow[at : at + len(part)] = rounded.view("<u2")[1::2]
        odd = np.isnan(part.view("<f4"))
        if odd.any():
            narrow[at : at + len(part)][odd] = 0x7FC0
    return narrow
