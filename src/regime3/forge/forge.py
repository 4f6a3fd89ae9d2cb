"""The forge's one thread of work, in an order that a kill cannot break.

    queue low ─► plan ─► pending, written ─► jobs at the node ─► lines, judged here
                              └─► staged, written ─► inbox ─► shards.jsonl ─► done

Every arrow is a write; after a kill at any of them the next `turn` goes on from what is written.
Jobs carry the shard's number in their seed, so that one whose id was not written yet is found
again. Until a shard is staged nothing of it counts; from then on it is only carried to its end.

What it does not do: wait, or choose who may hear of trouble. `turn` returns soon, or raises.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

from regime3 import disk, tasks
from regime3.client import Client
from regime3.clock import Clock
from regime3.config import Settings
from regime3.errors import DiskFull, InputRefused, NodeRefused, Regime3Error, Unavailable
from regime3.forge import diversity, mixture, plan, shard, shown, state
from regime3.forge.attempts import Tried, read_attempts
from regime3.forge.rows import Writer
from regime3.forge.state import Asked, Pending, State
from regime3.forge.waiting import rows_waiting
from regime3.lang import codebook, signature
from regime3.lang.codebook import Codebook
from regime3.model.codebooks import codebook_of, has_codes
from regime3.paths import Lab

POLL_S = 0.5
IDLE_S = 2.0
OFF_S = 60.0
FREE_BYTES_MIN = 64 << 20
JOBS_LISTED = 200
DAY_S = 86_400
SEED_BITS = 53
LINEAGE = ("shard", "model", "model_sha256", "seal", "codebook", "checker", "jobs")
"""What a shard's sidecar says, of its line in shards.jsonl."""
ENDS = ("done", "failed", "cancelled")


