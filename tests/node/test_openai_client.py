"""The official OpenAI client against a real node that serves the nano model."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import httpx
import openai
import pytest

from tests.node.nodes import RunningNode

QUESTION = [{"role": "user", "content": "Find the greatest common divisor of 462 and 147."}]


@pytest.fixture(scope="module")
def client(nano_node: RunningNode) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{nano_node.url}/v1", api_key="none", max_retries=0) as found:
        yield found


def chat(client: openai.OpenAI, **more):  # type: ignore[no-untyped-def]
    given = {"model": "champion", "messages": QUESTION, "max_tokens": 24, "temperature": 0}
    return client.chat.completions.create(**{**given, **more})


def complete(client: openai.OpenAI, **more):  # type: ignore[no-untyped-def]
    given = {"model": "champion", "prompt": "Find the", "max_tokens": 8, "temperature": 0}
    return client.completions.create(**{**given, **more})


def test_models_are_listed_and_found(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert "champion" in names
    assert client.models.retrieve("champion").id == "champion"


def test_a_chat_answers_with_usage(client: openai.OpenAI) -> None:
    found = chat(client)
    assert found.object == "chat.completion" and found.id.startswith("chatcmpl-")
    choice = found.choices[0]
    assert choice.message.role == "assistant"
    assert choice.finish_reason in ("stop", "length")
    assert 1 <= found.usage.completion_tokens <= 24
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens


def test_a_stream_says_what_a_whole_reply_says(client: openai.OpenAI) -> None:
    whole = chat(client).choices[0]
    pieces = list(chat(client, stream=True, stream_options={"include_usage": True}))
    text = "".join(p.choices[0].delta.content or "" for p in pieces if p.choices)
    thought = "".join(
        (p.choices[0].delta.model_extra or {}).get("reasoning_content") or ""
        for p in pieces
        if p.choices
    )
    assert text == whole.message.content
    assert thought == ((whole.message.model_extra or {}).get("reasoning_content") or "")
    assert pieces[-1].usage.total_tokens > 0
    assert [p.choices[0].finish_reason for p in pieces if p.choices][-1] == whole.finish_reason


def test_n_samples_differ_and_a_seed_repeats_them(client: openai.OpenAI) -> None:
    def drawn(seed: int) -> list[str]:
        found = chat(client, n=4, temperature=1.5, seed=seed)
        assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
        return [
            str(choice.message.model_extra) + choice.message.content for choice in found.choices
        ]

    assert drawn(7) == drawn(7)
    assert len(set(drawn(7))) > 1
    assert drawn(7) != drawn(8)


def test_stop_text_ends_a_completion_and_is_no_part_of_it(client: openai.OpenAI) -> None:
    text = complete(client, max_tokens=40).choices[0].text
    stop = text[3:6]
    cut = complete(client, max_tokens=40, stop=stop).choices[0]
    assert cut.text == text[: text.index(stop)] and cut.finish_reason == "stop"
    assert (
        complete(client, max_tokens=40, stop=["never to be seen", stop]).choices[0].text == cut.text
    )


def test_max_tokens_is_kept(client: openai.OpenAI) -> None:
    found = complete(client, max_tokens=3)
    assert found.usage.completion_tokens == 3 and found.choices[0].finish_reason == "length"


def test_chat_logprobs_tell_the_chosen_and_the_others(client: openai.OpenAI) -> None:
    choice = chat(client, logprobs=True, top_logprobs=3).choices[0]
    content = choice.logprobs.content
    assert content
    written = bytes(byte for token in content for byte in token.bytes).decode()
    assert written.endswith(choice.message.content)  # the end token is no text
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        best = token.top_logprobs[0].logprob
        assert best == pytest.approx(token.logprob, abs=1e-5)  # greedy
    plain = chat(client, logprobs=True).choices[0].logprobs.content
    assert [t.logprob for t in plain] == pytest.approx([t.logprob for t in content], abs=1e-4)


def test_echo_scores_the_prompt(client: openai.OpenAI) -> None:
    found = complete(client, echo=True, logprobs=2, max_tokens=1)
    scores = found.choices[0].logprobs
    assert scores.token_logprobs[0] is None and scores.top_logprobs[0] is None
    assert len(scores.tokens) == found.usage.prompt_tokens + 1
    assert all(value <= 0 for value in scores.token_logprobs[1:])
    assert found.choices[0].text.startswith("Find the")
    assert scores.text_offset[0] == 0


def test_scoring_alone_writes_nothing(client: openai.OpenAI) -> None:
    found = complete(client, echo=True, logprobs=0, max_tokens=0)
    assert found.choices[0].text == "Find the"
    assert found.usage.completion_tokens == 0
    assert len(found.choices[0].logprobs.token_logprobs) == found.usage.prompt_tokens


def test_prompts_come_in_batches_as_text_and_as_ids(
    client: openai.OpenAI, nano_node: RunningNode
) -> None:
    prompts = ["Find the", "Solve for x", "Is it true"]
    alone = [complete(client, prompt=each).choices[0].text for each in prompts]
    together = complete(client, prompt=prompts)
    assert [choice.text for choice in together.choices] == alone
    tokens = [
        httpx.post(f"{nano_node.url}/tokenize", json={"prompt": each}).json()["tokens"]
        for each in prompts
    ]
    assert [choice.text for choice in complete(client, prompt=tokens).choices] == alone
    assert complete(client, prompt=tokens[0]).choices[0].text == alone[0]
    twice = complete(client, prompt=prompts, n=2)
    assert [choice.index for choice in twice.choices] == list(range(6))
    assert [choice.text for choice in twice.choices] == [text for text in alone for _ in (0, 1)]


def test_tokens_turn_back_into_text(nano_node: RunningNode) -> None:
    text = "Find gcd(462, 147): 🤔 ok"
    tokens = httpx.post(f"{nano_node.url}/tokenize", json={"prompt": text}).json()
    assert tokens["count"] == len(tokens["tokens"])
    back = httpx.post(f"{nano_node.url}/detokenize", json={"tokens": tokens["tokens"]}).json()
    assert back["prompt"] == text


def test_a_completion_streams(client: openai.OpenAI) -> None:
    whole = complete(client, prompt=["Find the", "Solve"], max_tokens=12)
    texts = ["", ""]
    for piece in complete(client, prompt=["Find the", "Solve"], max_tokens=12, stream=True):
        for choice in piece.choices:
            texts[choice.index] += choice.text
    assert texts == [choice.text for choice in whole.choices]


def test_logit_bias_and_penalties_change_what_is_written(client: openai.OpenAI) -> None:
    plain = complete(client, max_tokens=12, logprobs=0).choices[0]
    ids = httpx.post(
        f"{client.base_url}".replace("/v1/", "/tokenize"), json={"prompt": plain.text}
    ).json()["tokens"]
    banned = complete(client, max_tokens=12, logit_bias={str(ids[0]): -100}).choices[0]
    assert banned.text[: len(plain.text)] != plain.text


@pytest.mark.parametrize(
    ("change", "status", "word"),
    [
        ({"temperature": "hot"}, openai.BadRequestError, "temperature"),
        ({"temperature": 9}, openai.BadRequestError, "temperature"),
        ({"model": "no-such"}, openai.NotFoundError, "no-such"),
        ({"n": 0}, openai.BadRequestError, "n"),
        ({"n": 4000}, openai.BadRequestError, "n"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"max_tokens": 900_000}, openai.BadRequestError, "context"),
        (
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            openai.BadRequestError,
            "tools",
        ),
        ({"extra_body": {"nonsense": 1}}, openai.BadRequestError, "nonsense"),
        ({"extra_body": {"regime": 3}}, openai.BadRequestError, "problem"),
        ({"extra_body": {"regime": 3, "problem": "(gcd 1"}}, openai.BadRequestError, ""),
    ],
)
def test_a_bad_request_is_told_what_is_bad(
    client: openai.OpenAI, change: dict, status: type, word: str
) -> None:
    with pytest.raises(status) as caught:
        chat(client, **change)
    assert word in str(caught.value.message).lower() or word in str(caught.value.param)
    assert caught.value.code


def test_a_prompt_longer_than_the_context_is_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, prompt="word " * 20_000)
    assert caught.value.code == "context_length_exceeded"


@pytest.mark.parametrize("regime", [1, 2, 3])
def test_a_regime_gives_a_trace_and_a_verdict(client: openai.OpenAI, regime: int) -> None:
    found = chat(
        client,
        max_tokens=200,
        extra_body={"regime": regime, "problem": "(gcd 462 147)"},
    )
    told = found.choices[0].model_extra["regime3"]
    assert told["regime"] == regime and told["problem"] == "(gcd 462 147)"
    assert set(told["verdict"]) == {"valid", "right", "steps", "first_bad_step", "reason"}
    if regime > 1 and found.choices[0].finish_reason == "stop":
        assert told["trace"], "what the grammar allowed can be read"


def test_a_client_that_leaves_takes_its_request_along(
    client: openai.OpenAI, nano_node: RunningNode
) -> None:
    stream = complete(client, prompt="Find", max_tokens=400, n=8, temperature=1.0, stream=True)
    next(iter(stream))
    stream.close()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        told = httpx.get(f"{nano_node.url}/metrics").text
        if "regime3_node_running 0.0" in told:
            return
        time.sleep(0.1)
    raise AssertionError("its sequences still run")


async def _crowd(client: openai.AsyncOpenAI, count: int) -> list[str]:
    import asyncio

    async def one(number: int) -> str:
        found = await client.completions.create(
            model="champion", prompt=f"{number} plus", max_tokens=5 + number % 7, temperature=0
        )
        return found.choices[0].text

    return await asyncio.gather(*(one(number) for number in range(count)))


def test_a_crowd_reads_what_one_alone_reads(nano_node: RunningNode, client: openai.OpenAI) -> None:
    import asyncio

    async def run() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{nano_node.url}/v1", api_key="x") as crowd:
            return await _crowd(crowd, 48)

    together = asyncio.run(run())
    for number in range(0, 48, 7):
        alone = complete(client, prompt=f"{number} plus", max_tokens=5 + number % 7)
        assert together[number] == alone.choices[0].text


def test_probabilities_add_up(client: openai.OpenAI) -> None:
    scores = complete(client, echo=True, logprobs=20, max_tokens=0).choices[0].logprobs
    for top in scores.top_logprobs[1:]:
        assert 0 < sum(math.exp(value) for value in top.values()) <= 1.0001


def test_ignore_eos_writes_on_to_the_limit(client: openai.OpenAI) -> None:
    ask = {"prompt": "Think in codes.", "max_tokens": 700, "temperature": 0}
    ended = complete(client, **ask)
    assert ended.choices[0].finish_reason == "stop"
    on = complete(client, **ask, extra_body={"ignore_eos": True})
    assert on.usage.completion_tokens == 700
    assert on.choices[0].finish_reason == "length"
