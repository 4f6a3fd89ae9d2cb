"""The slot loop of one model: requests enter and leave the batch that runs.

    loop.add(request, sequences)
    loop.step()                  # admit, compute a piece of prompts, decode one token for each row

Three acts a step. *Admit*: waiting samples get rows while slots and pool allow, interactive ones
first. *Fill*: prompts are computed in pieces, so that running streams never wait for a long one; a
prompt of n samples once, and its keys and values copied. *Decode*: one forward for all live rows.
What happens to the tokens is `telling`'s; running out of memory is `hf`'s to notice and
`send_back`'s to mend: a sample that is sent back is computed again from its tokens, and its random
stream goes on where it was.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from regime3.engine.forward import Forward
from regime3.engine.sampling import draw, uniforms
from regime3.engine.scoring import prompt_scores, scores_of
from regime3.engine.sequence import Sequence
from regime3.engine.slots import Slots
from regime3.engine.telling import Telling
from regime3.errors import NodeRefused

MARGIN_TOKENS = 16
"""Room for each row beyond its prompt when it is admitted."""
FILL_BUSY = {"cpu": 512, "cuda": 2048}
"""Prompt tokens of one step while others are decoded."""
FILL_IDLE = {"cpu": 2048, "cuda": 8192}
FILL_MIN = 32
GATHER_SHARE = 16
"""Under load, rows are refilled once so many of a batch (one in so many) are free together."""


class Loop:
    """Runs one model's batch. Not for several threads."""

    def __init__(self, forward: Forward, telling: Telling, slots: Slots, tokens_max: int) -> None:
        self.forward, self.telling, self.slots = forward, telling, slots
        self.batch = telling.batch
        self.pool = forward.pool
        self.waiting: dict[bool, deque[Sequence]] = {True: deque(), False: deque()}
        """By whether they are interactive."""
        self.filling: list[Sequence] = []
        self.tokens_read = 0
        kind = "cuda" if forward.device.type == "cuda" else "cpu"
        self.fill_tokens = {True: FILL_BUSY[kind], False: FILL_IDLE[kind]}
        """By whether anybody is decoded."""

    # ---------------------------------------------------------------------------- requests

    def add(self, sequences: list[Sequence]) -> None:
        """Samples of one request wait from now on. Raises `NodeRefused` if they never fit."""
        request = sequences[0].request
        if len(request.ids) + 1 > self.pool.tokens_max:
            raise too_large(len(request.ids), self.pool.tokens_max)
        self.waiting[request.ask.interactive] += sequences

    def forget(self, number: int) -> None:
        """Remove a request's samples wherever they are."""
        for queue in self.waiting.values():
            for sequence in [each for each in queue if each.request.ask.id == number]:
                queue.remove(sequence)
        for sequence in self.batch.running:
            if sequence.request.ask.id == number:
                self.release(sequence)

    def release(self, sequence: Sequence) -> None:
        """Its row and slot are free."""
        if sequence in self.filling:
            self.filling.remove(sequence)
        for leader in self.filling:
            if sequence in leader.followers:
                leader.followers.remove(sequence)
        self.batch.clear(sequence)
        self.slots.give(sequence.request.ask.interactive)

    @property
    def busy(self) -> bool:
        """Whether a step has something to do."""
        return bool(self.batch.width or self.waiting[True] or self.waiting[False])

    @property
    def waiting_count(self) -> int:
        return len(self.waiting[True]) + len(self.waiting[False])

    @torch.inference_mode()
    def step(self) -> None:
        """Admit, fill, decode."""
        self._admit()
        if self.filling:
            self._fill()
        rows = self.batch.live_rows()
        if len(rows):
            self._close_gaps(rows)
            self._decode()
        self.telling.tell_due()

    # ------------------------------------------------------------------------------- admit

    def _admit(self) -> None:
        if not self._worth_it():
            return
        for interactive in (True, False):
            queue = self.waiting[interactive]
            while (
                queue
                and self.slots.free
                and self._has_room(queue[0])
                and self.slots.take(interactive)
            ):
                sequence = queue.popleft()
                self.batch.put(sequence)
                self._begin(sequence)

    def _worth_it(self) -> bool:
        """Whether to refill now: under load, a few rows at a time are cheaper than each alone."""
        waiting = self.waiting_count
        if not waiting:
            return False
        return self.slots.free >= min(waiting, 1 + len(self.batch.live_rows()) // GATHER_SHARE)

    def _has_room(self, sequence: Sequence) -> bool:
        """Whether the pool takes one row more, and rows as long as this one."""
        batch, pool = self.batch, self.pool
        wanted = max(self._longest(), sequence.length) + MARGIN_TOKENS
        rows = batch.width + (None not in batch.sequences[: batch.width])
        if pool.fit(rows, wanted):
            return True
        return not batch.width and pool.fit(1, sequence.length + 1)

    def _longest(self) -> int:
        """Tokens of the longest row, those counted that are still to be computed."""
        batch = self.batch
        filling = max((each.length for each in self.filling), default=0)
        return max(filling, int(batch.length[: batch.width].max(initial=0)))

    def _begin(self, sequence: Sequence) -> None:
        """Begin to compute a prompt, or share that of another sample."""
        request = sequence.request
        sequence.filled, sequence.followers = 0, []
        fresh = not sequence.written
        leader = next((e for e in self.filling if e.request is request and not e.written), None)
        if fresh and leader is not None:
            leader.followers.append(sequence)
            return
        donor = next(
            (e for e in self.batch.running if e.request is request and self.batch.live[e.row]), None
        )
        if fresh and donor is not None and request.first_logits is not None:
            self.pool.copy(donor.row, [sequence.row], len(request.ids))
            self._start([sequence], request.first_logits[None])
            return
        self.filling.append(sequence)

    # -------------------------------------------------------------------------------- fill

    def _fill(self) -> None:
        """Compute the next piece of some prompts together."""
        busy = bool(self.batch.live[: self.batch.width].any())
        scoring = self.filling[0].request.wants_prompt
        most = self.fill_tokens[busy]
        if scoring:
            most = min(most, self.forward.scored_tokens_max)
        group = self._group(most, scoring)
        pieces = [each.ids[each.filled : each.filled + most] for each in group]
        logits = self.forward.fill(
            [each.row for each in group], pieces, [each.filled for each in group], every=scoring
        )
        self.tokens_read += sum(map(len, pieces))
        for place, (sequence, piece) in enumerate(zip(group, pieces, strict=True)):
            own = logits[place]
            if scoring:
                self._score(sequence, piece, own[len(own) - len(piece) :])
            sequence.filled += len(piece)
        done = [(each, logits[n, -1]) for n, each in enumerate(group) if each.filled == each.length]
        self.filling = [each for each in self.filling if each.filled < each.length]
        if done:
            self._finish_fill(done)

    def _group(self, most: int, scoring: bool) -> list[Sequence]:
        """Sequences whose next pieces are computed together: little padding, not too much."""
        group: list[Sequence] = []
        tokens = widest = 0
        for sequence in self.filling:
            if sequence.request.wants_prompt != scoring:
                continue
            size = min(sequence.length - sequence.filled, most)
            wide = max(widest, size)
            padded = wide * (len(group) + 1)
            if group and (padded > most or padded > 1.5 * (tokens + size) + 64):
                continue
            group.append(sequence)
            tokens, widest = tokens + size, wide
        return group

    def _score(self, sequence: Sequence, piece: list[int], logits: torch.Tensor) -> None:
        """Scores of the prompt's tokens that this piece predicts."""
        request = sequence.request
        top = request.ask.prompt_logprobs
        assert top is not None
        if sequence.filled == 0:
            request.prompt_scores = [self.telling.unscored(request.ids[0])]
        begin = sequence.filled + 1
        targets = request.ids[begin : begin + len(piece)]
        scores = prompt_scores(logits[: len(targets)], targets, top, self.telling.spelling)
        request.prompt_scores += scores

    def _finish_fill(self, done: list[tuple[Sequence, torch.Tensor]]) -> None:
        """Prompts are in: tell so, share them, draw the first tokens."""
        starting: list[Sequence] = []
        sources: list[int] = []
        for place, (sequence, logits) in enumerate(done):
            request = sequence.request
            self.telling.begin(request)
            if request.scores_only:
                self.telling.scored(request)
                self.release(sequence)
                continue
            if sequence.followers:
                rows = [each.row for each in sequence.followers]
                self.pool.copy(sequence.row, rows, len(request.ids))
            starting += [sequence, *sequence.followers]
            sources += [place] * (1 + len(sequence.followers))
            waits = any(each.request is request for each in self.waiting[request.ask.interactive])
            request.first_logits = logits.clone() if waits and not sequence.written else None
            sequence.followers = []
        if starting:
            stacked = torch.stack([done[place][1] for place in sources])
            self._start(starting, stacked)

    def _start(self, sequences: list[Sequence], logits: torch.Tensor) -> None:
        """Draw the first tokens of rows whose prompts are in."""
        rows = np.array([each.row for each in sequences])
        for sequence in sequences:
            self.batch.length[sequence.row] = sequence.length
            self.batch.live[sequence.row] = True
        self._take(rows, logits)

    # ------------------------------------------------------------------------------ decode

    def _close_gaps(self, rows: NDArray[np.intp]) -> None:
        """Move the last rows into gaps once these are worth a copy and nobody will fill them."""
        batch = self.batch
        gaps = batch.width - len(batch.running)
        if self.waiting_count or self.filling or gaps <= max(2, batch.width // 4):
            return
        while None in batch.sequences[: batch.width]:
            source, target = batch.width - 1, batch.sequences.index(None)
            self.pool.copy(source, [target], int(batch.length[source]))
            batch.move(source, target)

    def _decode(self) -> None:
        batch = self.batch
        while not self.pool.fit(batch.width, self._longest() + 1):
            if not self.send_back_youngest():
                return
        count = batch.width
        live = batch.live[:count]
        if not live.any():
            return
        logits = self.forward.decode(batch.token[:count], batch.length[:count], live)
        rows = np.flatnonzero(live)
        batch.length[rows] += 1
        if len(rows) < count:
            logits = logits[torch.from_numpy(rows).to(logits.device)]
        self._take(rows, logits)

    def _take(self, rows: NDArray[Any], logits: torch.Tensor) -> None:
        """Draw a token for each of these rows and hand them on."""
        batch = self.batch
        raw = logits
        logits = logits.float()
        scored = [n for n, row in enumerate(rows.tolist()) if row in batch.scored]
        kept = raw[scored].float() if scored else None
        guided = [n for n, row in enumerate(rows.tolist()) if row in batch.guided]
        if guided and logits.data_ptr() == raw.data_ptr():
            logits = logits.clone()
        forced: set[int] = set()
        for n in guided:
            sequence = batch.sequences[rows[n]]
            assert sequence is not None and sequence.guide is not None
            sequence.guide.edit(logits[n])
            if n in scored and int((logits[n] > -math.inf).sum()) == 1:
                forced.add(int(rows[n]))
        tokens = draw(
            logits,
            batch.temperature[rows],
            batch.top_p[rows],
            batch.top_k[rows],
            uniforms(batch.key[rows], batch.written[rows]),
        )
        if kept is not None:
            self._keep_scores(rows[scored], tokens[scored], kept, forced)
        for sequence in self.telling.take(rows, tokens):
            self.release(sequence)

    def _keep_scores(
        self,
        rows: NDArray[Any],
        tokens: NDArray[np.int64],
        logits: torch.Tensor,
        forced: set[int],
    ) -> None:
        sequences = [self.batch.sequences[row] for row in rows.tolist()]
        tops = [each.request.ask.logprobs or 0 for each in sequences if each is not None]
        for sequence, score in zip(
            sequences, scores_of(logits, tokens.tolist(), tops, self.telling.spelling), strict=True
        ):
            assert sequence is not None
            if sequence.row in forced:
                score = msgspec.structs.replace(score, forced=True)
            sequence.scores.append(score)

    # --------------------------------------------------------------------------- send back

    def send_back_youngest(self) -> bool:
        """Let the youngest job's sample wait again, else the youngest; False if it was the only
        one, which then fails."""
        running = self.batch.running
        youngest = max(running, key=lambda e: (not e.request.ask.interactive, e.request.order))
        if len(running) == 1:
            self.telling.fail(youngest.request, too_large(youngest.length, self.pool.tokens_max))
            self.forget(youngest.request.ask.id)
            return False
        self.send_back(youngest)
        return bool(self.batch.width)

    def send_back(self, sequence: Sequence) -> None:
        """Let it wait, at the head of its queue; nothing that it has written is lost."""
        followers, sequence.followers = sequence.followers, []
        self.telling.flush(sequence)
        self.release(sequence)
        for follower in followers:
            self.release(follower)
        queue = self.waiting[sequence.request.ask.interactive]
        again = sorted([sequence, *followers, *queue], key=lambda e: (e.request.order, e.index))
        queue.clear()
        queue += again

    def out_of_memory(self) -> None:
        """Call outside any `except` block: everybody waits again and the pool shrinks.

        What is alone and still does not fit fails with 503."""
        running = self.batch.running
        cells = self.pool.rows * self.pool.columns
        for sequence in running:
            if sequence.row >= 0:
                self.send_back(sequence)
        self.pool.drop()
        smallest = self.fill_tokens[True] <= FILL_MIN
        if len(running) == 1 and smallest:
            request = running[0].request
            self.telling.fail(request, too_large(running[0].length, self.pool.tokens_max))
            self.forget(request.ask.id)
            return
        self.fill_tokens = {b: max(FILL_MIN, n // 2) for b, n in self.fill_tokens.items()}
        if len(running) > 1:
            self.pool.tokens_max = max(1, min(self.pool.tokens_max, cells) * 3 // 4)


def too_large(tokens: int, tokens_max: int) -> NodeRefused:
    """A sequence is too long for this machine's memory."""
    return NodeRefused(
        503,
        "out_of_memory",
        f"a sequence of {tokens:,} tokens does not fit into the engine's pool of {tokens_max:,}",
    )
