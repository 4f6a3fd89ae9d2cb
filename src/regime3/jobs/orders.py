"""What may be asked for: bodies of the routes that make jobs, each field bounded and documented.

An unknown field is refused. What cannot be seen from the order alone (whether a model or a data
set exists) is for `Jobs.create`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from regime3.jobs.record import Kind

PRIORITY_MAX = 100
PRIORITY = 50
ROWS_MAX = 1000
"""Rows in an order; more come as a data set."""
EXAMPLES_MAX = 20_000
PROBLEMS_MAX = 100_000
ATTEMPTS_MAX = 64
TOKENS_MAX = 32_768
TEXT_MAX = 1 << 20
MESSAGES_MAX = 256
INDEX_MAX = (1 << 53) - 1
SEED_MAX = (1 << 53) - 1

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=TEXT_MAX)]
Regime = Literal[1, 2, 3]
Level = Annotated[int, Field(ge=1, le=10)]
Temperature = Annotated[float, Field(ge=0.0, le=2.0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, le=SEED_MAX)]
Priority = Annotated[
    int, Field(ge=0, le=PRIORITY_MAX, description="Higher is first; equals by age.")
]
DatasetRef = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=200, pattern=r"^[a-z0-9][a-z0-9_.-]*(:[a-z0-9,-]+){0,3}$"
    ),
    Field(
        description="A JSONL file's name in node/datasets, without its ending, or "
        "tasks:FAMILY[:LEVELS][:SPLIT] for our own problems: a family, several with commas, or "
        "all; levels as 3, 1-4 or 1,3; split heldout or train.",
        examples=["tasks:arithmetic:1-3:heldout"],
    ),
]


class Metric(StrEnum):
    """What an evaluation measures."""

    EXACT_MATCH = "exact_match"
    CROSS_ENTROPY = "cross_entropy"
    CALIBRATION = "calibration"
    STEPS = "steps"


class Strict(BaseModel):
    """Base: no unknown fields, and no text where a number is meant."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


def exactly_one(**kinds: str) -> ConfigDict:
    """The same rule for readers of the schema: of these fields, one is there and not null."""
    rules: list[Any] = [
        {"required": [name], "properties": {name: {"type": kind}}} for name, kind in kinds.items()
    ]
    return ConfigDict(json_schema_extra={"oneOf": rules})


ONCE: dict[str, Any] = {"uniqueItems": True}


