"""Qwen3's own tokenizer and template: the boundary of training is the boundary of inference."""

from __future__ import annotations

from typing import Any

import pytest

from regime3.config import Examples
from regime3.model.chat import ChatRenderer
from regime3.model.load import end_of_turn_id
from regime3.records.rows import Message
from tests.model.dialogue import assistant, prompt_of, row, supervised_of, system, user

TALK = [
    system("Be exact."),
    user("  What is 2+2?\n"),
    assistant("4", "Two and two.\nFour."),
    user("And the capital of France? 日本 🤔"),
    assistant("Paris."),
    user("17 * 3?"),
    assistant("\n51", "17*3 = 51"),
]


def template_text(tokenizer: Any, messages: list[Message], **more: Any) -> str:
    chat = [
        {"role": m.role, "content": m.content}
        | ({"reasoning_content": m.reasoning_content} if m.reasoning_content else {})
        for m in messages
    ]
    text = tokenizer.apply_chat_template(chat, tokenize=False, **more)
    assert isinstance(text, str)
    return text


def test_every_prompt_is_what_the_template_shows_at_inference(
    qwen3: Any, qwen3_tags: ChatRenderer
) -> None:
    examples = qwen3_tags.examples(row(*TALK), "row")
    assert len(examples) == 3
    for example, turn in zip(examples, (2, 4, 6), strict=True):
        thinks = TALK[turn].reasoning_content is not None
        wanted = template_text(
            qwen3, TALK[:turn], add_generation_prompt=True, enable_thinking=thinks
        )
        assert prompt_of(example, qwen3_tags) == wanted
        prefix = example.input_ids[: example.prompt_length]
        assert prefix == qwen3_tags.prompt_ids(TALK[:turn], thinking=thinks)
        assert prefix == qwen3(wanted, add_special_tokens=False)["input_ids"]
        assert example.has_thinking is thinks


def test_the_last_turn_with_a_thought_is_what_the_template_would_write(
    qwen3: Any, qwen3_tags: ChatRenderer
) -> None:
    last = qwen3_tags.examples(row(*TALK), "row")[-1]
    whole = template_text(qwen3, TALK, add_generation_prompt=False)
    assert qwen3_tags.text_of(last.input_ids) + "\n" == whole


def test_think_tags_supervise_thought_answer_and_end(qwen3_tags: ChatRenderer) -> None:
    texts = [supervised_of(e, qwen3_tags) for e in qwen3_tags.examples(row(*TALK), "row")]
    assert texts == [
        "<think>\nTwo and two.\nFour.\n</think>\n\n4<|im_end|>",
        "Paris.<|im_end|>",
        "<think>\n17*3 = 51\n</think>\n\n51<|im_end|>",
    ]


def test_without_a_thought_the_empty_think_block_is_prompt(qwen3_tags: ChatRenderer) -> None:
    example = qwen3_tags.examples(row(*TALK), "row")[1]
    assert prompt_of(example, qwen3_tags).endswith("<think>\n\n</think>\n\n")
    assert "think" not in supervised_of(example, qwen3_tags)


@pytest.mark.parametrize(
    "content",
    [
        "<think></think>Paris.",
        "<think>\n\n</think>\n\nParis.",
        "Paris.<think> </think>",
        "<think>\n</think>\n\n<think></think>Paris.",
    ],
)
@pytest.mark.parametrize("profile", ["emoji", "think-tags"])
def test_an_empty_think_block_in_the_data_is_never_trained(
    qwen3_tags: ChatRenderer, qwen3_emoji: ChatRenderer, profile: str, content: str
) -> None:
    renderer = qwen3_emoji if profile == "emoji" else qwen3_tags
    [example] = renderer.examples(row(user("Capital?"), assistant(content)), "row")
    assert supervised_of(example, renderer) == "Paris.<|im_end|>"
    assert example.has_thinking is False


def test_the_emoji_prompt_is_plain_with_and_without_a_thought(
    qwen3: Any, qwen3_emoji: ChatRenderer
) -> None:
    examples = qwen3_emoji.examples(row(*TALK), "row")
    bare = [Message(m.role, m.content) for m in TALK]
    for example, turn in zip(examples, (2, 4, 6), strict=True):
        wanted = template_text(qwen3, bare[:turn], add_generation_prompt=True)
        assert prompt_of(example, qwen3_emoji) == wanted
        assert "think>" not in wanted
        for thinking in (True, False):
            ids = qwen3_emoji.prompt_ids(TALK[:turn], thinking=thinking)
            assert ids == example.input_ids[: example.prompt_length]


def test_the_emoji_profile_writes_runs_around_the_thought(qwen3_emoji: ChatRenderer) -> None:
    first, second, _ = qwen3_emoji.examples(row(*TALK), "row")
    text = supervised_of(first, qwen3_emoji)
    body = text.removeprefix("🤔🤔🤔🤔\nTwo and two.\nFour.\n").removesuffix("\n4<|im_end|>")
    assert body in ("🛑🛑", "🛑🛑🛑", "🛑🛑🛑🛑")
    assert supervised_of(second, qwen3_emoji) == "Paris.<|im_end|>"
    assert (first.has_thinking, second.has_thinking) == (True, False)


def test_what_the_model_wrote_comes_back_as_history_without_its_thought(
    qwen3_emoji: ChatRenderer,
) -> None:
    first, second, _ = qwen3_emoji.examples(row(*TALK), "row")
    said = supervised_of(first, qwen3_emoji).removesuffix("<|im_end|>")
    served = [*TALK[:2], assistant(said), TALK[3]]
    assert qwen3_emoji.prompt_ids(served) == second.input_ids[: second.prompt_length]


def test_qwen3_drops_think_tags_of_earlier_turns_however_they_are_spelt(
    qwen3_tags: ChatRenderer,
) -> None:
    spelt = [*TALK[:2], assistant("<think>\nTwo and two.\nFour.\n</think>\n\n4"), TALK[3]]
    ids = qwen3_tags.prompt_ids(spelt)
    assert ids == qwen3_tags.prompt_ids(TALK[:4])
    assert "Two and two" not in qwen3_tags.text_of(ids)


def test_a_thought_inside_a_tool_loop_stays_as_the_template_wants(
    qwen3_tags: ChatRenderer,
) -> None:
    talk = [user("time?"), assistant("clock()", "look"), Message("tool", "12"), assistant("Noon.")]
    last = qwen3_tags.examples(row(*talk), "row")[-1]
    prompt = prompt_of(last, qwen3_tags)
    assert "<think>\nlook\n</think>\n\nclock()<|im_end|>" in prompt
    assert supervised_of(last, qwen3_tags) == "Noon.<|im_end|>"


def test_qwen3_ends_a_turn_with_im_end(qwen3: Any) -> None:
    assert end_of_turn_id(qwen3) == qwen3.convert_tokens_to_ids("<|im_end|>")


def test_a_system_prompt_of_the_settings_joins_conversations_without_one(qwen3: Any) -> None:
    renderer = ChatRenderer(qwen3, Examples(system_prompt="Be brief."), 4096)
    [example] = renderer.examples(row(user("Hi"), assistant("Yo")), "row")
    assert prompt_of(example, renderer).startswith("<|im_start|>system\nBe brief.<|im_end|>\n")
    [kept] = renderer.examples(row(system("Mine."), user("Hi"), assistant("Yo")), "row")
    assert "Be brief" not in prompt_of(kept, renderer)
