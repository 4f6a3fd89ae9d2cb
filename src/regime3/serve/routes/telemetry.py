"""Telemetry and power over HTTP: /gpu /system /metrics /health /ready /info /version /logs and
/settings/power_*.

    app.include_router(telemetry_router(telemetry))

The functions are plain, so FastAPI runs them off its event loop. Refusals are raised as
`NodeRefused`, which the app turns into OpenAI's shape.
"""

from __future__ import annotations

import platform
from dataclasses import asdict
from enum import Enum
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict

from regime3 import __version__
from regime3.power.changes import read as read_changes
from regime3.serve.metrics import CONTENT_TYPE
from regime3.serve.refusals import refusals
from regime3.serve.telemetry import LOG_LINES_MAX, LOGS, Telemetry, model_lines
from regime3.status.machine_log import POINTS_MAX

OVER_S_MAX = 366 * 86_400.0
ProfileName = Literal["quiet", "normal", "max"]
Component = Enum("Component", {name: name for name in LOGS}, type=str)  # type: ignore[misc]


class Body(BaseModel):
    """Base: nothing unknown goes in or out."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())


class CardBody(Body):
    """A card now. Null: it does not say."""

    index: int
    name: str
    uuid: str
    simulated: bool
    power_w: float | None
    power_limit_w: float | None
    power_min_w: float | None
    power_max_w: float | None
    power_default_w: float | None
    energy_j: float | None
    temperature_c: float | None
    busy_percent: float | None
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    clock_mhz: float | None
    memory_clock_mhz: float | None
    fan_percent: float | None


class GpuBody(Body):
    """Every card; `reason` says why there is none."""

    cards: list[CardBody] | None
    reason: str | None


class ProcessBody(Body):
    """One process of the node."""

    pid: int
    role: Literal["http", "engine", "other"]
    memory_bytes: int
    threads: int
    cpu_s: float


class SystemBody(Body):
    """The machine."""

    cpu_percent: float | None
    cpu_count: int
    load: list[float]
    memory_used_bytes: int
    memory_total_bytes: int
    swap_used_bytes: int
    disk_free_bytes: int
    disk_total_bytes: int
    network_sent_bytes: int | None
    network_received_bytes: int | None
    uptime_s: float
    node_uptime_s: float
    processes: list[ProcessBody]


class OverBody(Body):
    """The machine over time: of each figure the least, the most and the last of every bucket."""

    time: list[float]
    figures: dict[str, dict[str, list[float | None]]]


class HealthBody(Body):
    """The HTTP process answers."""

    status: Literal["ok"]


class ReadyBody(Body):
    """Models that answer."""

    status: Literal["ready"]
    models: list[str]


class VersionBody(Body):
    """What runs here."""

    version: str
    python: str


class ModelBody(Body):
    """A model that is loaded."""

    name: str
    parameters: int
    context_window: int
    vocabulary: int
    dtype: str
    device: str
    codebook: str | None


class LimitsBody(Body):
    """What a request may ask for."""

    request_mb_max: float
    request_s_max: float
    samples_max: int
    prompts_max: int
    waiting_max: int
    upload_gb_max: float


class InfoBody(Body):
    """The node in short."""

    version: str
    engine: str
    engine_state: str
    engine_restarts: int
    started_at: float
    uptime_s: float
    models: list[ModelBody]
    slots: int
    profile: str
    power_simulated: bool
    limits: LimitsBody


class LogBody(Body):
    """The last lines of a log; null when it has not begun."""

    component: str
    lines: list[str] | None


class ProfileAsked(Body):
    """The profile to set; auto: what hours and settings say."""

    profile: ProfileName | Literal["auto"]


class AppliedBody(Body):
    """What came of setting a card's limit; `mismatch`: it enforces another one."""

    name: str
    uuid: str
    simulated: bool
    asked_w: float
    clamped_w: float
    enforced_w: float
    mismatch: bool


class ProfileBody(Body):
    """The profile that holds. `cards` is what was set; empty when the cards are left alone."""

    profile: Literal["none", "quiet", "normal", "max"]
    by: Literal["hand", "hours", "settings"]
    steps_down: int
    slots: int
    cards: list[AppliedBody]
    reason: str | None


class ScheduleBody(Body):
    """Quiet hours, and what comes next."""

    quiet_hours: str | None
    quiet_now: bool
    profile: Literal["none", "quiet", "normal", "max"]
    by: Literal["hand", "hours", "settings"]
    steps_down: int
    temperature_c_max: float
    next_at: float | None
    next_profile: Literal["none", "quiet", "normal", "max"] | None


class ChangeBody(Body):
    """A line for people, and when."""

    at: float
    text: str


class ChangesBody(Body):
    """What was changed of the power, the newest last."""

    changes: list[ChangeBody]


