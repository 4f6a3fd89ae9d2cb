"""Chat rows to supervised tokens: the inference boundary, for training and for the node.

    renderer = ChatRenderer(tokenizer, settings.examples, settings.model.max_length)
    renderer.prompt_ids(messages)        # what the model is shown at inference
    renderer.examples(row, key)          # one Example per assistant turn

The prompt of turn k is the template's own rendering of `messages[:k]` with its generation prompt;
the completion is tokenised apart from it and appended, because that is where a model starts to
write. Supervised: the completion and its end-of-turn token, never a token of the prompt. This
module neither reads files nor pads, cuts windows or builds tensors. It is safe to call from
several threads: it holds its own copy of the fast tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenizers import Tokenizer

from regime3.config import Examples
from regime3.errors import InputRefused, ModelError
from regime3.model.profile import Profile
from regime3.model.template import THINK_CLOSE, THINK_OPEN, ChatTemplate
from regime3.records.rows import Example, Message, Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TURNS_MAX = 256
"""Trained turns of one row; more is one row posing as a file, and would burst a window."""


class _Completion(NamedTuple):
    number: int
    """Index of the turn among the row's messages."""
    ids: list[int]
    thinks: bool


class ChatRenderer:
    """Renders and tokenises conversations for one tokenizer and one profile.

    `max_length` is the longest example in tokens. Raises `ModelError` when the tokenizer has no
    usable chat template or is not a fast one.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, examples: Examples, max_length: int
    ) -> None:
        self.template = ChatTemplate(tokenizer)
        self.max_length = max_length
        self.profile = Profile(examples)
        self._system_prompt = examples.system_prompt
        self._fast = own_fast_tokenizer(tokenizer)
        self._end_length = len(self._encode([self.template.end])[0])
        self._control = self._control_ids(examples)

    def prompt_ids(self, messages: Sequence[Message], *, thinking: bool = False) -> list[int]:
        """Token ids of the prompt for the next assistant turn.

        Training uses exactly these as the unsupervised prefix. `thinking` matters in the
        think-tags profile alone. The conversation is not shortened here. Raises `InputRefused`
        when the template refuses it.
        """
        return self._encode([self.prompt_text(messages, thinking=thinking)])[0]

    def completion_ids(self, text: str, *, thinking: bool = False) -> list[int]:
        """Token ids of a completion after such a prompt, as training supervises them.

        `text` is written as the profile writes it; its end of turn is added.
        """
        return self._encode([self._continued(text, thinking) + self.template.end])[0]

    def prompt_text(self, messages: Sequence[Message], *, thinking: bool = False) -> str:
        """The same as text."""
        return self._prompt(self._history(messages), thinking)

    def examples(self, row: Row, key: str) -> list[Example]:
        """One example per assistant turn that has content and fits.

        `key` names the row for everything drawn at random. A turn whose conversation is too long
        loses its oldest whole turns; one that is still too long is left out; a completion is
        never cut. Raises `InputRefused` when no turn is left, or when an answer holds control
        tokens as text.
        """
        completions = self._completions(row, key)
        history = self._history(row.messages)
        shift = len(history) - len(row.messages)
        shortener = _Shortener(history, self.max_length, self._encode)
        starts = [shortener.first_start(item.number + shift, len(item.ids)) for item in completions]
        prompts = self._encode(
            [
                self._prompt(shortener.cut(item.number + shift, start), item.thinks)
                for item, start in zip(completions, starts, strict=True)
            ]
        )
        examples, shortest = [], (0, 0)
        for item, start, prompt in zip(completions, starts, prompts, strict=True):
            fitting = self._fit(item, item.number + shift, start, prompt, shortener)
            if len(fitting) + len(item.ids) <= self.max_length:
                examples.append(Example(fitting + item.ids, len(fitting), item.thinks))
            else:
                lengths = (len(fitting), len(item.ids))
                shortest = min(shortest, lengths, key=sum) if any(shortest) else lengths
        if not examples:
            raise InputRefused(
                f"no turn fits in {self.max_length} tokens: the shortest takes {sum(shortest)}, "
                f"prompt {shortest[0]} and answer {shortest[1]}"
            )
        return examples

    def turns(self, row: Row) -> int:
        """Assistant turns that have something to train, whether they fit or not."""
        return len(self._completions(row, ""))

    def text_of(self, ids: Sequence[int]) -> str:
        """Tokens as text, control tokens included."""
        text: str = self._fast.decode(list(ids), skip_special_tokens=False)
        return text

    def _fit(
        self,
        item: _Completion,
        stop: int,
        start: int,
        prompt: list[int],
        shortener: _Shortener,
    ) -> list[int]:
        """The prompt with as few of its oldest turns dropped as it takes, or its shortest form."""
        while len(prompt) + len(item.ids) > self.max_length:
            later = shortener.next_start(start, stop)
            if later is None:
                break
            start = later
            prompt = self._encode([self._prompt(shortener.cut(stop, start), item.thinks)])[0]
        return prompt

    def _completions(self, row: Row, key: str) -> list[_Completion]:
        """Every trained turn as tokens, content and end of turn in one piece."""
        texts: list[tuple[int, str, bool]] = []
        for number, message in enumerate(row.messages):
            if message.role == "assistant":
                text, thinks = self.profile.completion(message, key, number)
                if text:
                    texts.append((number, self._continued(text, thinks), thinks))
        if len(texts) > TURNS_MAX:
            raise InputRefused(f"{len(texts)} assistant turns in one row, at most {TURNS_MAX}")
        end = self.template.end
        encoded = self._encode([text + end for _, text, _ in texts])
        found = [
            _Completion(number, ids, thinks)
            for (number, _, thinks), ids in zip(texts, encoded, strict=True)
            if len(ids) > self._end_length
        ]
        if not found:
            raise InputRefused("no assistant turn has content to train")
        for item in found:
            self._refuse_control_tokens(item)
        return found

    def _continued(self, text: str, thinks: bool) -> str:
        """The completion as it follows the prompt, which may hold its first characters already."""
        if thinks and not self.profile.emoji and self.template.opens_thought:
            return text.removeprefix(THINK_OPEN + "\n")
        return self.template.lead + text

    def _refuse_control_tokens(self, item: _Completion) -> None:
        """An end of turn in the middle would teach the model to stop there."""
        found = self._control.intersection(item.ids[: -self._end_length])
        if found:
            name = self._fast.id_to_token(min(found))
            raise InputRefused(f"message {item.number} holds the control token {name} as text")

    def _control_ids(self, examples: Examples) -> frozenset[int]:
        """Special tokens, less those that the profile or the template itself has to write."""
        ours = [THINK_OPEN, THINK_CLOSE, examples.think_emoji, examples.stop_emoji]
        allowed = {token for ids in self._encode([*ours, self.template.lead]) for token in ids}
        return frozenset(self.template.special_tokens().values()) - allowed

    def _history(self, messages: Sequence[Message]) -> list[Message]:
        """All messages as later turns see them, with the settings' system prompt where none is."""
        history = [self.profile.history(message) for message in messages]
        if self._system_prompt and (not history or history[0].role != "system"):
            history.insert(0, Message("system", self._system_prompt))
        return history

    def _prompt(self, history: Sequence[Message], thinks: bool) -> str:
        # The emoji profile always asks for the same prompt: the one without think tags in it.
        thinking = self.template.plain_thinking if self.profile.emoji else thinks
        text = self.template.prompt(history, thinking=thinking)
        if thinks and not self.profile.emoji and self.template.opens_thought:
            return text.rstrip() + "\n"
        return text

    def _encode(self, texts: list[str]) -> list[list[int]]:
        found = self._fast.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in found]


