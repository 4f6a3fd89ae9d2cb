"""The commit protocol as an executable model: random histories, killed before every write.

    python -m tests.protocol.model --histories 3000 --seed 0

A history is a random mix of everything that happens to a lab. Every action is run once whole
and once killed before each of its writes; each killed lab recovers (and may be killed again
while it does), and then every promise of `invariants` must hold. The history goes on from the
whole run or from one of the killed ones. A failure prints the seed of its history, which alone
reproduces it: `--seed S --histories 1`. What it does not model: bytes, fsync, torch.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from regime3.config import Checkpoint
from regime3.vault.verdicts import Verdicts
from tests.protocol.invariants import check, check_finished
from tests.protocol.lab import Lab, Worker
from tests.protocol.rules import Rules
from tests.protocol.world import Content, Damage, Disk, Killed, Request, SealFolder, Violation

ACTIONS_MIN, ACTIONS_MAX = 15, 50
CONTENTS = 9
Action = Callable[[Lab], object]


def random_of(seed: int, *what: object) -> random.Random:
    """Keyed randomness: neighbouring seeds share nothing."""
    key = "|".join(map(str, (seed, *what)))
    return random.Random(hashlib.sha256(key.encode()).digest())


class History:
    """One random history. `counts` tells what it went through."""

    def __init__(self, seed: int, rules: Rules | None = None) -> None:
        self.seed, self.rules = seed, rules or Rules()
        self.random = random_of(seed, "history")
        self.counts: Counter[str] = Counter(histories=1)
        self.done: list[str] = []
        self.requests = 0
        self.lab = Lab(Disk(), self.rules)
        self.lab.found()

    def run(self) -> Counter[str]:
        """Live it to its end; raises `Violation` with the story so far."""
        try:
            for _ in range(self.random.randint(ACTIONS_MIN, ACTIONS_MAX)):
                self._damage_or_heal()
                name, action = self._choose()
                self.done.append(name)
                self.counts[name.split()[0]] += 1
                self._live_through(action)
            self._finish()
        except Exception as broken:  # whatever breaks: the seed must be told
            story = ", ".join(self.done)
            raise Violation(
                f"{type(broken).__name__}: {broken}\n  again: python -m tests.protocol.model "
                f"--histories 1 --seed {self.seed}\n  story: {story}"
            ) from broken
        return self.counts

    # ------------------------------------------------------------ kills

    def _live_through(self, action: Action) -> None:
        before, worker = self.lab.disk.copy(), self.lab.worker
        states = []
        snapshot = _worker_copy(worker)
        self.lab.disk.writes = 0
        action(self.lab)
        writes = self.lab.disk.writes
        self._count_holds(before)
        if self.random.random() < 0.3:
            self._expect_recovers(self.lab.disk.copy())
        for at in range(1, writes + 1):
            lab = Lab(before.copy(), self.rules)
            lab.worker = _worker_copy(snapshot)
            lab.disk.kill_at = at
            try:
                action(lab)
            except Killed:
                self.counts["kills"] += 1
                states.append(self._expect_recovers(lab.disk.copy()))
        if states and self.random.random() < 0.35:
            self.done.append("(killed)")
            self.lab = self.random.choice(states)

    def _count_holds(self, before: Disk) -> None:
        """Rollbacks that caught a file for the second time or more, and what they held."""
        caught = dict(self.lab.head_folder().caught)
        if max(self.lab.disk.seals) not in before.seals and self.done[-1].startswith("rollback"):
            earlier = before.seals[max(before.seals)].caught
            again = [i for i, n in caught.items() if n >= 2 and n > earlier.get(i, 0)]
            self.counts["second rollbacks"] += bool(again)
            self.counts["files held or quarantined again"] += len(again)

    def _expect_recovers(self, disk: Disk) -> Lab:
        """Recover, often killed again on the way, until it comes through; then look."""
        for _ in range(20):
            lab = Lab(disk, self.rules)
            if self.random.random() < 0.3:
                disk.kill_at = self.random.randint(1, 6)
            try:
                lab.recover()
            except Killed:
                self.counts["kills"] += 1
                self.counts["kills in recovery"] += 1
                disk = disk.copy()
                continue
            disk.kill_at = None
            check(lab)
            return lab
        lab = Lab(disk.copy(), self.rules)
        lab.recover()
        check(lab)
        return lab

    def _finish(self) -> None:
        """No more trouble: everything admitted is trained to its end."""
        self.lab = Lab(self.lab.disk.copy(), self.rules)
        self.lab.recover()
        self.lab.admit()
        while self.lab.train():
            pass
        self.lab.seal("dry")
        self.lab.obey()
        while self.lab.train():
            pass
        self.lab.seal("dry")
        check_finished(self.lab)

    # ------------------------------------------------------------ damage

    def _damage_or_heal(self) -> None:
        disk = self.lab.disk
        roll = self.random.random()
        if roll < 0.10:
            self._damage(self.random.choice(("rot", "torn", "manifest")))
        elif roll < 0.16:
            self._heal()
        elif roll < 0.18 and all(f.damage != "manifest" for f in disk.seals.values()):
            disk.verdicts = Verdicts()
            self.counts["verdicts lost"] += 1
            self.done.append("verdicts lost")
            self.lab = Lab(disk, self.rules)
            self._told_again()

    def _damage(self, kind: Damage) -> None:
        """Rot reaches every hard link of the same bytes. The last good one is spared."""
        disk = self.lab.disk
        number = self.random.choice(sorted(disk.seals))
        if self.random.random() < 0.5:
            number = max(disk.seals)
        blob = disk.seals[number].blob
        hit = {
            n for n, f in disk.seals.items() if n == number or (kind == "rot" and f.blob == blob)
        }
        if not set(disk.good()) - hit:
            return
        for n in hit:
            disk.seals[n] = _with_damage(disk.seals[n], kind)
        self.counts["damaged seals"] += len(hit)
        self.counts[f"damaged by {kind}"] += len(hit)
        self.done.append(f"{kind} in {sorted(hit)}")
        if kind == "manifest" and disk.seals[number].manifest.reason == "rollback":
            self.counts["rollback manifests torn"] += 1
        if self.random.random() < 0.6:
            self.lab = self._expect_recovers(disk.copy())

    def _heal(self) -> None:
        """What could not be read for a while can be read again."""
        disk = self.lab.disk
        sick = sorted(n for n, f in disk.seals.items() if f.damage is not None)
        if sick:
            number = self.random.choice(sick)
            disk.seals[number] = _with_damage(disk.seals[number], None)
            disk.verdicts = disk.verdicts.with_damage(number, None)
            self.lab = self._expect_recovers(disk.copy())
            self.done.append(f"{number} healed")
            self.counts["healed"] += 1

    def _told_again(self) -> None:
        """One loss at a time: a commit rewrites the verdicts before another manifest goes."""
        self.lab = self._expect_recovers(self.lab.disk.copy())
        self.lab.seal("asked")

    # ------------------------------------------------------------ choosing

    def _choose(self) -> tuple[str, Action]:
        kinds: dict[Callable[[], tuple[str, Action]], float] = {
            self._drop: 3, self._admit: 2, self._train: 6, self._seal: 3, self._verb: 1.6,
            self._move: 0.7, self._rollback: 2.4, self._retain: 1.6, self._restart: 0.6,
        }  # fmt: skip
        return self.random.choices(list(kinds), list(kinds.values()))[0]()

    def _drop(self) -> tuple[str, Action]:
        content = self._content(self.random.randrange(CONTENTS))
        name = f"f{self.random.randrange(4)}-{content.id[-2:]}"
        disk = self.lab.disk
        if content.id in disk.truth.dropped:
            self.counts["duplicates"] += 1
        disk.inbox[name] = content
        disk.truth = replace(disk.truth, dropped=disk.truth.dropped | {content.id})
        return "drop and admit", Lab.admit

    def _content(self, which: int) -> Content:
        """The same number always means the same bytes."""
        draw = random_of(self.seed, "content", which)
        rows = draw.choice((0, 1, 1, 2, 3, 5, 7, 11))
        poison = frozenset(row for row in range(rows) if draw.random() < 0.12)
        lane = draw.choice(("high", "normal", "normal", "low"))
        return Content(f"{which + 1:032x}", rows, lane, poison, draw.random() < 0.35)

    def _admit(self) -> tuple[str, Action]:
        return "admit", Lab.admit

    def _train(self) -> tuple[str, Action]:
        windows = self.random.randint(1, 3)
        return f"train {windows}", lambda lab: [lab.train() for _ in range(windows)]

    def _seal(self) -> tuple[str, Action]:
        return "seal", Lab.seal

    def _verb(self) -> tuple[str, Action]:
        known = sorted(self.lab.disk.meta)
        if not known:
            return self._drop()
        verb = self.random.choice(("skip", "skip", "retry", "retry", "remove"))
        self.requests += 1
        request, key = Request(verb, self.random.choice(known)), self.requests
        self.lab.disk.control[key] = request
        if self.random.random() < 0.3:
            self.lab.worker = None
        return f"{verb} {request.id[-2:]}", Lab.obey

    def _move(self) -> tuple[str, Action]:
        known = sorted(self.lab.disk.meta)
        if not known:
            return self._drop()
        file_id, lane = self.random.choice(known), self.random.choice(("high", "normal", "low"))
        return f"move {file_id[-2:]}", lambda lab: lab.move(file_id, lane)

    def _rollback(self) -> tuple[str, Action]:
        targets = self.lab.targets()
        if not targets:
            return self._train()
        target, seal_first = self.random.choice(targets), self.random.random() < 0.5
        return f"rollback to {target}", lambda lab: lab.rollback(target, seal_first)

    def _retain(self) -> tuple[str, Action]:
        disk = self.lab.disk
        disk.now += self.random.choice((60.0, 40_000.0, 900_000.0))
        protected = set(self.random.sample(sorted(disk.seals), min(1, len(disk.seals))))
        settings = Checkpoint(
            keep_newest=self.random.randint(2, 4), keep_best=0, keep_daily=self.random.randint(0, 2)
        )
        if self.random.random() < 0.6:
            protected = set()
        return "retain", lambda lab: lab.retain(settings, protected)

    def _restart(self) -> tuple[str, Action]:
        self.lab.worker = None
        return "restart", Lab.start_worker


def _with_damage(folder: SealFolder, kind: Damage | None) -> SealFolder:
    return replace(folder, damage=kind)


def _worker_copy(worker: Worker | None) -> Worker | None:
    if worker is None:
        return None
    return replace(
        worker, ledger=worker.ledger.copy(), weights=dict(worker.weights),
        caught=dict(worker.caught),
    )  # fmt: skip


def run(histories: int, seed: int, rules: Rules | None = None) -> Counter[str]:
    """That many histories from `seed` on; raises `Violation`."""
    total: Counter[str] = Counter()
    for number in range(seed, seed + histories):
        total += History(number, rules).run()
    return total


def main() -> int:
    """Exit code 1 and the seed when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started, total = time.monotonic(), Counter[str]()
    for number in range(options.histories):
        try:
            total += History(options.seed + number).run()
        except Violation as violation:
            print(f"VIOLATION in history {options.seed + number}: {violation}", file=sys.stderr)
            return 1
        if sys.stderr.isatty() and number % 20 == 0:
            print(f"\r{number}/{options.histories} histories, {total['kills']:,} kills",
                  end="", file=sys.stderr)  # fmt: skip
    print(f"no violation in {time.monotonic() - started:.0f} s")
    for name, count in sorted(total.items(), key=lambda item: -item[1]):
        print(f"{count:>12,}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
