"""Settings: one frozen tree, loaded once, every field documented, nothing unknown accepted.

`load(lab)` merges defaults < `regime3.toml` < REGIME3_SECTION_NAME environment < flags, checks
types and bounds, and refuses to start with the line and the fix. `render()` writes the file that
`r3 init` makes; `origins()` says which layer won. The resolved tree is saved in every checkpoint.

This module reads the settings file only; it knows nothing of models or GPUs.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from regime3.config.sections import (
    Checkpoint,
    Evolution,
    Examples,
    Forge,
    Judge,
    Loop,
    Memory,
    Model,
    Node,
    Notify,
    Power,
    Queue,
    Status,
    Supervisor,
    Train,
    Validation,
    Web,
)
from regime3.errors import SettingsError

__all__ = [
    "Checkpoint",
    "Evolution",
    "Examples",
    "Forge",
    "Judge",
    "Loop",
    "Memory",
    "Model",
    "Node",
    "Notify",
    "Power",
    "Queue",
    "Resolved",
    "Settings",
    "Status",
    "Supervisor",
    "Train",
    "Validation",
    "Web",
    "load",
    "render",
    "sections",
]

ENVIRONMENT_PREFIX = "REGIME3_"


@dataclass(frozen=True)
class Settings:
    """The whole tree; one attribute a section of regime3.toml."""

    model: Model = field(default_factory=Model)
    train: Train = field(default_factory=Train)
    memory: Memory = field(default_factory=Memory)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    queue: Queue = field(default_factory=Queue)
    examples: Examples = field(default_factory=Examples)
    validation: Validation = field(default_factory=Validation)
    supervisor: Supervisor = field(default_factory=Supervisor)
    status: Status = field(default_factory=Status)
    web: Web = field(default_factory=Web)
    notify: Notify = field(default_factory=Notify)
    node: Node = field(default_factory=Node)
    power: Power = field(default_factory=Power)
    loop: Loop = field(default_factory=Loop)
    forge: Forge = field(default_factory=Forge)
    judge: Judge = field(default_factory=Judge)
    evolution: Evolution = field(default_factory=Evolution)

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Sections to names to plain values, as saved in a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class Resolved:
    """Settings and where each value came from: `origins["train.seed"]` is a place."""

    settings: Settings
    origins: Mapping[str, str]


def sections() -> dict[str, type]:
    """Section name to its dataclass, in order."""
    hints = typing.get_type_hints(Settings)
    return {f.name: hints[f.name] for f in fields(Settings)}


def load(
    path: Path | None,
    *,
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Resolved:
    """Merge the layers and check them.

    `flags` maps "section.name" to a value or text. Raises `SettingsError` with FILE:LINE.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    text = path.read_text(encoding="utf-8") if path is not None and path.exists() else ""
    layers = [
        _from_file(str(path), text),
        _from_environment(os.environ if environment is None else environment),
        {key: (f"--set {key}", value) for key, value in (flags or {}).items()},
    ]
    for layer in layers:
        for key, (place, raw) in layer.items():
            values[key] = _checked(key, raw, place)
            origins[key] = place
    tree = {
        name: kind(
            **{key.split(".")[1]: v for key, v in values.items() if key.split(".")[0] == name}
        )
        for name, kind in sections().items()
    }
    settings = Settings(**tree)
    _check_together(settings, origins)
    return Resolved(settings, {key: origins.get(key, "default") for key in _keys()})


def render(overrides: Mapping[str, Any] | None = None) -> str:
    """The text of a documented regime3.toml; settings at their default stand commented out."""
    overrides = overrides or {}
    lines = [
        "# Settings of this lab. Commented lines show the defaults. The environment",
        "# (REGIME3_TRAIN_SEED=1) and flags (--set train.seed=1) win over this file.",
    ]
    for section, kind in sections().items():
        lines += ["", f"# {kind.__doc__}", f"[{section}]"]
        for item in fields(kind):
            key = f"{section}.{item.name}"
            default = kind().__getattribute__(item.name)
            lines.append(f"# {item.metadata['doc']}{_bounds(item.metadata)}")
            mark = "" if key in overrides else "# "
            lines.append(f"{mark}{item.name} = {_toml(overrides.get(key, default))}")
    return "\n".join(lines) + "\n"


def _bounds(metadata: Mapping[str, Any]) -> str:
    if metadata["choices"]:
        return " One of: " + ", ".join(metadata["choices"]) + "."
    if metadata["low"] is not None:
        return f" From {metadata['low']:g} to {metadata['high']:g}."
    return ""


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return repr(value)


def _keys() -> dict[str, Any]:
    """Every "section.name" and its dataclass field."""
    return {
        f"{section}.{item.name}": item
        for section, kind in sections().items()
        for item in fields(kind)
    }


def _from_file(name: str, text: str) -> dict[str, tuple[str, Any]]:
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        place = f"{name}:{line.group(1)}" if line else name
        raise SettingsError(place, f"not TOML: {error}", "Mend the line") from None
    found: dict[str, tuple[str, Any]] = {}
    for section, body in tree.items():
        place = f"{name}:{_line_of(text, section, None)}"
        if section not in sections():
            raise SettingsError(
                place, f"unknown section [{section}]", _did_you_mean(section, sections())
            )
        if not isinstance(body, dict):
            raise SettingsError(
                place, f"{section} is a section", f"Write [{section}] and its settings below"
            )
        for key, value in body.items():
            found[f"{section}.{key}"] = (f"{name}:{_line_of(text, section, key)}", value)
    return found