class _Shortener:
    """Which oldest turns of one conversation to drop. Indices count its messages.

    A conversation may begin at its start or, after its system messages, at any user turn. For
    long rows the contents are counted once, so that a 1,000-turn row is not rendered 1,000 times
    in full; the exact count of the rendered prompt decides.
    """

    def __init__(self, history: list[Message], max_length: int, encode: Any) -> None:
        self._history, self._max_length = history, max_length
        users = [i for i, message in enumerate(history) if message.role == "user"]
        first = next((i for i, m in enumerate(history) if m.role != "system"), len(history))
        self._head, self._starts = first, sorted({first, *(i for i in users if i > first)})
        # Fewer characters than tokens allowed: hardly over-long, and not worth counting.
        contents = [message.content for message in history]
        if sum(map(len, contents)) <= max_length:
            self._tokens = [0] * (len(history) + 1)
        else:
            self._tokens = [0, *accumulate(map(len, encode(contents)))]

    def first_start(self, stop: int, completion_tokens: int) -> int:
        """The earliest start of `history[:stop]` whose contents alone are not too long."""
        room = self._max_length - completion_tokens - self._tokens[self._head]
        candidates = [start for start in self._starts if start < stop] or [self._head]
        for start in candidates:
            if self._tokens[stop] - self._tokens[start] <= room:
                return start
        return candidates[-1]

    def next_start(self, start: int, stop: int) -> int | None:
        """The user turn after `start`, or None when no other is left before `stop`."""
        return next((later for later in self._starts if start < later < stop), None)

    def cut(self, stop: int, start: int) -> list[Message]:
        """The system messages and the turns from `start` up to `stop`."""
        return [*self._history[: min(self._head, stop)], *self._history[start:stop]]


def own_fast_tokenizer(tokenizer: Any) -> Tokenizer:
    """A copy that nobody else sets to truncate or pad, and that other threads may not borrow."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise ModelError(
            "The tokenizer has no fast form (tokenizer.json). Save it with transformers' "
            "AutoTokenizer and import the model again",
            "r3 doctor",
        )
    own = Tokenizer.from_str(backend.to_str())
    own.no_truncation()
    own.no_padding()
    return own
