"""Templates that cannot be trained with are refused when they are met, with what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from regime3.config import Examples
from regime3.errors import ModelError
from regime3.model.chat import ChatRenderer
from regime3.model.template import ChatTemplate
from regime3.records.rows import Message


def with_template(tokenizer: Any, template: str | None) -> Any:
    own = copy.deepcopy(tokenizer)
    own.chat_template = template
    return own


def test_a_tokenizer_without_a_template_is_refused_with_what_to_do(nano: Any) -> None:
    with pytest.raises(ModelError, match="no chat template") as refusal:
        ChatTemplate(with_template(nano, None))
    assert "chat_template.jinja" in refusal.value.message


def test_a_template_without_an_end_of_turn_is_refused(nano: Any) -> None:
    template = "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    with pytest.raises(ModelError, match="no end-of-turn token"):
        ChatTemplate(with_template(nano, template))


def test_a_template_that_does_not_render_is_refused(nano: Any) -> None:
    with pytest.raises(ModelError, match="does not render"):
        ChatTemplate(with_template(nano, "{{ messages[0].content.nothing.here }}"))


def test_a_template_that_hides_the_answer_is_refused(nano: Any) -> None:
    template = (
        "{% for m in messages %}{% if m['role'] == 'user' %}x<|im_end|>{% endif %}{% endfor %}"
    )
    with pytest.raises(ModelError, match="leaves out what the assistant says"):
        ChatTemplate(with_template(nano, template))


def test_a_generation_prompt_that_is_no_beginning_of_a_turn_is_refused(nano: Any) -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>"
        "{% endfor %}{% if add_generation_prompt %}Answer now:{% endif %}"
    )
    with pytest.raises(ModelError, match="generation prompt"):
        ChatTemplate(with_template(nano, template))


def test_the_end_of_turn_is_the_first_control_token_after_the_answer(nano: Any) -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}"
        " <|im_end|><|endoftext|>{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    found = ChatTemplate(with_template(nano, template))
    assert found.end == " <|im_end|>"
    assert found.end_id == nano.convert_tokens_to_ids("<|im_end|>")


def test_a_slow_tokenizer_is_refused() -> None:
    class Slow:
        chat_template = "x"

    from regime3.model.chat import own_fast_tokenizer

    with pytest.raises(ModelError, match="no fast form"):
        own_fast_tokenizer(Slow())


def test_thinking_can_be_the_template_s_default(nano: Any) -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
        "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{{ '<think>\n' if enable_thinking else '<think>\n\n</think>\n\n' }}{% endif %}"
    )
    renderer = ChatRenderer(with_template(nano, template), Examples(), 256)
    assert renderer.template.opens_thought
    assert renderer.text_of(renderer.prompt_ids([Message("user", "q")])).endswith(
        "<think>\n\n</think>\n\n"
    )