class ChatMessage(Strict):
    """One turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: Text
    reasoning_content: Text | None = None


class ChatRow(Strict):
    """A conversation whose last turn is the reference answer, and what is known of it."""

    messages: Annotated[list[ChatMessage], Field(min_length=2, max_length=MESSAGES_MAX)]
    problem: Text | None = None
    family: Name | None = None
    task: Name | None = None
    level: Annotated[int, Field(ge=0, le=1000)] | None = None
    regime: Regime | None = None
    source_regime: Regime | None = None
    split: Name | None = None
    index: Annotated[int, Field(ge=0, le=INDEX_MAX)] | None = None
    codebook: Name | None = None

    def as_row(self) -> dict[str, Any]:
        """As a line of a data set would be."""
        return self.model_dump(exclude_none=True)


class Order(Strict):
    """Base of orders."""

    priority: Priority = PRIORITY

    @property
    def kind(self) -> Kind:
        """Of the job."""
        raise NotImplementedError

    @property
    def models(self) -> list[str]:
        """Names of the models that it needs."""
        return []


class OnSet(Order):
    """An order about examples: exactly one of `dataset_ref` and `rows`."""

    model_config = exactly_one(dataset_ref="string", rows="array")

    dataset_ref: DatasetRef | None = None
    rows: Annotated[list[ChatRow], Field(min_length=1, max_length=ROWS_MAX)] | None = None
    regimes: Annotated[list[Regime], Field(min_length=1, max_length=3, json_schema_extra=ONCE)] = (
        Field(
            default_factory=lambda: [3],
            description="Of tasks: problems, each is asked in every one. Rows say theirs.",
            validate_default=True,
        )
    )
    max_examples: Annotated[int, Field(ge=1, le=EXAMPLES_MAX)] = Field(
        100, description="Problems or rows at most; problems are spread over families and levels."
    )
    start: Annotated[int, Field(ge=0, le=INDEX_MAX)] = Field(
        0, description="Of tasks: problems, the first index; fresh problems have another."
    )

    @model_validator(mode="after")
    def _one_source(self) -> OnSet:
        if (self.dataset_ref is None) == (self.rows is None):
            raise ValueError("exactly one of dataset_ref and rows is needed")
        if len(set(self.regimes)) != len(self.regimes):
            raise ValueError("a regime is named twice")
        return self


class Drawn(Strict):
    """How answers are drawn."""

    temperature: Temperature = Field(0.0, description="0 is greedy.")
    top_p: Share = 1.0
    seed: Seed = Field(0, description="Keys every request's own seed, with the problem.")
    max_tokens: Annotated[int, Field(ge=1, le=TOKENS_MAX)] | None = Field(
        None, description="Of one answer. Default: from the reference's length."
    )
    constrained: bool = Field(
        False, description="Write regimes 2 and 3 under their grammar; needs a problem."
    )


class EvalOrder(OnSet, Drawn):
    """An evaluation of one model on a set."""

    model: Name
    metrics: Annotated[list[Metric], Field(min_length=1, max_length=4)] = Field(
        default_factory=lambda: list(Metric)
    )

    @property
    def kind(self) -> Kind:
        return Kind.EVAL

    @property
    def models(self) -> list[str]:
        return [self.model]


class CompareOrder(OnSet, Drawn):
    """Two models on the same set, answer by answer."""

    first: Name
    second: Name
    by: Literal["solved", "right"] = Field(
        "solved", description="solved: every step is accepted; right: the answer is, at least."
    )

    @property
    def kind(self) -> Kind:
        return Kind.COMPARE

    @property
    def models(self) -> list[str]:
        return [self.first, self.second]


class DataGenOrder(Order, Drawn):
    """Attempts of a model at training problems, each judged by the checker."""

    model: Name
    family: Annotated[str, StringConstraints(pattern=r"^[a-z]{1,32}$")]
    levels: Annotated[list[Level], Field(min_length=1, max_length=10, json_schema_extra=ONCE)]
    problems: Annotated[int, Field(ge=1, le=PROBLEMS_MAX)] = Field(
        100, description="Of all levels together; levels take turns."
    )
    start: Annotated[int, Field(ge=0, le=INDEX_MAX)] = Field(
        0, description="The first index in each level's training split."
    )
    attempts: Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)] = 4
    temperature: Temperature = 0.8
    regime: Regime = 3
    keep: Literal["all", "verified"] = Field(
        "all", description="verified: only attempts whose every step is accepted are in the shards."
    )
    distinct: bool = Field(
        False, description="Of one problem's verified attempts with one canonical body, the first."
    )

    @model_validator(mode="after")
    def _levels_once(self) -> DataGenOrder:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError("a level is named twice")
        return self

    @property
    def kind(self) -> Kind:
        return Kind.DATA_GEN

    @property
    def models(self) -> list[str]:
        return [self.model]


class GenerateOrder(Order):
    """One prompt, as a job. Exactly one of `messages` and `prompt`."""

    model_config = exactly_one(messages="array", prompt="string")

    model: Name
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MESSAGES_MAX)] | None = (
        None
    )
    prompt: Annotated[str, StringConstraints(min_length=1, max_length=TEXT_MAX)] | None = None
    n: Annotated[int, Field(ge=1, le=ATTEMPTS_MAX)] = 1
    max_tokens: Annotated[int, Field(ge=1, le=TOKENS_MAX)] = 256
    temperature: Temperature = 1.0
    top_p: Share = 1.0
    top_k: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    seed: Seed | None = None
    stop: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=256)]],
        Field(max_length=4),
    ] = Field(default_factory=list)

    @model_validator(mode="after")
    def _one_prompt(self) -> GenerateOrder:
        if (self.messages is None) == (self.prompt is None):
            raise ValueError("exactly one of messages and prompt is needed")
        return self

    @property
    def kind(self) -> Kind:
        return Kind.GENERATE

    @property
    def models(self) -> list[str]:
        return [self.model]


class FilterOrder(Order):
    """Rows to be kept or refused: by the checker, by how a model finds them, or by both."""

    model_config = exactly_one(dataset_ref="string", rows="array")

    dataset_ref: DatasetRef | None = None
    rows: Annotated[list[ChatRow], Field(min_length=1, max_length=ROWS_MAX)] | None = None
    max_examples: Annotated[int, Field(ge=1, le=EXAMPLES_MAX)] = EXAMPLES_MAX
    checker: bool = Field(True, description="Keep only what the checker accepts; needs a problem.")
    model: Name | None = Field(None, description="Whose cross-entropy is taken.")
    cross_entropy_min: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] | None = None
    cross_entropy_max: Annotated[float, Field(ge=0.0, le=1e6, allow_inf_nan=False)] | None = Field(
        None, description="Nats a token of the reference answer."
    )

    @model_validator(mode="after")
    def _one_judge(self) -> FilterOrder:
        if (self.dataset_ref is None) == (self.rows is None):
            raise ValueError("exactly one of dataset_ref and rows is needed")
        bounded = self.cross_entropy_min is not None or self.cross_entropy_max is not None
        if bounded != (self.model is not None):
            raise ValueError("model goes with cross_entropy_min or cross_entropy_max")
        if not self.checker and not bounded:
            raise ValueError("nothing would be filtered: checker is off and no model is named")
        return self

    @property
    def kind(self) -> Kind:
        return Kind.FILTER

    @property
    def models(self) -> list[str]:
        return [] if self.model is None else [self.model]


ORDERS: dict[Kind, type[Order]] = {
    Kind.EVAL: EvalOrder,
    Kind.DATA_GEN: DataGenOrder,
    Kind.GENERATE: GenerateOrder,
    Kind.COMPARE: CompareOrder,
    Kind.FILTER: FilterOrder,
}
"""How a stored order is read back."""
