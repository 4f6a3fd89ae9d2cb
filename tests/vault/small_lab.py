"""A small lab for the vault's tests: seals of a few files whose bytes name their step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from regime3 import disk
from regime3.clock import FakeClock
from regime3.paths import Lab
from regime3.records.checkpoint import Seal
from regime3.records.files import FileMeta
from regime3.records.ledger import Ledger
from regime3.vault import Vault

STATE = ("config.json", "model.safetensors", "optimizer.safetensors", "tokenizer.json")


def an_id(number: int) -> str:
    """The file id of test file `number`."""
    return f"{number:032x}"


def a_file(number: int, rows: int = 10, generator: str = "") -> FileMeta:
    """Metadata of test file `number`; `generator="forge"` for the lab's own."""
    return FileMeta(
        id=an_id(number), content_sha256=f"{number:064x}", pass_number=1, passes=1,
        name=f"file{number}", lane="normal", admission=number, rows=rows, buried=0, size_bytes=1,
        admitted_at=0.0, lineage={"generator": generator} if generator else {},
    )  # fmt: skip


def is_forge(meta: FileMeta) -> bool:
    """As the daemon tells them apart."""
    return meta.lineage.get("generator") == "forge"


def a_ledger(step: int = 0, **changes: object) -> Ledger:
    """A ledger at `step` with some of its fields set."""
    return Ledger(step=step, **changes)  # type: ignore[arg-type]


def a_vault(root: Path) -> Vault:
    """A vault over a lab that has no checkpoint yet."""
    lab = Lab(root / "lab")
    disk.make_folder(lab.checkpoints)
    return Vault(lab, FakeClock())


def fill(temp: Path, step: int) -> None:
    """What torch would write, as short stand-ins."""
    for name in STATE:
        (temp / name).write_bytes(f"{name} at step {step}".encode() * 40)


def seal(
    vault: Vault,
    step: int,
    ledger: Ledger | None = None,
    *,
    parent: int | None = -1,
    loss: float | None = None,
) -> Seal:
    """Commit the next seal on top of the head (or of `parent`)."""
    temp = vault.begin()
    fill(temp, step)
    return vault.commit(
        temp,
        parent=vault.head_number() if parent == -1 else parent,
        step=step,
        reason="steps",
        ledger=ledger or a_ledger(step),
        validation_loss=loss,
    )


def line_of(vault: Vault, length: int) -> list[Seal]:
    """Seals 1 to `length`, steps 0, 10, 20, …"""
    return [seal(vault, 10 * index) for index in range(length)]


def flip(path: Path, bit: int) -> None:
    """Turn one bit of a file around, in place."""
    data = bytearray(path.read_bytes())
    data[(bit // 8) % len(data)] ^= 1 << (bit % 8)
    path.write_bytes(bytes(data))


def states(vault: Vault) -> dict[int, str]:
    """Number to state, as `r3 checkpoints` shows it."""
    return {entry.number: entry.state for entry in vault.list()}


def roll(vault: Vault, target: int, *files: FileMeta) -> Seal:
    """Roll back with these files known."""
    return vault.rollback(target, {meta.id: meta for meta in files}, is_forge).seal


Action = Callable[[Vault], object]