def telemetry_router(telemetry: Telemetry) -> APIRouter:
    """All routes of this file."""
    router = APIRouter()
    router.include_router(_machine(telemetry), tags=["telemetry"])
    router.include_router(_node(telemetry), tags=["node"])
    router.include_router(_power(telemetry), tags=["power"])
    return router


def _machine(telemetry: Telemetry) -> APIRouter:
    router = APIRouter()

    @router.get("/gpu", responses=refusals())
    def gpu() -> GpuBody:
        """Every card: power, heat, memory, clocks. Null and a reason without one."""
        readings, reason = telemetry.cards()
        cards = [CardBody(**asdict(reading)) for reading in readings]
        return GpuBody(cards=cards or None, reason=reason)

    @router.get("/system", responses=refusals())
    def system() -> SystemBody:
        """Processor, memory, disk, network, and the node's processes."""
        return SystemBody(**telemetry.system())

    @router.get("/system/history", responses=refusals())
    def history(
        seconds: Annotated[
            float, Query(ge=0, le=OVER_S_MAX, description="So far back; 0: all that is kept.")
        ] = 3600.0,
        points: Annotated[int, Query(ge=1, le=POINTS_MAX, description="Buckets, at most.")] = 400,
    ) -> OverBody:
        """This box over time: 10 s for two days, 10 min for a year. Null: not measured."""
        return OverBody(**telemetry.over_time(seconds, points))

    @router.get("/metrics", response_class=PlainTextResponse, responses=refusals())
    def metrics() -> Response:
        """Prometheus' text format."""
        return Response(telemetry.metrics.text(), media_type=CONTENT_TYPE)

    @router.get("/logs/{component}", responses=refusals())
    def logs(
        component: Annotated[Component, Path(description="Which log.")],
        lines: Annotated[
            int, Query(ge=1, le=LOG_LINES_MAX, description="How many, at most.")
        ] = 200,
    ) -> LogBody:
        """The last lines of a log."""
        name = str(component.value)
        return LogBody(component=name, lines=telemetry.log(name, lines))

    return router


def _node(telemetry: Telemetry) -> APIRouter:
    router = APIRouter()

    @router.get("/health", responses=refusals())
    def health() -> HealthBody:
        """This process answers; it says nothing of the engine."""
        return HealthBody(status="ok")

    @router.get("/ready", responses=refusals(503))
    def ready() -> ReadyBody:
        """Whether a request would be answered now; 503 with the reason when not."""
        return ReadyBody(status="ready", models=telemetry.ready())

    @router.get("/version", responses=refusals())
    def version() -> VersionBody:
        """What runs here."""
        return VersionBody(version=__version__, python=platform.python_version())

    @router.get("/info", responses=refusals())
    def info() -> InfoBody:
        """The node in short: engine, models, limits, profile."""
        node, keeper = telemetry.settings.node, telemetry.keeper
        limits = {name: getattr(node, name) for name in LimitsBody.model_fields}
        return InfoBody(
            version=__version__,
            engine=node.engine,
            engine_state=telemetry.engine.state,
            engine_restarts=telemetry.engine.restarts,
            started_at=telemetry.started_at,
            uptime_s=telemetry.uptime_s,
            models=[ModelBody(**line) for line in model_lines(telemetry.engine.cards)],
            slots=keeper.slots,
            profile=keeper.profile,
            power_simulated=any(card.simulated for card in keeper.cards),
            limits=LimitsBody(**limits),
        )

    return router


def _power(telemetry: Telemetry) -> APIRouter:
    router = APIRouter()
    keeper = telemetry.keeper

    def now() -> ProfileBody:
        holds = keeper.schedule()
        return ProfileBody(
            profile=holds["profile"],
            by=holds["by"],
            steps_down=holds["steps_down"],
            slots=keeper.slots,
            cards=[AppliedBody(**applied.as_dict()) for applied in keeper.applied],
            reason=keeper.why_none or keeper.problem,
        )

    @router.get("/settings/power_profile", responses=refusals())
    def power_profile() -> ProfileBody:
        """The profile that holds, and what the cards made of it."""
        return now()

    @router.put("/settings/power_profile", responses=refusals(409))
    @router.post("/settings/power_profile", responses=refusals(409))
    def set_power_profile(asked: ProfileAsked) -> ProfileBody:
        """Set a profile by hand: it holds until the quiet hours next begin or end, or until auto
        is set. 409 without a card, and then the concurrency stays too."""
        if asked.profile == "auto":
            keeper.release()
        else:
            keeper.choose(asked.profile)
        return now()

    @router.get("/settings/power_schedule", responses=refusals())
    def power_schedule() -> ScheduleBody:
        """Quiet hours, and what comes next."""
        return ScheduleBody(**keeper.schedule())

    @router.get("/settings/power_changes", responses=refusals())
    def power_changes() -> ChangesBody:
        """When and how the power changed, also before this node started."""
        found = read_changes(telemetry.lab)
        return ChangesBody(changes=[ChangeBody(at=one.at, text=one.text) for one in found])

    return router
