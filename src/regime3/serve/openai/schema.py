"""What OpenAI clients may send, typed and bounded; our own fields stand at the end of each.

An unknown field is refused by name, as OpenAI does: a setting that is silently ignored is a lie.
Fields that change nothing here (`user`, `store`, `metadata`) are taken; tools, JSON modes and
audio are not spoken and so are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

from regime3.records.models import DEFAULT

TEXT_MAX = 4 << 20
"""Characters of one text."""
MESSAGES_MAX = 4096
STOPS_MAX, STOP_CHARACTERS_MAX = 16, 256
TOKENS_MAX = 1 << 20
TOP_MAX = 20
"""Alternatives of a token that are told."""
BIASES_MAX = 1024

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
TokenId = Annotated[StrictInt, Field(ge=0, lt=1 << 31)]
ModelName = Annotated[StrictStr, Field(max_length=256, description="A model's id or alias.")]
Stop = Annotated[StrictStr, Field(min_length=1, max_length=STOP_CHARACTERS_MAX)]
Ids = Annotated[list[TokenId], Field(max_length=TOKENS_MAX)]
LongText = Annotated[StrictStr, Field(max_length=TEXT_MAX)]


class Closed(BaseModel):
    """A body that holds nothing unknown."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class StreamOptions(Closed):
    """What a stream tells besides."""

    include_usage: StrictBool = False
    include_obfuscation: StrictBool = False


class Drawn(Closed):
    """What both kinds of completion share."""

    model: ModelName = DEFAULT
    n: Annotated[StrictInt, Field(ge=1, le=4096)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=STOPS_MAX)] | None = None
    seed: Annotated[StrictInt, Field(ge=-(1 << 63), lt=1 << 63)] | None = None
    temperature: Annotated[Number, Field(ge=0, le=2)] | None = None
    top_p: Annotated[Number, Field(gt=0, le=1)] | None = None
    presence_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[Number, Field(ge=-2, le=2)] | None = None
    logit_bias: (
        Annotated[
            dict[
                Annotated[str, Field(pattern=r"^[0-9]{1,10}$")],
                Annotated[Number, Field(ge=-100, le=100)],
            ],
            Field(max_length=BIASES_MAX),
        ]
        | None
    ) = None
    stream: StrictBool | None = None
    stream_options: StreamOptions | None = None
    user: Annotated[StrictStr, Field(max_length=TEXT_MAX)] | None = None
    top_k: Annotated[StrictInt, Field(ge=0, le=1 << 20)] = 0
    """Ours: draw from so many tokens; 0: from all."""
    marker_penalty: Annotated[Number, Field(ge=0, le=100)] = 0.0
    """Ours: nats taken from a second run of think or stop emojis."""
    ignore_eos: StrictBool = False
    """As in vLLM: write on past the end of turn, to max_tokens. A grammar's end still ends."""

    def stops(self) -> list[str]:
        """The stop texts as a list."""
        return [self.stop] if isinstance(self.stop, str) else self.stop or []


class TextPart(Closed):
    """A piece of a message's content."""

    type: Literal["text"]
    text: LongText


class ChatMessage(Closed):
    """One message. An assistant's thought may stand in `reasoning_content`."""

    role: Literal["system", "developer", "user", "assistant"]
    content: LongText | Annotated[list[TextPart], Field(max_length=MESSAGES_MAX)] | None = None
    reasoning_content: LongText | None = None
    name: Annotated[StrictStr, Field(max_length=256)] | None = None
    refusal: None = None

    def plain(self) -> dict[str, Any]:
        """As the engine takes it."""
        content = self.content
        if isinstance(content, list):
            content = "".join(part.text for part in content)
        role = "system" if self.role == "developer" else self.role
        found: dict[str, Any] = {"role": role, "content": content or ""}
        if self.reasoning_content:
            found["reasoning_content"] = self.reasoning_content
        return found


class ChatRequest(Drawn):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)]
    max_tokens: Annotated[StrictInt, Field(ge=1, le=TOKENS_MAX)] | None = None
    max_completion_tokens: Annotated[StrictInt, Field(ge=1, le=TOKENS_MAX)] | None = None
    logprobs: StrictBool | None = None
    top_logprobs: Annotated[StrictInt, Field(ge=0, le=TOP_MAX)] | None = None
    store: StrictBool | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    response_format: dict[Literal["type"], Literal["text"]] | None = None
    regime: Literal[1, 2, 3] | None = None
    """Ours: 1 English, 2 S-expressions, 3 codes; 2 and 3 are held to the grammar."""
    problem: Annotated[StrictStr, Field(max_length=1 << 16)] | None = None
    """Ours: the problem as an S-expression; regimes 2 and 3 need it, a verdict too."""
    think_tokens_max: Annotated[StrictInt, Field(ge=0, le=TOKENS_MAX)] | None = None
    """Ours: a longer thought is closed."""


class CompletionRequest(Drawn):
    """The body of `/v1/completions`: one prompt or many, as text or as token ids."""

    prompt: (
        LongText
        | Annotated[list[LongText], Field(min_length=1, max_length=4096)]
        | Annotated[list[TokenId], Field(min_length=1, max_length=TOKENS_MAX)]
        | Annotated[list[Ids], Field(min_length=1, max_length=4096)]
    )
    max_tokens: Annotated[StrictInt, Field(ge=0, le=TOKENS_MAX)] | None = 16
    logprobs: Annotated[StrictInt, Field(ge=0, le=TOP_MAX)] | None = None
    echo: StrictBool | None = None
    best_of: Annotated[StrictInt, Field(ge=1, le=4096)] | None = None
    suffix: None = None


class TokenizeRequest(Closed):
    """The body of `/tokenize`: a text, or messages to be rendered."""

    model: ModelName = DEFAULT
    prompt: LongText | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)] | None = (
        None
    )
    add_special_tokens: StrictBool = False
    return_token_strs: StrictBool = False


class DetokenizeRequest(Closed):
    """The body of `/detokenize`."""

    model: ModelName = DEFAULT
    tokens: Ids
