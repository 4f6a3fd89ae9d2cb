"""Token scores in the two shapes that OpenAI's bodies have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from regime3.records.wire import TokenScore


def of_chat(scores: Sequence[TokenScore]) -> dict[str, Any]:
    """`logprobs` of a chat choice. The bytes of its tokens, joined, are those of the text."""
    return {"content": [_entry(score) for score in scores], "refusal": None}


def _entry(score: TokenScore) -> dict[str, Any]:
    found = _token(score.text, score.logprob if score.logprob is not None else 0.0, score.raw)
    found["top_logprobs"] = [
        _token(text, logprob, score.top_raw.get(token, b"")) for token, text, logprob in score.top
    ]
    return found


def _token(text: str, logprob: float, raw: bytes) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(raw or text.encode())}


def of_completion(scores: Sequence[TokenScore], offset: int) -> dict[str, Any]:
    """`logprobs` of a completion: four lists of one length, nulls for a prompt's first token.

    `offset` is where the first token begins in the choice's text. The chosen token is always among
    its alternatives; of two that read the same the likelier one stands.
    """
    offsets = []
    for score in scores:
        offsets.append(offset)
        offset += len(score.text)
    return {
        "tokens": [score.text for score in scores],
        "token_logprobs": [score.logprob for score in scores],
        "top_logprobs": [_alternatives(score) for score in scores],
        "text_offset": offsets,
    }


def _alternatives(score: TokenScore) -> dict[str, float] | None:
    if score.logprob is None:
        return None
    found: dict[str, float] = {}
    for text, logprob in [
        *((text, value) for _, text, value in score.top),
        (score.text, score.logprob),
    ]:
        found[text] = max(logprob, found.get(text, logprob))
    return found
