"""What a tokenizer's chat template does, found out by rendering probe conversations.

    template = ChatTemplate(tokenizer)
    template.prompt(messages, thinking=False)   # text up to where the model starts to write
    template.end, template.end_id               # "<|im_end|>", its id

Nothing here knows a model family by name: the end-of-turn token, what stands between the
generation prompt and the answer, and whether the template opens a thought, are all read off what
the template writes. It does not tokenise conversations (`chat` does) and never edits a template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jinja2.exceptions import TemplateError

from regime3.errors import InputRefused, ModelError
from regime3.records.rows import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROBE_QUESTION = "probe question"
PROBE_ANSWER = "probe answer"
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

_THINK_TAIL = re.compile(r"<think>\s*(</think>\s*)?$")


class ChatTemplate:
    """A tokenizer's chat template and what it writes around an assistant's answer.

    `end`: text from the answer's last character through the end-of-turn token; `end_id`: that
    token; `lead`: what the model itself has to write before the answer (a blank in some
    `[INST]` templates, nearly always empty). `opens_thought`: with thinking on, the prompt itself
    ends in an open think tag; `plain_thinking`: the value of `enable_thinking` whose prompt has
    the fewest think tags. Raises `ModelError` when the template is missing or cannot be trained
    with.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer: Any = tokenizer
        if not tokenizer.chat_template:
            raise ModelError(
                "The tokenizer has no chat template. Use the model's instruct version, or put its "
                "chat_template.jinja into the model's folder and import it again",
                "r3 doctor",
            )
        self._header = ""
        plain = self._probe(True)
        self.opens_thought = plain.rstrip().endswith(THINK_OPEN)
        self.plain_thinking = _THINK_TAIL.search(plain) is None
        before, after = self._around_answer()
        self.end, self.end_id = self._end_of_turn(after)
        self.lead = self._lead(before)

    def prompt(self, messages: Sequence[Message], *, thinking: bool) -> str:
        """The text after which the model writes.

        `thinking` is handed to the template as `enable_thinking`; templates that do not know it
        ignore it. Without it a thought that the template insists on opening is closed at once,
        here, in the prompt, so that no empty thought is ever supervised. Raises `InputRefused`
        when the template refuses the conversation (its order of roles, say).
        """
        try:
            text = self._render(messages, generation=True, thinking=thinking) + self._header
        except (TemplateError, TypeError, ValueError) as error:
            raise InputRefused(f"the model's chat template refuses the row: {error}") from None
        if not thinking and text.rstrip().endswith(THINK_OPEN):
            text = f"{text.rstrip()}\n\n{THINK_CLOSE}\n\n"
        return text

    def special_tokens(self) -> dict[str, int]:
        """Control tokens and their ids; the unknown token is none unless it also means more."""
        tokenizer = self._tokenizer
        named = {token: i for i, token in _added(tokenizer).items() if token.special}
        tokens = {str(token): i for token, i in named.items()}
        tokens |= dict(zip(tokenizer.all_special_tokens, tokenizer.all_special_ids, strict=True))
        meaning = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token)
        if tokenizer.unk_token not in meaning:
            tokens.pop(tokenizer.unk_token, None)
        return tokens

    def _render(self, messages: Sequence[Message], *, generation: bool, thinking: bool) -> str:
        chat = [_as_dict(message) for message in messages]
        text: str = self._tokenizer.apply_chat_template(
            chat, tokenize=False, add_generation_prompt=generation, enable_thinking=thinking
        )
        return text

    def _probe(self, thinking: bool) -> str:
        question = [Message("user", PROBE_QUESTION)]
        return self._probed(question, generation=True, thinking=thinking)

    def _probed(self, messages: list[Message], *, generation: bool, thinking: bool) -> str:
        try:
            return self._render(messages, generation=generation, thinking=thinking)
        except (TemplateError, TypeError, ValueError) as error:
            raise ModelError(f"The chat template does not render: {error}", "r3 doctor") from None

    def _around_answer(self) -> tuple[str, str]:
        """What the template writes before and after an assistant's answer."""
        turns = [Message("user", PROBE_QUESTION), Message("assistant", PROBE_ANSWER)]
        text = self._probed(turns, generation=False, thinking=True)
        before, found, after = text.rpartition(PROBE_ANSWER)
        if not found:
            raise ModelError("The chat template leaves out what the assistant says", "r3 doctor")
        return before, after

    def _end_of_turn(self, after: str) -> tuple[str, int]:
        """The first control token after the answer, with any text before it."""
        places = [
            (after.index(token), -len(token), token)
            for token in self.special_tokens()
            if token and token in after
        ]
        if not places:
            raise ModelError(
                "The chat template puts no end-of-turn token after an answer, so a model trained "
                f"with it would never stop. It writes {after!r} there; end it with eos_token",
                "r3 doctor",
            )
        start, _, token = min(places)
        return after[: start + len(token)], self.special_tokens()[token]

    def _lead(self, before: str) -> str:
        """What stands between the generation prompt and the answer.

        A template that has no generation prompt (`add_generation_prompt` changes nothing, yet
        answers have a header) gets that header from us, in the prompt. A blank stays a lead.
        """
        plain = _THINK_TAIL.sub("", self._probe(True))
        before = _THINK_TAIL.sub("", before)
        if not before.startswith(plain):
            if plain.startswith(before):
                return ""  # it writes more when asked to generate; that is the prompt then
            raise ModelError(
                "The chat template's generation prompt is not how it begins an assistant's turn: "
                f"{plain[-40:]!r} against {before[-40:]!r}",
                "r3 doctor",
            )
        lead = before[len(plain) :]
        question = [Message("user", PROBE_QUESTION)]
        silent = self._probed(question, generation=False, thinking=True) == self._probe(True)
        if silent and lead.strip():
            self._header = lead
            return ""
        return lead


def _added(tokenizer: Any) -> dict[int, Any]:
    decoder: dict[int, Any] = tokenizer.added_tokens_decoder
    return decoder


def _as_dict(message: Message) -> dict[str, str]:
    """A message as templates expect it; no key for a thought that is not there."""
    if message.reasoning_content is None:
        return {"role": message.role, "content": message.content}
    return {
        "role": message.role,
        "content": message.content,
        "reasoning_content": message.reasoning_content,
    }
