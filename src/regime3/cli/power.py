"""`r3 power`: show, set and calibrate the card's power limit.

With a node running, it is asked; with none, the card is set directly and stays so.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from regime3.cli.node_calls import TokenOption, call, node_url
from regime3.cli.output import (
    Json,
    LabOption,
    SetOption,
    console,
    errors,
    find_lab,
    settings_of,
    show,
    table,
)
from regime3.clock import SystemClock
from regime3.errors import NodeRefused, Unavailable
from regime3.paths import Lab

if TYPE_CHECKING:
    from regime3.config import Power
    from regime3.power import Card
    from regime3.power.calibrate import Calibration, Point

app = typer.Typer(
    help="The card's power limit: show it, set a profile, measure tokens per joule.",
    invoke_without_command=True,
)


@app.callback()
def power(
    context: typer.Context,
    lab: LabOption = None,
    set_: SetOption = None,
    token: TokenOption = "",
    json: Json = False,
) -> None:
    """Show the cards' draw and limits, and the profile that holds. Sub-commands set it."""
    if context.invoked_subcommand is not None:
        return
    where = find_lab(lab)
    url = node_url(where)
    if url is not None:
        found = call(url, "GET", "/gpu", token)
        found["profile"] = call(url, "GET", "/settings/power_profile", token)
        found["schedule"] = call(url, "GET", "/settings/power_schedule", token)
    else:
        cards, reason = _cards(where, settings_of(where, set_).power)
        readings = [asdict(card.read()) for card in cards]
        found = {"cards": readings or None, "reason": reason, "profile": None, "schedule": None}
    show({"node": url, **found}, json, lambda: _print(found))


@app.command()
def quiet(
    lab: LabOption = None, set_: SetOption = None, token: TokenOption = "", json: Json = False
) -> None:
    """Set the quiet profile (220 W unless power.quiet_w says otherwise)."""
    _set("quiet", find_lab(lab), set_, token, json)


@app.command()
def normal(
    lab: LabOption = None, set_: SetOption = None, token: TokenOption = "", json: Json = False
) -> None:
    """Set the normal profile (280 W unless power.normal_w says otherwise)."""
    _set("normal", find_lab(lab), set_, token, json)


@app.command("max")
def max_(
    lab: LabOption = None, set_: SetOption = None, token: TokenOption = "", json: Json = False
) -> None:
    """Set the max profile (350 W unless power.max_w says otherwise)."""
    _set("max", find_lab(lab), set_, token, json)


@app.command()
def auto(lab: LabOption = None, token: TokenOption = "", json: Json = False) -> None:
    """Forget what was set by hand: a running node keeps to quiet hours and settings again."""
    url = node_url(find_lab(lab))
    if url is None:
        raise Unavailable("no node runs that could keep to hours and settings", "r3 node")
    found = call(url, "PUT", "/settings/power_profile", token, {"profile": "auto"})
    show({"node": url, **found}, json, lambda: _print_holds(found))


@app.command()
def calibrate(
    step: Annotated[float, typer.Option(help="Between two limits, W.")] = 10.0,
    seconds: Annotated[float, typer.Option(help="At each limit, s.")] = 10.0,
    card: Annotated[int, typer.Option(help="Which card, counted from 0.")] = 0,
    lab: LabOption = None,
    set_: SetOption = None,
    token: TokenOption = "",
    json: Json = False,
) -> None:
    """Measure tokens per joule at every power limit, best limit last; the old limit comes back.

    A running node does the work; a simulated card needs none."""
    where = find_lab(lab)
    cards, reason = _cards(where, settings_of(where, set_).power)
    if not cards:
        raise Unavailable(f"there is no card to calibrate: {reason}", "r3 power")
    if not 0 <= card < len(cards):
        raise typer.BadParameter(f"there are {len(cards)} cards", param_hint="--card")
    found = _sweep(where, cards[card], step, seconds, token, quiet=json)
    show(found.as_dict(), json, lambda: _print_sweep(found))


