"""`r3 node`: bind, start the engine, load the champion, answer until stopped.

The order of the node's world, top to bottom: nothing is open before the exposure is checked, the
address is left in the lab while it answers, and on the way out streams end before the engine does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp

from regime3 import disk, listening
from regime3.clock import SystemClock
from regime3.config import Settings
from regime3.errors import DiskFull
from regime3.jobs.office import Jobs
from regime3.paths import Lab
from regime3.power import Keeper
from regime3.power.opening import open_cards
from regime3.records.launch import engine_arguments
from regime3.registry import Registry
from regime3.serve.app import create_app
from regime3.serve.audit import Audit
from regime3.serve.binding import Binding
from regime3.serve.connections import Connection
from regime3.serve.guard import Guard
from regime3.serve.link import EngineLink, spawn_engine
from regime3.serve.measured import Measured
from regime3.serve.metrics import Metrics
from regime3.serve.models import Models
from regime3.serve.node import Node
from regime3.serve.retention import Retention
from regime3.serve.routes import jobs as jobs_routes
from regime3.serve.routes import models as models_routes
from regime3.serve.routes import uploads as uploads_routes
from regime3.serve.routes.telemetry import telemetry_router
from regime3.serve.routes.uploads import uploads_of
from regime3.serve.telemetry import Telemetry
from regime3.tokens import TokenFile, check_exposure

CONNECTIONS_MAX = 1024
SHUTDOWN_S_MAX = 5
KEEP_ALIVE_S = 75
TICK_S = 5.0


def serve(lab: Lab, settings: Settings, tell: Callable[[str], None] = print) -> None:
    """Answer until SIGTERM or SIGINT. Raises SettingsError, LabLocked or Unavailable before."""
    for folder in (lab.node_models, lab.node_uploads, lab.node_datasets, lab.logs):
        disk.make_folder(folder)
    tokens = TokenFile(lab)
    check_exposure(settings.node, tokens)
    with disk.Lock(lab.node_lock, "the node", f"pid {os.getpid()}"), bind(settings) as listener:
        asyncio.run(_serve(lab, settings, tokens, listener, tell))


async def _serve(
    lab: Lab,
    settings: Settings,
    tokens: TokenFile,
    listener: socket.socket,
    tell: Callable[[str], None],
) -> None:
    """The engine first, then the door, then the champion: health answers while it loads."""
    clock = SystemClock()
    link = EngineLink(spawn_engine(engine_arguments(settings)), settings.node.restarts_max)
    registry = Registry(lab, clock)
    models = Models(lab, settings, registry, link)
    node = Node(lab, settings, link, models)
    jobs = await Jobs.open(lab, settings, link, Binding(models), books=node.book_named)
    uploads = uploads_of(lab, settings, registry, clock)
    await asyncio.to_thread(uploads.recover)
    keeper = keeper_of(lab, settings, link, tell)
    metrics = Metrics()
    link.on_first_token, link.on_token = metrics.first_token, metrics.inter_token
    models.on_swap, models.in_use = metrics.swapped, jobs.models_in_use
    jobs.watch(metrics.job_progress)
    telemetry = Telemetry(lab, settings, keeper, link, metrics, clock)
    telemetry.why_not = models.why_not
    routers = [
        telemetry_router(telemetry),
        # Uploads first: their path would read as a model's id.
        uploads_routes.router(uploads),
        models_routes.router(models),
        jobs_routes.router(jobs),
    ]
    app = Measured(create_app(node, routers), metrics)
    guarded = Guard(app, settings.node, tokens, audit=Audit(lab))
    await link.start()
    await asyncio.to_thread(keeper.start)
    retention = Retention(settings.node, models, jobs, tell)
    tasks = [
        asyncio.create_task(_begin(models, jobs, retention)),
        asyncio.create_task(_tick(keeper, telemetry, tell)),
    ]
    try:
        with announced(lab, settings, listener, tell):
            await until_stopped(http_server(guarded), listener)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await jobs.close()
        await models.stop()
        await link.stop()
        await asyncio.to_thread(keeper.stop)


def keeper_of(
    lab: Lab, settings: Settings, link: EngineLink, tell: Callable[[str], None]
) -> Keeper:
    """The power of this machine's cards; a profile's concurrency is the engine's."""
    loop = asyncio.get_running_loop()

    def busy() -> float:
        pulse = link.pulse
        return 0.0 if pulse is None or not pulse.slots else min(1.0, pulse.running / pulse.slots)

    def on_slots(slots: int) -> None:
        # The keeper works in a thread.
        asyncio.run_coroutine_threadsafe(link.limit(slots), loop)

    cards, why_none = open_cards(lab, settings.power, SystemClock(), busy)
    return Keeper(
        lab,
        settings.power,
        cards,
        SystemClock(),
        why_none=why_none,
        slots=settings.node.slots,
        on_slots=on_slots,
        tell=tell,
    )


async def _tick(keeper: Keeper, telemetry: Telemetry, tell: Callable[[str], None]) -> None:
    """Let the keeper look at the clock and the temperature, and keep a reading of this box."""
    trouble = ""
    while True:
        await asyncio.sleep(TICK_S)
        await asyncio.to_thread(keeper.tick)
        try:
            await asyncio.to_thread(telemetry.note)
            trouble = ""
        except (OSError, DiskFull) as error:  # a full disk costs a reading, not the node
            if str(error) != trouble:
                tell(f"no reading of this box is kept: {error}")
            trouble = str(error)


async def _begin(models: Models, jobs: Jobs, retention: Retention) -> None:
    """Jobs go on once their models are back; then what is old may go."""
    await models.start()
    await jobs.start()
    await retention.run()


def bind(settings: Settings) -> socket.socket:
    """The node's listening socket. Raises Unavailable."""
    node = settings.node
    return listening.bind(
        node.host, node.port, "the node", f"r3 node --set node.port={node.port + 10}"
    )


def http_server(app: ASGIApp) -> uvicorn.Server:
    """A server of the app, not yet running."""
    config = uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        limit_concurrency=CONNECTIONS_MAX,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_S_MAX,
    )
    server = uvicorn.Server(config)
    # Signals are ours: the engine and the jobs have to be ended in order.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    return server


async def until_stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, setattr, server, "should_exit", True)
    await server.serve(sockets=[listener])


@contextlib.contextmanager
def announced(
    lab: Lab, settings: Settings, listener: socket.socket, tell: Callable[[str], None]
) -> Iterator[str]:
    """The address stands in the lab while the node answers."""
    url = listening.address_of(listener, settings.node.host)
    disk.make_folder(lab.node)
    disk.write_json(lab.node_address_file, {"url": url, "pid": os.getpid()}, durable=False)
    tell(f"node: {url} (OpenAI clients: {url}v1, documentation: {url}docs)")
    try:
        yield url
    finally:
        with contextlib.suppress(OSError):
            disk.remove(lab.node_address_file)