class Forge:
    """Makes rows for one lab. One at a time: the caller holds the loop's lock."""

    def __init__(self, lab: Lab, settings: Settings, client: Client, clock: Clock) -> None:
        self._lab, self._all, self._client, self._clock = lab, settings, client, clock
        self._settings = settings.forge
        self._done_at: float | None = None
        """Monotonic seconds of our last shard."""
        self._since: dict[int, float] = {}
        """Monotonic seconds since when we wait for a shard's jobs."""
        self.families = _families(self._settings.families)

    def turn(self) -> float:
        """One piece of work; seconds until the next. Raises `Regime3Error` and `OSError`."""
        if not self._settings.on:
            return OFF_S
        now = state.load(self._lab)
        for pending in list(now.pending):
            if pending.staged is not None:
                self._finish(now, pending)
                return 0.0
        if now.pending:
            return self._go_on(now)
        wait_s = self._rest_s(now)
        if wait_s > 0:
            return wait_s
        try:
            self._begin(now)
        except (Unavailable, NodeRefused) as away:
            return self._alone(now, away)
        return 0.0

    # ------------------------------------------------------------ whether to begin

    def _rest_s(self, now: State) -> float:
        """How long nothing is to be done; 0 if a shard is wanted now."""
        self._new_day(now)
        if now.rows_today >= self._settings.rows_a_day_max:
            return OFF_S
        cooling_s = self._cooling_s(now)
        if cooling_s > 0:
            return cooling_s
        enough = self._settings.queue_rows_min
        return IDLE_S if rows_waiting(self._lab, enough) >= enough else 0.0

    def _cooling_s(self, now: State) -> float:
        """What is left of the rest after a shard. After a restart the wall clock has to tell; if
        it was set back, it can make us rest once more, and never for longer."""
        if self._done_at is not None:
            passed_s = self._clock.monotonic() - self._done_at
        else:
            passed_s = max(0.0, self._clock.now() - now.last_done)
        return self._settings.cooldown_s - passed_s

    def _new_day(self, now: State) -> None:
        """Rows of a day are counted until the date moves on, or was more than a day ahead."""
        today = self._clock.now()
        day = time.strftime("%Y-%m-%d", time.gmtime(today))
        tomorrow = time.strftime("%Y-%m-%d", time.gmtime(today + DAY_S))
        if day > now.day or now.day > tomorrow:
            now.day, now.rows_today = day, 0

    # ------------------------------------------------------------ asking

    def _begin(self, now: State) -> None:
        """Choose problems, and write down that they are asked before anybody is."""
        self._demand_room()
        book = self._book()
        info = self._client.info()
        model = info["active"]
        if model is None:
            raise Unavailable("the node has no model loaded", "r3 doctor")
        spoken = {each["id"]: each["codebook"] for each in info["residents"]}.get(model)
        if spoken not in (None, book.name):
            raise InputRefused(
                f"the node's model {model} speaks codebook {spoken[:12]}, this lab"
                f" {book.name[:12]}: nothing is asked",
                next_command="r3 push",
            )
        moved = plan.moved(now, self._settings, self.families)
        wanted = plan.plan(now, self._settings, self.families, self._problems(now))
        if not wanted:
            raise Unavailable("every family has collapsed and rests")
        asked = []
        for family, level, problems in wanted:
            cell = now.cell(family, level)
            start = mixture.ATTEMPTS_FROM + cell.asked
            asked.append(Asked(family, level, start, problems))
            cell.asked += problems
        note = "; ".join(moved) or None
        seal = self._seal_of(model)
        self._add(now, Pending(0, 0.0, asked, model, None, seal, book.name, note))

    def _add(self, now: State, pending: Pending) -> None:
        disk.make_folder(self._lab.loop)
        pending.shard, pending.began = now.next_shard, self._clock.now()
        now.next_shard += 1
        now.pending.append(pending)
        state.save(self._lab, now)

    def _problems(self, now: State) -> int:
        """How many problems bring the rows that a shard wants of attempts."""
        rows = self._settings.shard_rows * mixture.attempt_share(self._settings)
        wanted = round(rows / max(now.rows_per_problem, 0.05))
        return max(plan.PROBLEMS_MIN, min(self._settings.problems_max, wanted))

    def _seal_of(self, model: str) -> int | None:
        """The checkpoint that the model was exported from; None for one that came otherwise."""
        try:
            origin = self._client.model(model)["origin"]
        except NodeRefused as refused:
            if refused.status != 404:
                raise
            return None
        return None if origin is None else int(origin["seal"])

    def _alone(self, now: State, away: Regime3Error) -> float:
        """No node: the trainer gets what oracles and earlier shards have."""
        if not self._settings.alone:
            raise away
        for name in self.families:
            now.families.setdefault(name, state.Family(self._settings.level_first))
        if not now.alerts or now.alerts[-1].message != away.message:
            now.alert(self._clock.now(), now.next_shard, "alone", away.message)
        self._add(now, Pending(0, 0.0, codebook=self._book().name, note=away.message))
        return 0.0

    # ------------------------------------------------------------ waiting for jobs

    def _go_on(self, now: State) -> float:
        """Order what is not ordered, wait for what is, and make the shard of what came."""
        for pending in [each for each in now.pending if not each.asked]:
            self._stage(now, pending, [])
            return 0.0
        (pending,) = now.pending
        try:
            self._order(now, pending)
            if not self._ended(now, pending):
                return POLL_S
            tried = self._fetched(now, pending)
        except (Unavailable, NodeRefused) as away:
            if self._rest_s(now) > 0:
                raise
            return self._alone(now, away)
        self._stage(now, pending, tried)
        return 0.0

    def _order(self, now: State, pending: Pending) -> None:
        """Create the jobs that have no id yet, or find those that a kill kept us from noting."""
        missing = [each for each in pending.asked if each.job is None and each.dropped is None]
        if not missing:
            return
        listed = self._client.jobs(kind="data_gen", limit=JOBS_LISTED)["data"]
        known = {(job["order"]["seed"], job["order"]["start"]): job for job in listed}
        for asked in missing:
            order = self._order_of(pending, asked)
            try:
                job = known.get((order["seed"], order["start"])) or self._client.generate(order)
            except NodeRefused as refused:
                if refused.status in (404, 409, 429, 503):
                    raise Unavailable(f"the node takes no job: {refused.message}") from None
                asked.dropped = f"refused by the node: {refused.message}"
            else:
                self._bind(pending, asked, job)
            state.save(self._lab, now)

    def _bind(self, pending: Pending, asked: Asked, job: dict[str, Any]) -> None:
        """Note a job's id, unless it is of another model than the others."""
        (bound,) = job["models"]
        if pending.model_sha256 is None and bound["model"] == pending.model:
            pending.model_sha256 = bound["sha256"]
        if (bound["model"], bound["sha256"]) != (pending.model, pending.model_sha256):
            asked.dropped = f"the node bound it to {bound['model']} {bound['sha256'][:12]}"
            return
        asked.job = job["id"]

    def _order_of(self, pending: Pending, asked: Asked) -> dict[str, Any]:
        """The body of an order; its seed is the shard's and the level's alone."""
        own, place = self._settings, f"{asked.family}:{asked.level}"
        key = hashlib.sha256(f"forge|{pending.began!r}|{pending.shard}|{place}".encode()).digest()
        return {
            "model": pending.model,
            "family": asked.family,
            "levels": [asked.level],
            "problems": asked.problems,
            "start": asked.start,
            "attempts": own.attempts,
            "regime": own.regime,
            "temperature": own.temperature,
            "top_p": own.top_p,
            "seed": int.from_bytes(key[:8], "big") >> (64 - SEED_BITS),
            "priority": own.job_priority,
            **({"max_tokens": own.job_max_tokens} if own.job_max_tokens else {}),
        }

    def _ended(self, now: State, pending: Pending) -> bool:
        """Whether no job is open any more; cancels those that took too long."""
        since = self._since.setdefault(pending.shard, self._clock.monotonic())
        late = self._clock.monotonic() - since > self._settings.job_wait_s
        for asked in pending.asked:
            if asked.job is None or asked.dropped is not None:
                continue
            job = self._job(asked.job)
            if job["state"] not in ENDS:
                if not late:
                    return False
                self._client.cancel(asked.job)
                asked.dropped = f"not done after {self._settings.job_wait_s:g} s"
            elif job["state"] != "done":
                asked.dropped = f"{job['state']}: {job['error'] or 'no reason given'}"
        return True

    def _job(self, number: str) -> dict[str, Any]:
        try:
            return self._client.job(number)
        except NodeRefused as refused:
            if refused.status != 404:
                raise Unavailable(f"the node does not tell of a job: {refused.message}") from None
            return {"state": "failed", "error": "the node knows no such job"}

    def _fetched(self, now: State, pending: Pending) -> list[Tried]:
        """The attempts of every job that is done, judged here."""
        book, found = self._book(), []
        for asked in pending.asked:
            if asked.job is None or asked.dropped is not None:
                continue
            assert pending.model_sha256 is not None
            try:
                lines = self._client.output(asked.job)
                found += read_attempts(asked, lines, book, pending.model_sha256)
            except NodeRefused as refused:
                asked.dropped = f"nothing to fetch: {refused.message}"
            except InputRefused as refused:
                asked.dropped = refused.message
                now.alert(self._clock.now(), pending.shard, "refused", refused.message)
        return found

    # ------------------------------------------------------------ making the shard

    def _stage(self, now: State, pending: Pending, tried: list[Tried]) -> None:
        """Write the shard whole; what was learned of the model is written with its name."""
        self._demand_room()
        book, own = self._book(), self._settings
        reach = max(own.duplicate_shards, own.replay_shards)
        earlier = shard.remembered(self._lab, now.next_shard, reach, pending.shard)
        taken = {each.key for made in earlier[: own.duplicate_shards] for each in made}
        writer = Writer(
            book, own, shard=pending.shard, rows_made=now.rows_made,
            max_length=self._all.model.max_length, taken=taken,
            lineage={
                "model": pending.model, "model_sha256": pending.model_sha256, "seal": pending.seal,
            },
        )  # fmt: skip
        bodies = mixture.mixed(writer, tried, earlier[: own.replay_shards], now, own, self.families)
        self._learn(now, pending, tried, bodies)
        pending.staged = ""
        if writer.rows:
            pending.staged = shard.stage(self._lab, pending.shard, writer.rows, writer.made)
        pending.told = self._told(pending, tried, writer)
        shown.write(self._lab, tried, pending.shard, pending.model or "", self._clock.now())
        now.rows_made += len(writer.rows)
        self._new_day(now)
        now.rows_today += len(writer.rows)
        state.save(self._lab, now)

    def _learn(self, now: State, pending: Pending, tried: Sequence[Tried], bodies: int) -> None:
        """Pass rates, diversity, and how many rows a problem brings."""
        for each in tried:
            cell = now.cell(each.sample.family, each.sample.level)
            cell.solved += each.passed > 0
            cell.estimate = cell.estimate.after(
                each.passed, len(each.attempts), self._settings.half_life_attempts
            )
        for name in self.families:
            own = [each for each in tried if each.sample.family == name]
            attempts = sum(len(each.attempts) for each in own)
            family = now.families[name]
            reason = diversity.watch(family, diversity.measured(own), attempts, self._settings)
            if reason is not None:
                family.stopped_until = pending.shard + 1 + self._settings.collapse_shards
                text = f"{name} is not asked until shard {family.stopped_until}: {reason}"
                now.alert(self._clock.now(), pending.shard, "collapse", text)
        wrong = sum(each.claimed != each.valid for every in tried for each in every.attempts)
        if wrong:
            text = f"the node's verdict was wrong on {wrong} attempts; ours counts"
            now.alert(self._clock.now(), pending.shard, "verdicts", text)
        if tried:
            lately = bodies / len(tried)
            now.rows_per_problem += 0.5 * (lately - now.rows_per_problem)

    def _told(self, pending: Pending, tried: Sequence[Tried], writer: Writer) -> dict[str, Any]:
        """The shard's line in shards.jsonl."""
        levels: dict[str, dict[str, int]] = {}
        for each in tried:
            found = levels.setdefault(
                f"{each.sample.family}:{each.sample.level}",
                {"problems": 0, "attempts": 0, "passed": 0, "solved": 0},
            )
            found["problems"] += 1
            found["attempts"] += len(each.attempts)
            found["passed"] += each.passed
            found["solved"] += each.passed > 0
        rows: dict[str, int] = {}
        for made in writer.made:
            place = f"{made.family}:{made.level}"
            rows[place] = rows.get(place, 0) + 1
        now = self._clock.now()
        return {
            "shard": pending.shard,
            "at": now,
            "seconds": round(max(0.0, now - pending.began), 3),
            "file": self._lab.forge_staged(pending.shard).name if writer.rows else None,
            "sha256": pending.staged or None,
            "rows": len(writer.rows),
            "kinds": writer.counts(),
            "places": dict(sorted(rows.items())),
            "levels": dict(sorted(levels.items())),
            "tokens": sum(each.tokens for every in tried for each in every.attempts),
            "dropped": dict(sorted(writer.dropped.items())),
            "jobs": [each.job for each in pending.asked if each.job is not None],
            "jobs_dropped": [
                f"{each.family}:{each.level}: {each.dropped}"
                for each in pending.asked
                if each.dropped is not None
            ],
            "model": pending.model,
            "model_sha256": pending.model_sha256,
            "seal": pending.seal,
            "codebook": pending.codebook,
            "checker": signature.VERSION,
            "note": pending.note,
        }

    # ------------------------------------------------------------ carrying it to its end

    def _finish(self, now: State, pending: Pending) -> None:
        """Drop what is staged, note it, and let go of it."""
        own = self._settings
        if pending.staged:
            lineage = {name: pending.told[name] for name in LINEAGE}
            shard.drop(self._lab, pending.shard, own.lane, own.shard_passes, lineage)
        shard.note(self._lab, pending.told)
        old = pending.shard - max(own.duplicate_shards, own.replay_shards)
        shard.forget(self._lab, [number for number in (old - 1, old) if number > 0])
        now.pending.remove(pending)
        now.last_done = self._clock.now()
        self._since.pop(pending.shard, None)
        state.save(self._lab, now)
        self._done_at = self._clock.monotonic()

    # ------------------------------------------------------------ the lab

    def _book(self) -> Codebook:
        """The codebook of the model that is trained. Raises `ModelError` if it is damaged."""
        head = self._lab.current_model
        found = codebook_of(head) if head.exists() and has_codes(head) else None
        return found or codebook.shipped()

    def _demand_room(self) -> None:
        free = disk.free_bytes(self._lab.root)
        if free < FREE_BYTES_MIN:
            raise DiskFull(str(self._lab.root), free, FREE_BYTES_MIN)


def _families(text: str) -> list[str]:
    """The families of the setting, in the order of all. Raises `InputRefused`."""
    wanted = [each.strip() for each in text.split(",") if each.strip()]
    unknown = [each for each in wanted if each not in tasks.FAMILIES]
    if unknown:
        known = ", ".join(tasks.FAMILIES)
        raise InputRefused(
            f"forge.families names {unknown[0]!r}; there are {known}",
            next_command="r3 config --origin",
        )
    return [name for name in tasks.FAMILIES if not wanted or name in wanted]