def _cards(lab: Lab, settings: Power) -> tuple[list[Card], str | None]:
    from regime3.power import open_cards

    return open_cards(lab, settings, SystemClock())


def _set(name: str, lab: Lab, set_: list[str] | None, token: str, json: bool) -> None:
    from regime3.power.before import Before
    from regime3.power.profiles import apply, profile_of

    settings = settings_of(lab, set_).power
    url = node_url(lab)
    if url is not None:
        found = call(url, "PUT", "/settings/power_profile", token, {"profile": name})
    else:
        cards, reason = _cards(lab, settings)
        if not cards:
            raise NodeRefused(409, "no_card", f"no card can be set: {reason}")
        profile = profile_of(settings, name)
        applied = [apply(card, profile.power_w).as_dict() for card in cards]
        Before(lab).forget()  # what a person sets shall stay
        found = {"profile": name, "slots": profile.slots, "cards": applied}
    show({"node": url, **found}, json, lambda: _print_set(found))
    if any(card["mismatch"] for card in found["cards"]):
        raise typer.Exit(1)


def _sweep(
    lab: Lab, card: Card, step: float, seconds: float, token: str, quiet: bool
) -> Calibration:
    from regime3.power.before import Before
    from regime3.power.calibrate import calibrate
    from regime3.power.load import NodeLoad
    from regime3.power.simulated import SimulatedCard

    def tell(point: Point) -> None:
        if not quiet:
            errors.print(f"{point.limit_w:.0f} W: {_rate(point)}")

    before, url = Before(lab), node_url(lab)
    if url is None:
        before.restore([card])  # of a sweep or a node that was killed
    ours = before.limit_w(card) is None
    with ExitStack() as stack:
        if isinstance(card, SimulatedCard):
            load: Any = card.load
        elif url is None:
            raise Unavailable("no node runs that could do the work", "r3 node")
        else:
            models = call(url, "GET", "/ready", token)["models"]
            load = stack.enter_context(NodeLoad(url, token, models[0]))
        before.remember(card)
        if ours:
            stack.callback(before.restore, [card])
        return calibrate(card, SystemClock(), load, step_w=step, seconds=seconds, tell=tell)


def _print(found: dict[str, Any]) -> None:
    if not found["cards"]:
        console.print(f"no card: {found['reason']}")
    for card in found["cards"] or []:
        kind = " (simulated)" if card["simulated"] else ""
        console.print(
            f"{card['name']}{kind}: {_w(card['power_w'])} of {_w(card['power_limit_w'])}, "
            f"may be set from {_w(card['power_min_w'])} to {_w(card['power_max_w'])}"
        )
    if found["profile"]:
        _print_holds(found["profile"])


def _print_holds(holds: dict[str, Any]) -> None:
    console.print(f"profile {holds['profile']} (by {holds['by']}), {holds['slots']} slots")


def _print_set(found: dict[str, Any]) -> None:
    for card in found["cards"]:
        kind = " (simulated)" if card["simulated"] else ""
        console.print(f"{card['name']}{kind}: {found['profile']}, {_w(card['enforced_w'])}")
        if card["mismatch"]:
            errors.print(f"{_w(card['clamped_w'])} was set, but the card enforces another limit")


def _print_sweep(found: Calibration) -> None:
    rows = [
        [f"{point.limit_w:.0f}", f"{point.tokens_per_s:.1f}", f"{point.tokens_per_j or 0:.3f}"]
        for point in found.points
    ]
    kind = " (simulated)" if found.simulated else ""
    table(f"{found.card}{kind}", ["limit W", "tokens/s", "tokens/J"], rows)
    if found.best is not None:
        console.print(f"best: {found.best.limit_w:.0f} W, {_rate(found.best)}")
    console.print(f"the limit is back at {_w(found.restored_w)}")


def _rate(point: Point) -> str:
    per_j = "energy not known" if point.tokens_per_j is None else f"{point.tokens_per_j:.3f}/J"
    return f"{point.tokens_per_s:.1f} tokens/s, {per_j}"


def _w(watts: float | None) -> str:
    return "?" if watts is None else f"{watts:.0f} W"
