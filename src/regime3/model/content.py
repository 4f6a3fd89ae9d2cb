"""Prompts of messages from strangers: what reads as a control token in a content is plain text.

    plain = PlainContent(tokenizer, renderer)
    plain.prompt_ids(messages)      # as renderer.prompt_ids, but no content can forge a turn

A tokenizer finds `<|im_start|>` wherever it stands, in what a user says as in what the template
writes. Here only the template's are found: the tokenizer's copy takes special tokens for text, and
the template's own are handed to it under names that nobody can guess, as tokens that are not
special. Codes, emojis and think tags are no special tokens and work in contents as ever.
A conversation without control tokens in it takes the renderer's way, as in training. Training
itself does not come by here: what it is given is the operator's. Raw prompts do not either.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
from tokenizers import AddedToken

from regime3.model.chat import ChatRenderer, own_fast_tokenizer
from regime3.records.rows import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

NAME_BYTES = 16


class PlainContent:
    """Renders for one tokenizer. From one thread."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, renderer: ChatRenderer) -> None:
        self._renderer = renderer
        special = {token: i for token, i in renderer.template.special_tokens().items() if token}
        longest_first = sorted(special, key=len, reverse=True)
        self._special = re.compile("|".join(map(re.escape, longest_first)))
        self._mark = secrets.token_hex(NAME_BYTES)
        self._stands_in = re.compile(rf"\ue000{self._mark}t(\d+)\ue001")
        self._names = {token: f"\ue000{self._mark}c{i}\ue001" for token, i in special.items()}
        self._fast = own_fast_tokenizer(tokenizer)
        flags = tokenizer.added_tokens_decoder
        self._fast.add_tokens([_named(name, flags[special[t]]) for t, name in self._names.items()])
        self._fast.encode_special_tokens = True
        self._true_ids = {
            self._fast.token_to_id(name): special[token] for token, name in self._names.items()
        }

    def prompt_ids(self, messages: Sequence[Message], *, thinking: bool = False) -> list[int]:
        """Token ids of the prompt for the next assistant turn. Raises `InputRefused`."""
        if not any(self._special.search(text) for text in map(_texts, messages)):
            return self._renderer.prompt_ids(messages, thinking=thinking)
        held: list[str] = []
        hidden = [self._hidden(message, held) for message in messages]
        text = self._renderer.prompt_text(hidden, thinking=thinking)
        text = self._special.sub(lambda found: self._names[found[0]], text)
        text = self._stands_in.sub(lambda found: held[int(found[1])], text)
        ids = self._fast.encode(text, add_special_tokens=False).ids
        return [self._true_ids.get(each, each) for each in ids]

    def _hidden(self, message: Message, held: list[str]) -> Message:
        """The message with stand-ins for its control tokens, which go to `held`."""

        def stand_in(found: re.Match[str]) -> str:
            held.append(found[0])
            return f"\ue000{self._mark}t{len(held) - 1}\ue001"

        thought = message.reasoning_content
        return msgspec.structs.replace(
            message,
            content=self._special.sub(stand_in, message.content),
            reasoning_content=None if thought is None else self._special.sub(stand_in, thought),
        )


def _texts(message: Message) -> str:
    return f"{message.content}\n{message.reasoning_content or ''}"


def _named(name: str, token: AddedToken) -> AddedToken:
    """A token of this name that takes in the blanks around it as the other does."""
    return AddedToken(
        name, lstrip=token.lstrip, rstrip=token.rstrip, normalized=False, special=False
    )
