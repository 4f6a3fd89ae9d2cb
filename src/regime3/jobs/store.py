"""Jobs and what came of their items, in one SQLite file. Every statement stands here.

    store = await Store.open(lab.node_jobs_file)
    job = await store.create(draft, now)
    await store.record(job.id, Item(3, {...}))     # once: a second time changes nothing

One thread owns the connection. WAL, so that readers (a shard being written) never wait.
`synchronous` is FULL for what somebody was told (a job is made, cancelled, ended), and NORMAL for
results: a power cut may lose the last of them, whole, and then their items are worked on again; a
killed process loses nothing either way.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from regime3.errors import LabError, NodeRefused, Unavailable
from regime3.jobs.record import AGAIN, OPEN, Bound, Item, Job, Kind, State

SCHEMA_VERSION = 1
OPEN_MAX = 256
"""Jobs that are queued or running; more are answered with 429."""
RETRY_AFTER_S = 30.0
PAGE = 256
BUSY_S = 30.0

SCHEMA = """
CREATE TABLE jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    total INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0,
    missed INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 1,
    error TEXT,
    orders TEXT NOT NULL,
    bound TEXT NOT NULL,
    facts TEXT NOT NULL,
    summary TEXT
);
CREATE INDEX jobs_by_state ON jobs (state, priority DESC, sequence);
CREATE TABLE inputs (
    job TEXT NOT NULL REFERENCES jobs (id),
    item INTEGER NOT NULL,
    row TEXT NOT NULL,
    PRIMARY KEY (job, item)
) WITHOUT ROWID;
CREATE TABLE items (
    job TEXT NOT NULL REFERENCES jobs (id),
    item INTEGER NOT NULL,
    missed TEXT,
    result TEXT NOT NULL,
    UNIQUE (job, item)
);
CREATE INDEX items_as_they_came ON items (job);
"""
JOB = (
    "sequence, id, kind, state, priority, created, started, ended, total, done, missed, "
    "attempts, error, orders, bound, facts, summary"
)
IS_OPEN = f"state IN ({', '.join(repr(str(each)) for each in OPEN)})"
MAY_RETRY = f"state IN ({', '.join(repr(str(each)) for each in AGAIN)})"
INSERT_JOB = (
    "INSERT INTO jobs (id, kind, state, priority, created, total, orders, bound, facts) "
    "VALUES (?, ?, 'queued', ?, ?, ?, ?, ?, ?)"
)
INSERT_ITEM = (
    "INSERT OR IGNORE INTO items (job, item, missed, result) "
    "SELECT ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM jobs WHERE id = ? AND state = 'running')"
)
COUNT_ITEM = "UPDATE jobs SET done = done + 1, missed = missed + ? WHERE id = ?"
START = (
    f"UPDATE jobs SET state = 'running', started = COALESCE(started, ?) WHERE id = ? AND {IS_OPEN}"
)
END = "UPDATE jobs SET state = ?, ended = ?, error = ?, summary = ? WHERE id = ? AND state = ?"
CANCEL = f"UPDATE jobs SET state = 'cancelled', ended = ? WHERE id = ? AND {IS_OPEN}"
FORGET_MISSED = "DELETE FROM items WHERE job = ? AND missed IS NOT NULL"
RETRY = (
    "UPDATE jobs SET state = 'queued', ended = NULL, error = NULL, summary = NULL, "
    "attempts = attempts + 1, done = done - missed, missed = 0 "
    f"WHERE id = ? AND {MAY_RETRY}"
)
PRIORITY = f"UPDATE jobs SET priority = ? WHERE id = ? AND {IS_OPEN}"
ENDED_BEFORE = f"SELECT id FROM jobs WHERE NOT {IS_OPEN} AND ended < ? ORDER BY sequence"
DELETE_ENDED = f"DELETE FROM jobs WHERE id = ? AND NOT {IS_OPEN}"
COLUMNS = "SELECT item, result, missed, rowid FROM items WHERE job = ?"
RESULTS = f"{COLUMNS} AND item > ? ORDER BY item LIMIT ?"
AS_THEY_CAME = f"{COLUMNS} AND rowid > ? ORDER BY rowid LIMIT ?"

T = TypeVar("T")


class Draft(msgspec.Struct, frozen=True):
    """A job that is to be made. `inputs`: rows that its items are about, by item number."""

    id: str
    kind: Kind
    priority: int
    total: int
    order: dict[str, Any]
    bound: list[Bound]
    facts: dict[str, Any]
    inputs: list[str] = []


class Store:
    """The file of jobs. Safe to use from one event loop; every call is one transaction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._thread = ThreadPoolExecutor(1, "jobs-store")

    @classmethod
    async def open(cls, path: Path) -> Store:
        """The store at `path`, made if need be. Raises `LabError` if the file is not one."""
        store = cls(path)
        await store._call(store._connect)
        return store

    async def close(self) -> None:
        """Let go of the file."""
        await self._call(lambda: self._db.close())
        self._thread.shutdown()

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _connect(self) -> None:
        try:
            self._db = connection(self.path)
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            if version == 0:
                self._db.executescript(f"BEGIN;{SCHEMA}PRAGMA user_version={SCHEMA_VERSION};COMMIT")
        except sqlite3.DatabaseError as error:
            raise LabError(f"{self.path} is no store of jobs: {error}", "r3 doctor") from None
        if version > SCHEMA_VERSION:
            raise LabError(
                f"{self.path} was written by a newer version (schema {version}, here "
                f"{SCHEMA_VERSION})"
            )

    @contextlib.contextmanager
    def _transaction(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            self._roll_back()
            raise Unavailable(f"the store of jobs cannot be written: {error}") from None
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    # --------------------------------------------------------------------------- jobs

    async def create(self, draft: Draft, now: float) -> Job:
        """Make a job, queued. Raises `NodeRefused` 429 when too many are open."""

        def work() -> Job:
            with self._transaction(durable=True) as db:
                self._refuse_full(db)
                db.execute(
                    INSERT_JOB,
                    (draft.id, draft.kind, draft.priority, now, draft.total, _json(draft.order),
                     _json(msgspec.to_builtins(draft.bound)), _json(draft.facts)),
                )  # fmt: skip
                db.executemany(
                    "INSERT INTO inputs (job, item, row) VALUES (?, ?, ?)",
                    ((draft.id, number, row) for number, row in enumerate(draft.inputs)),
                )
            return self._job(draft.id)

        return await self._call(work)

    def _refuse_full(self, db: sqlite3.Connection) -> None:
        count = db.execute(f"SELECT COUNT(*) FROM jobs WHERE {IS_OPEN}").fetchone()[0]
        if count >= OPEN_MAX:
            raise NodeRefused(
                429,
                "queue_full",
                f"{count} jobs are queued or running, at most {OPEN_MAX}",
                retry_after_s=RETRY_AFTER_S,
            )

    def _job(self, job_id: str) -> Job:
        found = self._db.execute(f"SELECT {JOB} FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if found is None:
            raise NodeRefused(404, "job_not_found", f"there is no job {job_id}", param="job_id")
        return _read(found)

    async def job(self, job_id: str) -> Job:
        """Raises `NodeRefused` 404."""
        return await self._call(lambda: self._job(job_id))

    async def jobs(
        self,
        *,
        state: State | None = None,
        kind: Kind | None = None,
        before: int | None = None,
        limit: int = PAGE,
    ) -> list[Job]:
        """Newest first; `before` is a sequence."""
        wanted = [("state = ?", state), ("kind = ?", kind), ("sequence < ?", before)]
        given = [(text, value) for text, value in wanted if value is not None]
        where = " AND ".join(text for text, _ in given) or "1"
        sql = f"SELECT {JOB} FROM jobs WHERE {where} ORDER BY sequence DESC LIMIT ?"
        values = [*(value for _, value in given), limit]
        return await self._call(lambda: [_read(row) for row in self._db.execute(sql, values)])

    async def open_jobs(self) -> list[Job]:
        """Queued and running, the next to be worked on first."""
        sql = f"SELECT {JOB} FROM jobs WHERE {IS_OPEN} ORDER BY priority DESC, sequence"
        return await self._call(lambda: [_read(row) for row in self._db.execute(sql)])

    async def counts(self) -> list[tuple[Kind, State, int]]:
        """Jobs by kind and state."""
        sql = "SELECT kind, state, COUNT(*) FROM jobs GROUP BY kind, state"
        return await self._call(
            lambda: [(Kind(kind), State(state), n) for kind, state, n in self._db.execute(sql)]
        )

    async def begin(self, job_id: str, now: float) -> bool:
        """It runs from now on; False if it has ended meanwhile."""
        return await self._change(START, (now, job_id))

    async def end(
        self,
        job_id: str,
        state: State,
        now: float,
        *,
        error: str | None = None,
        summary: dict[str, Any] | None = None,
    ) -> bool:
        """It has run to its end; False if it was cancelled meanwhile."""
        told = None if summary is None else _json(summary)
        return await self._change(END, (state, now, error, told, job_id, State.RUNNING))

    async def cancel(self, job_id: str, now: float) -> Job:
        """Raises `NodeRefused`: 404, or 409 if it is done or failed. Cancelling twice is fine."""
        if not await self._change(CANCEL, (now, job_id)):
            job = await self.job(job_id)
            if job.state is not State.CANCELLED:
                raise _conflict(job, "only a queued or running one can be cancelled")
        return await self.job(job_id)

    async def retry(self, job_id: str) -> Job:
        """Queue it again, for the items that it lacks. Raises `NodeRefused` 404, 409 or 429."""

        def work() -> Job:
            with self._transaction(durable=True) as db:
                job = self._job(job_id)
                if job.state not in AGAIN:
                    raise _conflict(job, "only a failed or cancelled one can be tried again")
                self._refuse_full(db)
                db.execute(FORGET_MISSED, (job_id,))
                db.execute(RETRY, (job_id,))
            return self._job(job_id)

        return await self._call(work)

    async def ended_before(self, when: float) -> list[str]:
        """Ids of the jobs that ended before then, the oldest first."""
        found = await self._call(lambda: self._db.execute(ENDED_BEFORE, (when,)).fetchall())
        return [job_id for (job_id,) in found]

    async def delete_ended(self, job_id: str) -> None:
        """Delete a job with its rows and results, if it is not open."""

        def work() -> None:
            with self._transaction(durable=True) as db:
                if db.execute(DELETE_ENDED, (job_id,)).rowcount:
                    db.execute("DELETE FROM items WHERE job = ?", (job_id,))
                    db.execute("DELETE FROM inputs WHERE job = ?", (job_id,))

        await self._call(work)

    async def set_priority(self, job_id: str, priority: int) -> Job:
        """Raises `NodeRefused` 404, or 409 if it has ended."""
        if not await self._change(PRIORITY, (priority, job_id)):
            raise _conflict(await self.job(job_id), "its priority means nothing any more")
        return await self.job(job_id)

    async def _change(self, sql: str, values: tuple[Any, ...]) -> bool:
        def work() -> bool:
            with self._transaction(durable=True) as db:
                return db.execute(sql, values).rowcount > 0

        return await self._call(work)

    # --------------------------------------------------------------------------- items

    async def record(self, job_id: str, item: Item) -> bool:
        """Keep an item's result and count it, both or neither.

        False, and nothing is kept, if it is there already or the job no longer runs."""

        def work() -> bool:
            values = (job_id, item.item, item.missed, _json(item.result), job_id)
            with self._transaction(durable=False) as db:
                new = db.execute(INSERT_ITEM, values).rowcount > 0
                if new:
                    db.execute(COUNT_ITEM, (item.missed is not None, job_id))
            return new

        return await self._call(work)

    async def done_items(self, job_id: str) -> set[int]:
        """Numbers of the items that have a result."""
        sql = "SELECT item FROM items WHERE job = ?"
        return await self._call(lambda: {row[0] for row in self._db.execute(sql, (job_id,))})

    async def row(self, job_id: str, item: int) -> dict[str, Any]:
        """The input row `item` of a job that was made with rows."""
        sql = "SELECT row FROM inputs WHERE job = ? AND item = ?"
        found = await self._call(lambda: self._db.execute(sql, (job_id, item)).fetchone())
        assert found is not None, f"job {job_id} has no row {item}"
        row: dict[str, Any] = json.loads(found[0])
        return row

    async def items(self, job_id: str, after: int, limit: int) -> list[Item]:
        """Results as they came, those after sequence `after`."""
        return await self._call(lambda: _items(self._db, AS_THEY_CAME, job_id, after, limit))

    def results(self, job_id: str) -> Iterator[Item]:
        """All results in order. Blocks, and reads by a connection of its own: for any thread."""
        with contextlib.closing(connection(self.path)) as db:
            after = -1
            while page := _items(db, RESULTS, job_id, after, PAGE):
                yield from page
                after = page[-1].item


def connection(path: Path) -> sqlite3.Connection:
    """A connection in WAL mode whose transactions are begun by hand."""
    db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    return db


def _items(db: sqlite3.Connection, sql: str, job_id: str, after: int, limit: int) -> list[Item]:
    rows = db.execute(sql, (job_id, after, limit)).fetchall()
    return [Item(number, json.loads(text), missed, came) for number, text, missed, came in rows]


def _read(row: tuple[Any, ...]) -> Job:
    (*known, orders, bound, facts, summary) = row
    fields = dict(zip(JOB.split(", "), known, strict=False))
    fields["kind"], fields["state"] = Kind(fields["kind"]), State(fields["state"])
    return Job(
        **fields,
        order=json.loads(orders),
        bound=msgspec.convert(json.loads(bound), list[Bound]),
        facts=json.loads(facts),
        summary=None if summary is None else json.loads(summary),
    )


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _conflict(job: Job, why: str) -> NodeRefused:
    return NodeRefused(409, "job_state", f"job {job.id} is {job.state}: {why}", param="job_id")
