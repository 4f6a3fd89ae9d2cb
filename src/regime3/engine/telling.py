"""From tokens to tells: who has ended and why, and text and scores in pieces.

Tokens of a row gather until `stream_s` has passed, because a piece costs more than a token; the
first ones are told at once. Rows with stop strings, log-probabilities or a guide are looked at one
by one, all others as arrays.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regime3.engine.base import failed
from regime3.engine.batch import PENDING_MAX, Batch
from regime3.engine.sequence import Request, Sequence
from regime3.engine.spelling import Spelling
from regime3.errors import NodeRefused
from regime3.records import wire


class Telling:
    """What one model's loop tells. `ends` are the tokens that end a completion."""

    def __init__(
        self,
        batch: Batch,
        vocabulary: int,
        ends: set[int],
        spelling: Spelling,
        stream_s: float,
        told: list[wire.AnyTell],
    ) -> None:
        self.batch, self.spelling, self.told = batch, spelling, told
        self.tokens_written = 0
        self.done: list[Request] = []
        """Requests that have ended since somebody looked."""
        self._ends = np.zeros(vocabulary, np.bool_)
        self._ends[[each for each in ends if each < vocabulary]] = True
        self._stream_s = stream_s
        self._told_s = 0.0

    def begin(self, request: Request) -> None:
        """Its prompt is in; said once."""
        if request.begun:
            return
        request.begun = True
        scores = request.prompt_scores if request.ask.prompt_logprobs is not None else None
        begun = wire.Begun(
            request.ask.id, len(request.ids), scores, completion_tokens=request.completion
        )
        self.told.append(begun)

    def scored(self, request: Request) -> None:
        """Nothing was to be written: it is done."""
        request.left.clear()
        self.done.append(request)

    def fail(self, request: Request, refusal: NodeRefused) -> None:
        """All of it has failed."""
        request.left.clear()
        self.done.append(request)
        self.told.append(failed(request.ask.id, refusal))

    def unscored(self, token: int) -> wire.TokenScore:
        """Of a prompt's first token."""
        return wire.TokenScore(token, self.spelling.text(token), None, raw=self.spelling.raw(token))

    # ------------------------------------------------------------------------------- tokens

    def take(self, rows: NDArray[Any], tokens: NDArray[np.int64]) -> list[Sequence]:
        """These rows have written these tokens; gives those that have ended."""
        batch = self.batch
        self.tokens_written += len(rows)
        batch.token[rows] = tokens
        batch.written[rows] += 1
        ended = self._ends[tokens] & batch.heeds_end[rows]
        more = rows[~ended]
        batch.pending[more, batch.waits[more]] = tokens[~ended]
        batch.waits[more] += 1
        full = batch.written[rows] >= batch.limit[rows]
        over = {
            int(rows[n]): "stop" if ended[n] else "length" for n in np.flatnonzero(ended | full)
        }
        if batch.eager or batch.guided:
            self._look(rows, tokens, ended, over)
        first = batch.written[rows] == 1
        for row in rows[first | (batch.waits[rows] == PENDING_MAX)].tolist():
            if row not in over:
                self.flush(self._at(row))
        return [self._finish(self._at(row), reason) for row, reason in over.items()]

    def _look(
        self,
        rows: NDArray[Any],
        tokens: NDArray[np.int64],
        ended: NDArray[np.bool_],
        over: dict[int, str],
    ) -> None:
        """Rows whose every token matters: guides, and stop strings."""
        for row, token, end in zip(rows.tolist(), tokens.tolist(), ended.tolist(), strict=True):
            if row in self.batch.guided:
                guide = self._at(row).guide
                assert guide is not None
                guide.take(token)
            if row in self.batch.eager and not end:
                stream = self._at(row).stream
                stream.add([token])
                if stream.stopped:
                    over[row] = "stop"

    def _at(self, row: int) -> Sequence:
        sequence = self.batch.sequences[row]
        assert sequence is not None
        return sequence

    def tell_due(self) -> None:
        """Tell what has gathered, if it is time."""
        now = time.monotonic()
        if now - self._told_s < self._stream_s:
            return
        self._told_s = now
        for row in np.flatnonzero(self.batch.waits[: self.batch.width]).tolist():
            self.flush(self._at(row))

    def flush(self, sequence: Sequence) -> None:
        """Tell what a row has written since it was last told."""
        ids = self.batch.take_pending(sequence.row)
        sequence.written += ids
        if not sequence.eager:
            sequence.stream.add(ids)
        self._piece(sequence, ids)

    def _piece(self, sequence: Sequence, ids: list[int]) -> None:
        """What it has written since, with all scores since: at an end also the end token's."""
        text, told = sequence.stream.take(), sequence.scores
        if not ids and not text and not told:
            return
        ask = sequence.request.ask
        scores = None
        if ask.logprobs is not None:
            scores, sequence.scores = told, []
        self.told.append(wire.Piece(ask.id, sequence.index, text, ids, scores))

    def _finish(self, sequence: Sequence, reason: str) -> Sequence:
        """A sample has ended."""
        request = sequence.request
        tokens = int(self.batch.written[sequence.row])
        ids = self.batch.take_pending(sequence.row)
        sequence.written += ids
        if not sequence.eager:
            sequence.stream.add(ids)
        sequence.stream.finish()
        if sequence.stream.stopped:
            reason = "stop"
        self._piece(sequence, ids)
        self.told.append(wire.Finished(request.ask.id, sequence.index, reason, tokens))
        request.left.discard(sequence)
        if not request.left:
            self.done.append(request)
        return sequence
