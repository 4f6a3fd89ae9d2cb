"""All verbs of `r3`, grouped as people use them."""

from __future__ import annotations

import typer

from regime3.cli import bench, checkpoints, data, doctor, lab, look, queue, run

app = typer.Typer(
    name="r3",
    help="regime3: a self-hosted lab for a small language model that teaches itself to reason.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)

for verb, panel in ((run.demo, "Start"), (lab.init, "Start"), (run.up, "Start")):
    app.command(rich_help_panel=panel)(verb)
for verb in (run.trainer, run.web):
    app.command(rich_help_panel="Roles")(verb)
app.command(rich_help_panel="Data")(queue.add)
app.add_typer(queue.app, name="queue", rich_help_panel="Data")
app.add_typer(data.app, name="data", rich_help_panel="Data")
for verb in (look.status, look.top, run.pause, run.resume, queue.skip, run.stop):
    app.command(rich_help_panel="Daily")(verb)
app.add_typer(checkpoints.app, name="checkpoints", rich_help_panel="Model")
app.command(rich_help_panel="Model")(checkpoints.rollback)
for verb in (lab.config_command, doctor.doctor, bench.bench):
    name = "config" if verb is lab.config_command else None
    app.command(name=name, rich_help_panel="Workshop")(verb)
