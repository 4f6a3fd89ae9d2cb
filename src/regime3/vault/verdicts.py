"""What is known about checkpoints outside of themselves: `checkpoints/verdicts.json`.

A damaged checkpoint takes its words with it, so two things are told a second time here:

- *claims*: checkpoint N left these numbers behind (rollback, or a fall back after damage).
  Written **before** N is published and named in `pending`; the claim stands only once a folder
  N has been seen, so a rollback that was killed half-way has said nothing.
- *damaged*: what a deep check found, so that every process agrees about the head afterwards.

The file is a safety net and no truth: lost or torn it counts as empty, and the next write
rebuilds the claims from the manifests. Everything here is pure; `Vault` reads and writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from regime3.vault.checked import Unreadable, decode_checked, encode_checked


class Verdicts(msgspec.Struct, frozen=True):
    """Numbers are seal numbers throughout."""

    claims: dict[int, list[int]] = {}
    pending: int | None = None
    """The claimer whose folder was not yet seen when this was written."""
    damaged: dict[int, str] = {}
    schema: int = 1

    def standing(self, present: Collection[int]) -> dict[int, list[int]]:
        """Claims whose claimer was published."""
        return {
            by: numbers
            for by, numbers in self.claims.items()
            if by != self.pending or by in present
        }

    def confirmed(self, present: Collection[int]) -> Verdicts:
        """Nothing pending if the claimer is there; for readers beside a writer at work, who must
        not call void what is about to be published."""
        if self.pending is None or self.pending not in present:
            return self
        return Verdicts(self.claims, None, self.damaged)

    def settled(self, present: Collection[int]) -> Verdicts:
        """The same knowledge with nothing pending, and nothing about folders that are gone."""
        claims = {
            by: kept
            for by, numbers in self.standing(present).items()
            if (kept := [number for number in numbers if number in present])
        }
        damaged = {n: reason for n, reason in self.damaged.items() if n in present}
        return Verdicts(claims, None, damaged)

    def announcing(self, by: int, numbers: Collection[int]) -> Verdicts:
        """Settled knowledge plus what seal `by` is about to leave behind."""
        assert self.pending is None
        return Verdicts({**self.claims, by: sorted(numbers)}, by, self.damaged)

    def with_damage(self, number: int, reason: str | None) -> Verdicts:
        """Record a deep check's finding; None clears it."""
        damaged: Mapping[int, str] = {n: r for n, r in self.damaged.items() if n != number}
        if reason is not None:
            damaged = {**damaged, number: reason}
        return Verdicts(self.claims, self.pending, dict(damaged))


def encode_verdicts(verdicts: Verdicts) -> bytes:
    """The bytes of `verdicts.json`."""
    return encode_checked(verdicts)


def decode_verdicts(data: bytes) -> Verdicts:
    """Raises `Unreadable`."""
    verdicts = decode_checked(data, Verdicts)
    if verdicts.schema != 1:
        raise Unreadable(f"schema {verdicts.schema} is not 1: written by another version")
    return verdicts
