"""`/models`: list, register, verify, activate, alias, delete. Admin's, all of it.

`POST /models/register {id, source}`, `POST /models/set_active {id}` and `GET /models/info` are what
the reference set-up's scripts call.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from regime3.records.models import ID_PATTERN, Alias, Entry
from regime3.serve.models import Activation, Models
from regime3.serve.refusals import refusals

ModelId = Annotated[
    str, InPath(min_length=1, max_length=96, pattern=ID_PATTERN, description="Id of a model")
]


class Asked(BaseModel):
    """A body of a request: nothing unknown, nothing converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RegisterBody(Asked):
    """A folder inside the models folder becomes a model."""

    id: str = Field(min_length=1, max_length=96, pattern=ID_PATTERN)
    source: str = Field(min_length=1, max_length=1024, description="Inside the models folder")


class SetActiveBody(Asked):
    """The model that is to answer."""

    id: str = Field(min_length=1, max_length=96, pattern=ID_PATTERN)


class ActivateBody(Asked):
    """As what it is to answer."""

    alias: Literal["champion", "challenger"] = "champion"


class OriginShown(BaseModel):
    """The checkpoint that a model was exported from."""

    seal: int
    step: int
    seal_manifest_sha256: str
    name: str


class ModelShown(BaseModel):
    """A registered model."""

    id: str
    source: str
    state: Literal["active", "loading", "leaving", "registered"]
    aliases: list[str]
    registered_at: float
    verified_at: float
    manifest_sha256: str
    size_bytes: int
    parameters: int
    dtype: str
    architecture: str
    vocabulary: int
    context_window: int | None
    origin: OriginShown | None


class ModelsShown(BaseModel):
    """All models, and what the aliases mean."""

    models: list[ModelShown]
    aliases: dict[str, str]


class ResidentShown(BaseModel):
    """A model in memory."""

    id: str
    parameters: int
    dtype: str
    device: str
    context_window: int
    vocabulary: int
    codebook: str | None


class InfoShown(BaseModel):
    """What answers now."""

    active: str | None
    aliases: dict[str, str]
    residents: list[ResidentShown]
    loading: str | None
    swap_s: float | None
    trouble: str | None


class ActivationShown(BaseModel):
    """What an activation did, and where its time went, in seconds."""

    id: str
    alias: str
    replaced: str | None
    verify_s: float
    load_s: float
    warm_s: float
    total_s: float


class AliasesShown(BaseModel):
    """What the aliases mean."""

    aliases: dict[str, str]


def router(models: Models) -> APIRouter:
    """The routes; `NodeRefused` is the app's to answer."""
    routes = APIRouter(prefix="/models", tags=["models"])
    _reading(routes, models)
    _changing(routes, models)
    _aliasing(routes, models)
    return routes


def _reading(routes: APIRouter, models: Models) -> None:
    @routes.get("", response_model=ModelsShown, responses=refusals())
    async def list_models() -> ModelsShown:
        """Every registered model."""
        entries = models.registry.list()
        return ModelsShown(
            models=[_shown(models, entry) for entry in entries], aliases=models.registry.aliases
        )

    @routes.get("/info", response_model=InfoShown, responses=refusals())
    async def info() -> InfoShown:
        """What answers now."""
        cards = models.link.cards
        active = models.registry.aliases.get("champion")
        return InfoShown(
            active=active if active in cards else next(iter(cards), None),
            aliases=models.registry.aliases,
            residents=[
                ResidentShown(
                    id=name,
                    parameters=card.parameters,
                    dtype=card.dtype,
                    device=card.device,
                    context_window=card.context_window,
                    vocabulary=card.vocabulary,
                    codebook=card.codebook,
                )
                for name, card in cards.items()
            ],
            loading=models.loading,
            swap_s=models.swap_s,
            trouble=models.trouble,
        )

    @routes.get("/{id}", response_model=ModelShown, responses=refusals(404))
    async def get_model(id: ModelId) -> ModelShown:
        """One registered model."""
        return _shown(models, models.registry.get(id))


def _changing(routes: APIRouter, models: Models) -> None:
    @routes.post("/register", response_model=ModelShown, responses=refusals(404, 409))
    async def register(body: RegisterBody) -> ModelShown:
        """Verify a folder inside the models folder and register it; again changes nothing."""
        entry = await asyncio.to_thread(models.registry.register, body.id, body.source)
        return _shown(models, entry)

    @routes.post("/set_active", response_model=ActivationShown, responses=refusals(404, 409, 503))
    async def set_active(body: SetActiveBody) -> ActivationShown:
        """Make a model the champion: loaded beside the old one, which then drains."""
        return _told(await models.activate(body.id))

    @routes.post("/{id}/verify", response_model=ModelShown, responses=refusals(404, 409))
    async def verify(id: ModelId) -> ModelShown:
        """Hash every file again and compare with what was registered."""
        return _shown(models, await asyncio.to_thread(models.registry.verify, id))

    @routes.post(
        "/{id}/activate", response_model=ActivationShown, responses=refusals(404, 409, 503)
    )
    async def activate(id: ModelId, body: ActivateBody | None = None) -> ActivationShown:
        """Load a model beside the others and let it answer."""
        return _told(await models.activate(id, body.alias if body is not None else "champion"))

    @routes.delete("/{id}", response_model=ModelShown, responses=refusals(404, 409))
    async def delete(id: ModelId) -> ModelShown:
        """Delete a model that no alias, no memory and no job needs; what it was is returned."""
        return _shown(models, await models.delete(id))


def _aliasing(routes: APIRouter, models: Models) -> None:
    @routes.put("/aliases/{alias}", response_model=AliasesShown, responses=refusals(404, 409, 503))
    async def set_alias(alias: Alias, body: SetActiveBody) -> AliasesShown:
        """Point an alias at a model; a champion or challenger is loaded first."""
        return AliasesShown(aliases=await models.set_alias(alias, body.id))

    @routes.delete("/aliases/{alias}", response_model=AliasesShown, responses=refusals(404, 409))
    async def drop_alias(alias: Alias) -> AliasesShown:
        """Forget challenger or previous; the memory of a challenger is freed."""
        return AliasesShown(aliases=await models.drop_alias(alias))


def _shown(models: Models, entry: Entry) -> ModelShown:
    origin = entry.origin
    aliases = models.registry.aliases
    return ModelShown(
        id=entry.id,
        source=entry.source,
        state=models.state_of(entry.id),
        aliases=sorted(name for name, target in aliases.items() if target == entry.id),
        registered_at=entry.registered_at,
        verified_at=entry.verified_at,
        manifest_sha256=entry.manifest_sha256,
        size_bytes=entry.size_bytes,
        parameters=entry.parameters,
        dtype=entry.dtype,
        architecture=entry.architecture,
        vocabulary=entry.vocabulary,
        context_window=entry.context_window,
        origin=None
        if origin is None
        else OriginShown(
            seal=origin.seal,
            step=origin.step,
            seal_manifest_sha256=origin.seal_manifest_sha256,
            name=origin.name,
        ),
    )


def _told(done: Activation) -> ActivationShown:
    return ActivationShown(
        id=done.id,
        alias=done.alias,
        replaced=done.replaced,
        verify_s=done.verify_s,
        load_s=done.load_s,
        warm_s=done.warm_s,
        total_s=done.total_s,
    )
