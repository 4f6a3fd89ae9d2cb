"""The renderer on the nano tokenizer: what is kept, dropped, refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regime3.config import Examples
from regime3.errors import InputRefused
from regime3.model.chat import TURNS_MAX, ChatRenderer
from regime3.records.rows import Message
from tests.model.dialogue import (
    assistant,
    prompt_of,
    rendered,
    row,
    supervised_of,
    system,
    user,
)


@pytest.fixture(scope="module")
def emoji(nano: Any) -> ChatRenderer:
    return ChatRenderer(nano, Examples(), 256)


@pytest.fixture(scope="module")
def tags(nano: Any) -> ChatRenderer:
    return ChatRenderer(nano, Examples(profile="think-tags"), 4096)


@pytest.fixture(scope="module")
def roomy(nano: Any) -> ChatRenderer:
    return ChatRenderer(nano, Examples(), 4096)


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PLAIN = ANY_TEXT.filter(lambda text: bool(text.strip()) and "<" not in text)


@settings(max_examples=150, deadline=None)
@given(question=ANY_TEXT, answer=PLAIN)
def test_supervised_text_is_the_content_and_the_end_of_turn(
    tags: ChatRenderer, question: str, answer: str
) -> None:
    [(prompt, supervised)] = rendered(tags, user(question), assistant(answer))
    assert supervised == answer + "<|im_end|>"
    assert prompt == f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


@settings(max_examples=100, deadline=None)
@given(thought=PLAIN, answer=PLAIN)
def test_a_written_thought_reads_back_as_itself(
    roomy: ChatRenderer, thought: str, answer: str
) -> None:
    if "🤔" in thought + answer or "🛑" in thought + answer:
        return
    [(_, supervised)] = rendered(roomy, user("q"), assistant(answer, thought))
    again = supervised.removesuffix("<|im_end|>")
    [(_, twice)] = rendered(roomy, user("q"), assistant(again))
    assert twice == supervised
    assert thought.strip("\n") in supervised
    assert supervised.endswith(answer.lstrip("\n") + "<|im_end|>")


def test_the_last_supervised_token_is_the_end_of_turn(emoji: ChatRenderer) -> None:
    [example] = emoji.examples(row(user("q"), assistant("a")), "row")
    assert example.input_ids[-1] == emoji.template.end_id
    assert emoji.template.end_id not in example.input_ids[example.prompt_length : -1]


def test_turns_without_content_are_history_only(emoji: ChatRenderer) -> None:
    pairs = rendered(emoji, user("a"), assistant(""), user("b"), assistant("Yes."))
    assert [supervised for _, supervised in pairs] == ["Yes.<|im_end|>"]


def test_a_row_with_nothing_to_train_is_refused(emoji: ChatRenderer) -> None:
    for messages in ((user("a"),), (user("a"), assistant(" \n")), (user("a"), assistant("", "x"))):
        with pytest.raises(InputRefused, match="no assistant turn has content"):
            emoji.examples(row(*messages), "row")


def test_a_control_token_inside_an_answer_is_refused(emoji: ChatRenderer) -> None:
    with pytest.raises(InputRefused, match=r"message 1 holds the control token <\|im_end\|>"):
        emoji.examples(row(user("a"), assistant("Yes.<|im_end|>")), "row")


def test_an_over_long_conversation_drops_its_oldest_whole_turns(emoji: ChatRenderer) -> None:
    turns = [
        message
        for number in range(6)
        for message in (user(f"question {number} " + "1" * 60), assistant(f"answer {number}"))
    ]
    examples = emoji.examples(row(system("Rules."), *turns), "row")
    assert len(examples) == 6
    for number, example in enumerate(examples):
        prompt = prompt_of(example, emoji)
        assert example.length <= emoji.max_length
        assert prompt.startswith("<|im_start|>system\nRules.<|im_end|>\n<|im_start|>user\nquestion")
        assert f"question {number}" in prompt
        assert supervised_of(example, emoji) == f"answer {number}<|im_end|>"
    kept = [prompt_of(example, emoji).count("question") for example in examples]
    assert kept == [1, 2, 3, 3, 3, 3]
    assert "question 2" not in prompt_of(examples[-1], emoji)


def test_no_more_is_dropped_than_has_to_be(nano: Any) -> None:
    talk = [user("one " * 30), assistant("first"), user("two " * 30), assistant("second")]
    whole = ChatRenderer(nano, Examples(), 4096).examples(row(*talk), "row")[1]
    exact = ChatRenderer(nano, Examples(), whole.length).examples(row(*talk), "row")[1]
    tight = ChatRenderer(nano, Examples(), whole.length - 1).examples(row(*talk), "row")[1]
    assert exact == whole
    assert tight.length < whole.length - 30
    assert tight.input_ids[tight.prompt_length :] == whole.input_ids[whole.prompt_length :]


def test_a_turn_that_cannot_fit_is_left_out_and_the_others_train(emoji: ChatRenderer) -> None:
    talk = row(user("a"), assistant("Yes."), user("9" * 400), assistant("No."))
    assert [supervised_of(e, emoji) for e in emoji.examples(talk, "row")] == ["Yes.<|im_end|>"]
    assert emoji.turns(talk) == 2


def test_an_empty_conversation_is_refused(emoji: ChatRenderer) -> None:
    with pytest.raises(InputRefused, match="empty conversation"):
        emoji.prompt_ids([])


def test_a_row_that_cannot_fit_is_refused_with_its_counts(emoji: ChatRenderer) -> None:
    talk = row(user("a"), assistant("7" * 300))
    with pytest.raises(InputRefused) as refusal:
        emoji.examples(talk, "row")
    prompt = len(emoji.prompt_ids([user("a")]))
    assert refusal.value.reason == (
        f"no turn fits in 256 tokens: the shortest takes {prompt + 301}, "
        f"prompt {prompt} and answer 301"
    )


def test_a_completion_is_never_cut_even_when_the_tokenizer_was_told_to(nano: Any) -> None:
    import copy

    truncating = copy.deepcopy(nano)
    truncating.backend_tokenizer.enable_truncation(4)
    truncating.backend_tokenizer.enable_padding(length=64)
    renderer = ChatRenderer(truncating, Examples(), 256)
    [(_, supervised)] = rendered(renderer, user("a"), assistant("1234567890"))
    assert supervised == "1234567890<|im_end|>"


def test_a_row_of_a_thousand_turns_is_refused_before_it_is_rendered(emoji: ChatRenderer) -> None:
    talk = [user("a"), assistant("b")] * (TURNS_MAX + 1)
    with pytest.raises(InputRefused, match=f"at most {TURNS_MAX}"):
        emoji.examples(row(*talk), "row")


def test_long_rows_render_only_what_can_fit(nano: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = ChatRenderer(nano, Examples(), 256)
    shown: list[int] = []
    inner = renderer.template.prompt

    def counting(messages: list[Message], *, thinking: bool) -> str:
        shown.append(len(messages))
        return inner(messages, thinking=thinking)

    monkeypatch.setattr(renderer.template, "prompt", counting)
    talk = [m for n in range(200) for m in (user(f"{n} " + "5" * 50), assistant("ok"))]
    assert len(renderer.examples(row(*talk), "row")) == 200
    assert sum(shown) < 200 * 12


def test_threads_get_the_same_tokens(emoji: ChatRenderer) -> None:
    talks = [row(user(f"q {n}"), assistant(f"a {n}", "t")) for n in range(64)]
    alone = [emoji.examples(talk, "row") for talk in talks]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda talk: emoji.examples(talk, "row"), talks)) == alone
