"""All verbs of `r3`, grouped as people use them."""

from __future__ import annotations

from collections.abc import Callable

import typer

from regime3.cli import (
    bench,
    chat,
    checkpoints,
    codebook,
    data,
    doctor,
    history,
    jobs,
    lab,
    language,
    look,
    power,
    push,
    queue,
    run,
    tasks,
    token,
)

app = typer.Typer(
    name="r3",
    help="regime3: a self-hosted lab for a small language model that teaches itself to reason.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)


def _verb(panel: str, verb: Callable[..., None], name: str | None = None) -> None:
    app.command(name=name, rich_help_panel=panel)(verb)


_verb("Start", run.demo)
_verb("Start", lab.init)
_verb("Start", run.up)
_verb("Roles", run.trainer)
_verb("Roles", run.node)
_verb("Roles", run.loop)
_verb("Roles", run.web)
_verb("Roles", run.notify)
_verb("Data", queue.add)
app.add_typer(queue.app, name="queue", rich_help_panel="Data")
app.add_typer(data.app, name="data", rich_help_panel="Data")
_verb("Daily", look.status)
_verb("Daily", look.top)
_verb("Daily", run.pause)
_verb("Daily", run.resume)
_verb("Daily", queue.skip)
_verb("Daily", run.stop)
app.add_typer(checkpoints.app, name="checkpoints", rich_help_panel="Model")
_verb("Model", checkpoints.promote)
_verb("Model", checkpoints.rollback)
_verb("Model", history.report)
_verb("Model", history.export)
_verb("Model", history.evolution)
_verb("Model", history.lineage)
_verb("Model", chat.chat)
_verb("Model", push.push)
_verb("Model", jobs.evaluate, "eval")
_verb("Model", jobs.generate)
app.add_typer(power.app, name="power", rich_help_panel="Node")
app.add_typer(token.app, name="token", rich_help_panel="Node")
_verb("Language", language.canon)
_verb("Language", language.check)
_verb("Language", language.encode)
_verb("Language", language.decode)
app.add_typer(tasks.app, name="tasks", rich_help_panel="Language")
app.add_typer(codebook.app, name="codebook", rich_help_panel="Language")
_verb("Workshop", lab.config_command, "config")
_verb("Workshop", doctor.doctor)
_verb("Workshop", bench.bench)