def _line_of(text: str, section: str, key: str | None) -> int:
    """1-based line of a section header or of a key in it; tomllib does not keep them."""
    current = ""
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[+\s*\"?([^\]\"]+)\"?\s*\]", line)
        if header:
            current = header.group(1).strip()
            if key is None and current == section:
                return number
        named = re.match(r"\s*\"?([\w.-]+)\"?\s*=", line)
        if named and key is not None and current == section and named.group(1) == key:
            return number
        if named and named.group(1) in (section, f"{section}.{key}") and not current:
            return number
    return 1


def _from_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """REGIME3_SECTION_NAME; other REGIME3_ variables that name no section are left alone."""
    found: dict[str, tuple[str, Any]] = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        section, _, key = variable.removeprefix(ENVIRONMENT_PREFIX).lower().partition("_")
        if section in sections() and key:
            found[f"{section}.{key}"] = (f"environment {variable}", value)
    return found


def _did_you_mean(word: str, known: typing.Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(word, names, 1)
    return f"Did you mean {near[0]}?" if near else "Known: " + ", ".join(names)


def _checked(key: str, raw: Any, place: str) -> Any:
    """The value in its field's type and bounds, or `SettingsError`."""
    item = _keys().get(key)
    if item is None:
        raise SettingsError(place, f"unknown setting {key}", _did_you_mean(key, _keys()))
    kind = typing.get_type_hints(sections()[key.split(".")[0]])[item.name]
    value = _converted(key, raw, kind, place)
    low, high, choices = (item.metadata[name] for name in ("low", "high", "choices"))
    if choices and value not in choices:
        raise SettingsError(
            place, f"{key} = {raw!r} is not a choice", "Use one of " + ", ".join(choices)
        )
    if low is not None and not low <= value <= high:
        raise SettingsError(place, f"{key} = {raw!r} is out of bounds", f"Use {low:g} to {high:g}")
    return value


def _converted(key: str, raw: Any, kind: type | types.UnionType, place: str) -> Any:
    if kind is bool and isinstance(raw, str) and raw.lower() in ("true", "false", "1", "0"):
        return raw.lower() in ("true", "1")
    if kind is int and isinstance(raw, str) and re.fullmatch(r"-?\d+", raw):
        return int(raw)
    if kind is float and isinstance(raw, str | int) and not isinstance(raw, bool):
        try:
            return float(raw)
        except ValueError:
            pass
    elif isinstance(kind, type) and type(raw) is kind:
        return raw
    wanted = getattr(kind, "__name__", str(kind))
    raise SettingsError(
        place, f"{key} = {raw!r} is not of type {wanted}", f"Write a value of type {wanted}"
    )


def _check_together(settings: Settings, origins: Mapping[str, str]) -> None:
    """What no single field can know."""
    examples = settings.examples
    if examples.stop_count_min > examples.stop_count_max:
        place = origins.get("examples.stop_count_min") or origins.get("examples.stop_count_max", "")
        raise SettingsError(place, "examples.stop_count_min exceeds stop_count_max", "Lower it")
    if examples.profile == "emoji" and not (examples.think_emoji and examples.stop_emoji):
        raise SettingsError(
            origins.get("examples.think_emoji", "examples"),
            "an emoji is empty",
            'Set both, or profile = "think-tags"',
        )
    if settings.checkpoint.snapshot_at and not re.fullmatch(
        r"([01]\d|2[0-3]):[0-5]\d", settings.checkpoint.snapshot_at
    ):
        place = origins.get("checkpoint.snapshot_at", "")
        raise SettingsError(place, "checkpoint.snapshot_at is not a time", 'Write it as "03:00"')
    _check_power(settings.power, origins)
    if settings.model.max_length > settings.memory.token_budget_max:
        place = origins.get("model.max_length") or origins.get("memory.token_budget_max", "default")
        raise SettingsError(
            place, "model.max_length exceeds memory.token_budget_max", "Raise token_budget_max"
        )


def _check_power(power: Power, origins: Mapping[str, str]) -> None:
    """Hours that are hours, and profiles in their order."""
    clock = r"([01]\d|2[0-3]):[0-5]\d"
    if power.quiet_hours:
        place = origins.get("power.quiet_hours", "")
        fix = 'Write them as "22:00-07:00", or "" for none'
        if not re.fullmatch(f"{clock}-{clock}", power.quiet_hours, re.ASCII):
            raise SettingsError(place, "power.quiet_hours are not two times of a day", fix)
        if power.quiet_hours[:5] == power.quiet_hours[6:]:
            raise SettingsError(place, "power.quiet_hours end when they begin", fix)
    if not power.quiet_w <= power.normal_w <= power.max_w:
        named = (origins.get(f"power.{name}_w") for name in ("quiet", "normal", "max"))
        place = next((place for place in named if place), "default")
        reason = "power.quiet_w, normal_w and max_w do not rise in this order"
        raise SettingsError(place, reason, "Put them in order")
