"""From an example to a request, and from what was written to its marks.

    whole = await desk.ask(answer_ask(posed, bound, order, n=4))
    marks = marked(posed, whole.samples[0].text, desk.profile, book)

Exact match is the checker's where there is a problem (one answer has many spellings, and `qed!` is
one token for all), else equality of the normalised answer. Confidence is the probability of the
thought and answer together: see `sureness`.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

from regime3.errors import InputRefused
from regime3.jobs.orders import Drawn
from regime3.jobs.record import Bound
from regime3.jobs.sets import Posed
from regime3.lang.codebook import Codebook
from regime3.lang.problem import show_body
from regime3.model.profile import Profile
from regime3.records.answers import Whole, Written
from regime3.records.rows import Message
from regime3.records.wire import Form, Generate, Prompt, Sampling
from regime3.score.measures import confidence, same_answer
from regime3.tasks.rows import REGIMES
from regime3.tasks.verdict import Judged, judge, judge_row, marker_of

LENGTH_EXTRA = 64
"""Tokens for thinking markers and what is very short."""
TOKENS_MAX = 4096
"""Longest answer that is asked for unasked."""
SEED_BITS = 53
"""So that a seed survives any JSON reader."""


def seed_of(seed: int, key: str, side: str = "") -> int:
    """The seed of a request: keyed, so that neighbouring seeds share nothing."""
    digest = hashlib.sha256(f"jobs|{seed}|{key}|{side}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def answer_ask(
    posed: Posed, bound: Bound, order: Drawn, *, n: int = 1, side: str = "", scored: bool = False
) -> Generate:
    """The request for `n` answers."""
    regime, problem = posed.row.get("regime"), posed.problem
    form = None
    if order.constrained and problem and regime in (2, 3) and "source_regime" not in posed.row:
        form = Form(regime, problem)
    return Generate(
        0,
        bound.loaded,
        Prompt(messages=posed.prompt, thinking=True if problem else None),
        n=n,
        max_tokens=order.max_tokens or length_of(posed),
        sampling=Sampling(
            temperature=order.temperature,
            top_p=order.top_p,
            seed=seed_of(order.seed, posed.key, side),
        ),
        logprobs=0 if scored else None,
        interactive=False,
        form=form,
    )


def length_of(posed: Posed) -> int:
    """Tokens that leave room for twice the reference, whatever the tokenizer.

    A code is one token; of other text a token is taken to be half a character, at worst."""
    text = (posed.reference.get("reasoning_content") or "") + posed.reference["content"]
    codes = text.count("<E")
    twice = 2 * codes if codes and posed.row.get("regime") == 3 else len(text)
    return min(TOKENS_MAX, twice + LENGTH_EXTRA)


def reference_ask(posed: Posed, bound: Bound, profile: Profile) -> Generate:
    """The request that scores the reference. Raises `InputRefused` if there is none to train."""
    said = posed.reference
    reply = Message("assistant", said["content"], said.get("reasoning_content"))
    text, thinks = profile.completion(reply, posed.key, len(posed.prompt))
    if not text:
        raise InputRefused("the reference is empty")
    prompt = Prompt(messages=posed.prompt, thinking=thinks, completion=text)
    return Generate(0, bound.loaded, prompt, max_tokens=0, prompt_logprobs=0, interactive=False)


def reference_nats(whole: Whole) -> tuple[float, int]:
    """Nats and tokens of the reference in a scored prompt."""
    scores = (whole.prompt or [])[-whole.completion_tokens :] if whole.completion_tokens else []
    known = [each.logprob for each in scores if each.logprob is not None]
    return -math.fsum(known), len(known)


def marked(posed: Posed, text: str, profile: Profile, book: Codebook) -> dict[str, Any]:
    """What is to be said of an answer: see the fields. Never raises on what a model wrote."""
    turn = profile.split(Message("assistant", text))
    found: dict[str, Any] = {"thought": turn.thought, "answer": turn.answer}
    judged, right = _judged(posed, turn.thought, turn.answer, book)
    if judged is None:
        return {**found, "right": same_answer(turn.answer, wanted(posed, profile))}
    found |= {"right": right, "valid": judged.valid, "steps": judged.steps, "share": judged.share}
    if not judged.valid:
        found |= {"first_bad_step": judged.index, "reason": judged.reason, "bad_step": judged.step}
    if judged.body is not None:
        found["canonical"] = show_body(judged.body)
    return found


def wanted(posed: Posed, profile: Profile) -> str:
    """The reference's answer without its thought."""
    said = posed.reference
    return profile.split(
        Message("assistant", said["content"], said.get("reasoning_content"))
    ).answer


def _judged(posed: Posed, thought: str, answer: str, book: Codebook) -> tuple[Judged | None, bool]:
    """The checker's judgement, if it has one, and whether the answer is right."""
    problem, regime = posed.problem, posed.row.get("regime")
    if problem is None or regime not in REGIMES:
        return None, False
    if posed.fingerprint is not None:  # a problem of ours: its family's oracle knows
        judged = judge(problem, regime, thought, answer, book)
        return judged, judged.right
    mark = marker_of(posed.row, book)
    if mark is None:
        return None, False
    reply = {"role": "assistant", "reasoning_content": thought, "content": answer}
    return judge_row({**posed.row, "messages": [*posed.prompt, reply]}, book), mark(thought, answer)


def sureness(sample: Written, thought: str, answer: str) -> float | None:
    """Confidence of a sample: the probability of the thought and answer that it has written.

    In every regime alike, since the answer alone says little: in codes it is `qed!`, certain
    whatever came before. Left out is what is no belief of the model's: tokens that a grammar or a
    budget left no choice about, runs of markers, whose length the profile draws at random, and
    the end token. What a trained model knows to be forced has a probability of 1 and changes a
    product nothing, with a grammar or without. Where one thought can be worded in many ways (long
    English), this is the probability of the one wording, and thus less than the model's belief.
    """
    spans = _spans(sample.text, thought, answer)
    logprobs: list[float] = []
    place = 0
    for each in sample.scores or []:
        begin, place = place, place + len(each.raw or each.text.encode())
        ours = any(begin < last and place > first for first, last in spans)
        if ours and not each.forced and each.logprob is not None:
            logprobs.append(each.logprob)
    return confidence(logprobs)


def _spans(text: str, *pieces: str) -> list[tuple[int, int]]:
    """Where the pieces stand in the text, one after another, in bytes; one that the profile has
    rewritten on reading is anywhere from the last one to the end."""
    found: list[tuple[int, int]] = []
    place = 0
    for piece in pieces:
        begin = text.find(piece, place)
        first, place = (begin, begin + len(piece)) if begin >= 0 else (place, len(text))
        found.append((len(text[:first].encode()), len(text[:place].encode())))
    return found
