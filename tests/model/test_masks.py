"""Exactly which characters are supervised, template by template.

The templates are written here, in the manner of the families they are named after, over the nano
tokenizer with that family's control tokens added.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from regime3.config import Examples
from regime3.errors import InputRefused
from regime3.model.chat import ChatRenderer
from tests.model.dialogue import assistant, rendered, system, user

CHATML_DEFAULT_SYSTEM = (
    "{% for m in messages %}"
    "{% if loop.first and m['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n"
    "{% endif %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} "
    "[/INST]{% elif m['role'] == 'assistant' %} {{ m['content'] }}</s>"
    "{% else %}{{ raise_exception('only user and assistant roles') }}{% endif %}{% endfor %}"
)
GEMMA = (
    "{{ bos_token }}{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ raise_exception('system role not supported') }}{% endif %}"
    "<start_of_turn>{{ 'model' if m['role'] == 'assistant' else m['role'] }}\n"
    "{{ m['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
NO_GENERATION_PROMPT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
)
ALWAYS_THINKS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}"
)


def renderer_with(
    tokenizer: Any, template: str, *tokens: str, bos: str | None = None, profile: str = "emoji"
) -> ChatRenderer:
    own = copy.deepcopy(tokenizer)
    own.add_special_tokens({"additional_special_tokens": list(tokens)})
    if bos:
        own.bos_token = bos
    own.chat_template = template
    return ChatRenderer(own, Examples(profile=profile), 512)


TALK = (user("Hi"), assistant("Hello."), user("2+2?"), assistant("4"))


def test_chatml_supervises_content_and_im_end(nano: Any) -> None:
    renderer = ChatRenderer(nano, Examples(), 512)
    assert rendered(renderer, system("Short."), *TALK) == [
        (
            "<|im_start|>system\nShort.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\n",
            "Hello.<|im_end|>",
        ),
        (
            "<|im_start|>system\nShort.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n"
            "<|im_start|>assistant\n",
            "4<|im_end|>",
        ),
    ]


def test_a_default_system_prompt_stays_unsupervised(nano: Any) -> None:
    renderer = renderer_with(nano, CHATML_DEFAULT_SYSTEM)
    assert rendered(renderer, *TALK)[0] == (
        "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n",
        "Hello.<|im_end|>",
    )


def test_llama3_ends_a_turn_with_eot_and_keeps_one_bos(nano: Any) -> None:
    tokens = ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|begin_of_text|>")
    renderer = renderer_with(nano, LLAMA3, *tokens, bos="<|begin_of_text|>")
    first, second = rendered(renderer, *TALK)
    assert first == (
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "Hello.<|eot_id|>",
    )
    assert second[0].count("<|begin_of_text|>") == 1
    assert second[1] == "4<|eot_id|>"


def test_mistral_supervises_the_blank_that_the_model_has_to_write(nano: Any) -> None:
    renderer = renderer_with(nano, MISTRAL, "[INST]", "[/INST]", "</s>", "<s>", bos="<s>")
    assert rendered(renderer, *TALK) == [
        ("<s>[INST] Hi [/INST]", " Hello.</s>"),
        ("<s>[INST] Hi [/INST] Hello.</s>[INST] 2+2? [/INST]", " 4</s>"),
    ]


def test_gemma_supervises_up_to_end_of_turn_without_its_newline(nano: Any) -> None:
    tokens = ("<start_of_turn>", "<end_of_turn>", "<bos>")
    renderer = renderer_with(nano, GEMMA, *tokens, bos="<bos>")
    assert rendered(renderer, *TALK)[1] == (
        "<bos><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n"
        "<start_of_turn>user\n2+2?<end_of_turn>\n<start_of_turn>model\n",
        "4<end_of_turn>",
    )


def test_a_role_that_the_template_refuses_is_a_refused_row(nano: Any) -> None:
    renderer = renderer_with(nano, GEMMA, "<start_of_turn>", "<end_of_turn>")
    with pytest.raises(InputRefused, match="system role not supported"):
        rendered(renderer, system("x"), *TALK)


def test_a_missing_generation_prompt_is_supplied_in_the_prompt(nano: Any) -> None:
    renderer = renderer_with(nano, NO_GENERATION_PROMPT)
    assert rendered(renderer, *TALK)[0] == (
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
        "Hello.<|im_end|>",
    )


@pytest.mark.parametrize("profile", ["emoji", "think-tags"])
def test_a_thought_that_the_template_always_opens_is_closed_unsupervised(
    nano: Any, profile: str
) -> None:
    renderer = renderer_with(nano, ALWAYS_THINKS, profile=profile)
    prompt, supervised = rendered(renderer, *TALK)[0]
    assert prompt.endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert supervised == "Hello.<|im_end|>"


def test_a_thought_continues_the_tag_that_the_prompt_opened(nano: Any) -> None:
    renderer = renderer_with(nano, ALWAYS_THINKS, profile="think-tags")
    [(prompt, supervised)] = rendered(renderer, user("2+2?"), assistant("4", "add"))
    assert prompt.endswith("assistant\n<think>\n")
    assert supervised == "add\n</think>\n\n4<|im_end|>"
    assert prompt == renderer.text_of(renderer.prompt_ids([user("2+2?")], thinking=True))


def test_tool_results_are_prompt(nano: Any) -> None:
    from regime3.records.rows import Message

    renderer = ChatRenderer(nano, Examples(), 512)
    talk = (user("time?"), assistant("clock()"), Message("tool", "12:00"), assistant("Noon."))
    supervised = [text for _, text in rendered(renderer, *talk)]
    assert supervised == ["clock()<|im_end|>", "Noon.<|im_end|>"]
    assert rendered(renderer, *talk)[1][0].count("<|im_start|>tool\n12:00<|im_end|>") == 1
