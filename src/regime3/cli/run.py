"""Starting, stopping and resting: `r3 up demo trainer web pause resume stop`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from regime3 import control, disk
from regime3.cli.output import (
    Json,
    LabOption,
    SetOption,
    console,
    errors,
    find_lab,
    flags_of,
    settings_of,
    show,
)
from regime3.config import Settings
from regime3.errors import Unavailable
from regime3.paths import Lab

STOP_POLL_S = 0.2
STOP_WAIT_S_MAX = 300.0


def trainer(lab: LabOption = None, set_: SetOption = None) -> None:
    """Watch the inbox and train until stopped. Ctrl-C seals a checkpoint first."""
    from regime3.cli.progress import TrainerLines
    from regime3.daemon import Supervisor

    where = find_lab(lab)
    settings = settings_of(where, set_)
    with TrainerLines(where) as lines:
        supervisor = Supervisor(where, settings, flags=flags_of(set_), say_line=lines.say)
        code = supervisor.run(lines.every_round)
    raise typer.Exit(code)


def web(lab: LabOption = None, set_: SetOption = None) -> None:
    """Serve the live page of a lab until stopped."""
    from regime3.web import serve

    where = find_lab(lab)
    serve(where, settings_of(where, set_))


def node(lab: LabOption = None, set_: SetOption = None) -> None:
    """Serve models over HTTP: inference, evaluation, generation, telemetry, power. Until stopped.

    OpenAI clients work against http://127.0.0.1:8765/v1; /docs has every route.
    """
    from regime3.serve.server import serve

    where = find_lab(lab)
    serve(where, settings_of(where, set_), console.print)


def loop(lab: LabOption = None, set_: SetOption = None) -> None:
    """Let the lab improve itself: judge each checkpoint, make rows when the queue runs low.

    It works with a trainer of this lab and with a node, this lab's own or that of loop.node.
    """
    from regime3.loop import run

    where = find_lab(lab)
    raise typer.Exit(run(where, settings_of(where, set_), console.print))


def notify(
    lab: LabOption = None,
    test: Annotated[bool, typer.Option("--test", help="Send one note now, and end.")] = False,
    set_: SetOption = None,
    json: Json = False,
) -> None:
    """Tell of alerts, deaths and verdicts by webhook or ntfy, as [notify] says. Until stopped.

    `r3 up` runs it where an address is set; beside a trainer of its own it can run anywhere that
    reads the lab.
    """
    from regime3 import notify as room

    where = find_lab(lab)
    settings = settings_of(where, set_)
    if test:
        sent = room.test(where, settings)
        show({"sent_to": sent}, json, lambda: console.print(f"sent to {' and '.join(sent)}"))
        return
    raise typer.Exit(room.run(where, settings, console.print))


def up(
    lab: LabOption = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="A nano lab that makes its own problems, in ./demo-lab.")
    ] = False,
    set_: SetOption = None,
) -> None:
    """Everything on this machine: trainer, node, loop and live page, until Ctrl-C.

    With loop.node set, the node is another machine's and none is started here.
    """
    from regime3.demo import founded
    from regime3.roles import run_roles

    where = founded(lab or Path("demo-lab"), errors.print) if demo else find_lab(lab)
    settings = settings_of(where, set_)  # refuse before anything starts
    raise typer.Exit(run_roles(where, settings, flags_of(set_), errors.print))


def demo(
    lab: LabOption = None,
    rows: Annotated[int, typer.Option(help="Practice problems to train on.")] = 6_000,
    json: Json = False,
) -> None:
    """Make a nano lab, train it on its own problems to the end, and say where to look."""
    from regime3.demo import run

    result = run(lab or Path("demo-lab"), rows, errors.print)
    show(result.as_dict(), json, lambda: console.print(result.as_text(), soft_wrap=True))


def pause(
    lab: LabOption = None,
    reason: Annotated[str, typer.Option(help="Shown to whoever looks.")] = "asked by the user",
    json: Json = False,
) -> None:
    """Rest after the current window. It holds across restarts until `r3 resume`."""
    where = find_lab(lab)
    from regime3.acting import Act, act

    # No settings are needed, so that a broken file keeps nobody from pausing.
    done = act(where, Settings(), Act("pause", reason=reason))
    show({"paused": reason}, json, lambda: console.print(done.text))


def resume(lab: LabOption = None, json: Json = False) -> None:
    """Go on training after a pause."""
    from regime3.acting import Act, act

    where = find_lab(lab)
    done = act(where, Settings(), Act("resume"))
    show({"was_paused": done.done}, json, lambda: console.print(done.text))


def stop(
    lab: LabOption = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it has left.")] = True,
    json: Json = False,
) -> None:
    """Seal a checkpoint and end the trainer of this lab."""
    where = find_lab(lab)
    running = _running(where)
    if running:
        control.ask(where, control.Request("stop", time.time()))
        deadline = time.monotonic() + STOP_WAIT_S_MAX
        while wait and _running(where):
            if time.monotonic() > deadline:
                raise Unavailable("the trainer has not left yet; it may be sealing", "r3 status")
            time.sleep(STOP_POLL_S)
    show(
        {"was_running": running},
        json,
        lambda: console.print("stopped" if running else "no trainer is running"),
    )


def _running(lab: Lab) -> bool:
    return disk.is_locked(lab.supervisor_lock)
