"""Telling a person who is away: alerts, deaths and verdicts, to a webhook and to an ntfy topic.

    run(lab, settings, say)              # `r3 notify`, and `r3 up` where an address is set
    Notifier(lab, settings.notify, clock, deliver).turn()

A process of its own that only reads: it judges the status by its age, as the page does, and so can
tell of a trainer that no longer tells anything. What is lasting is told when it begins and when it
is over, verdicts once. What was told, and what could not be delivered yet, stands in the lab
(`control/notify.json`), so that a restart neither repeats nor forgets; a note that was delivered
just before a kill may come twice.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import httpx
import msgspec

from regime3 import disk
from regime3.clock import Clock, SystemClock
from regime3.config import Notify, Settings
from regime3.errors import SettingsError, Unavailable
from regime3.judge import ledger
from regime3.paths import Lab
from regime3.records.status import Level
from regime3.status.liveness import judge
from regime3.status.reading import read_status

POLL_S: Final = 5.0
TIMEOUT_S: Final = 10.0
RETRY_S, RETRY_S_MAX = 10.0, 600.0
PENDING_MAX: Final = 100
"""Notes that wait for delivery; beyond, the oldest go and their number is told."""
AGAIN_S: Final = 900.0
"""A condition that comes back sooner is not told again."""
GRAVITY: Final[dict[str, int]] = {"INFO": 0, "WARN": 1, "ERROR": 2}
PRIORITY: Final[dict[str, int]] = {"INFO": 2, "WARN": 4, "ERROR": 5}
"""As ntfy counts: 3 is usual, 5 the most."""
TAGS: Final[dict[str, str]] = {
    "INFO": "information_source",
    "WARN": "warning",
    "ERROR": "rotating_light",
}
STATES: Final[dict[str, Level]] = {"dead": "ERROR", "fatal": "ERROR"}
"""States that only a look from outside can tell of. A stall is an alert of the status itself."""
BLIND: Final = {*STATES, "unreadable"}
"""While one of these lasts, nothing is known of alerts."""
WORDS: Final[dict[str, tuple[Level, str]]] = {
    "promote": ("INFO", "Nothing to do; it serves already."),
    "rollback": (
        "WARN",
        "The forge's shards since are set aside. See why: r3 checkpoints --ledger",
    ),
}

Kind = Literal["raised", "over", "told"]


class Note(msgspec.Struct, frozen=True):
    """One message."""

    code: str
    level: Level
    kind: Kind
    message: str
    what_to_do: str
    at: float
    """Wall seconds."""


class Told(msgspec.Struct):
    """What is remembered."""

    active: dict[str, Note] = {}
    """Lasting conditions that were told, by code."""
    told_at: dict[str, float] = {}
    verdict: int | None = None
    """The last verdict that is dealt with; None before the first look."""
    pending: dict[str, list[Note]] = {}
    """What each address has not taken yet, oldest first."""


Deliver = Callable[[str, str, Note], None]
"""Lab's name, which address ("webhook" or "ntfy"), the note. Raises `Unavailable`."""


class Notifier:
    """Looks, compares with what was told, delivers. `turn` gives the seconds until the next."""

    def __init__(self, lab: Lab, settings: Notify, clock: Clock, deliver: Deliver) -> None:
        self.lab, self.settings, self.clock, self.deliver = lab, settings, clock, deliver
        self.told = _remembered(lab)
        self.trouble = ""
        self._pause_s = RETRY_S
        self._retry_at = 0.0

    def turn(self) -> float:
        """One look."""
        before = msgspec.json.encode(self.told)
        for note in self._news():
            for address in _addresses(self.settings):
                waiting = self.told.pending.setdefault(address, [])
                waiting.append(note)
                del waiting[:-PENDING_MAX]
        self._remember(before)
        if self.clock.monotonic() >= self._retry_at:
            self._send()
        return POLL_S

    def _remember(self, before: bytes) -> None:
        now = msgspec.json.encode(self.told)
        if now != before:
            disk.make_folder(self.lab.control)
            disk.write_bytes(self.lab.notify_file, now)

    # ------------------------------------------------------------ what is new

    def _news(self) -> Iterator[Note]:
        least = GRAVITY[self.settings.level]
        for note in [*self._conditions(), *self._verdicts()]:
            if GRAVITY[note.level] >= least or (note.kind == "told" and self.settings.verdicts):
                yield note

    def _conditions(self) -> list[Note]:
        now = self.clock.now()
        there = {note.code: note for note in _conditions_of(self.lab, now)}
        known, news = self.told.active, []
        for code, note in there.items():
            if code not in known and now - self.told.told_at.get(code, -AGAIN_S) >= AGAIN_S:
                known[code] = note
                self.told.told_at[code] = now
                news.append(note)
        gone = known.keys() - there.keys()
        if there.keys() & BLIND:
            gone &= BLIND  # nobody has said that the others are over
        for code in sorted(gone):
            news.append(msgspec.structs.replace(known.pop(code), kind="over", at=now))
        return news

    def _verdicts(self) -> list[Note]:
        found = ledger.verdicts(self.lab)
        newest = found[-1].number if found else 0
        known = newest if self.told.verdict is None else self.told.verdict
        self.told.verdict = newest
        news = []
        for each in found:
            if each.number > known and each.word in WORDS:
                level, advice = WORDS[each.word]
                text = f"Checkpoint {each.seal}: {each.word}"
                text += f" ({each.reason})" if each.reason else ""
                news.append(Note(each.word, level, "told", text, advice, each.at))
        return news

    # ------------------------------------------------------------ delivery

    def _send(self) -> None:
        """All that waits; an address that fails keeps the rest, and is tried again later."""
        failed = ""
        for address in _addresses(self.settings):
            waiting = self.told.pending.get(address, [])
            while waiting:
                before = msgspec.json.encode(self.told)
                try:
                    self.deliver(self.lab.root.resolve().name, address, waiting[0])
                except Unavailable as problem:
                    failed = problem.message
                    break
                waiting.pop(0)
                self._remember(before)
        self.trouble = failed
        self._pause_s = min(2 * self._pause_s, RETRY_S_MAX) if failed else RETRY_S
        self._retry_at = self.clock.monotonic() + self._pause_s if failed else 0.0


def _conditions_of(lab: Lab, now: float) -> list[Note]:
    """What lasts: the alerts of a living trainer, or that it lives no more."""
    try:
        status = read_status(lab)
    except Unavailable as problem:
        if not lab.status_file.exists():
            return []  # no trainer has run yet
        advice = problem.next_command or "r3 doctor"
        return [Note("unreadable", "ERROR", "raised", problem.message, advice, now)]
    judged = judge(status, now)
    if judged.state in STATES:
        level = STATES[judged.state]
        return [Note(judged.state, level, "raised", judged.sentence, judged.what_to_do, now)]
    if judged.state == "stopped":
        return []
    return [
        Note(alert.code, alert.level, "raised", alert.message, alert.what_to_do, alert.since)
        for alert in status.active_alerts
    ]


def _remembered(lab: Lab) -> Told:
    """What was told before; a damaged file is begun anew, as if nothing had been."""
    try:
        return msgspec.json.decode(lab.notify_file.read_bytes(), type=Told)
    except (FileNotFoundError, msgspec.MsgspecError):
        return Told()


def _addresses(settings: Notify) -> list[str]:
    return [name for name in ("webhook", "ntfy") if getattr(settings, name)]


# ---------------------------------------------------------------------------------- over HTTP


class Post:
    """Delivers over HTTP. Raises `SettingsError` for an address that is none."""

    def __init__(self, settings: Notify, client: httpx.Client | None = None) -> None:
        for name in _addresses(settings):
            parts = urlsplit(getattr(settings, name))
            topic = parts.path.strip("/")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise SettingsError(f"notify.{name}", "it is no http address", "Write https://…")
            if name == "ntfy" and not topic:
                raise SettingsError("notify.ntfy", "it names no topic", "Write https://HOST/TOPIC")
        self.settings = settings
        self.client = client or httpx.Client(timeout=TIMEOUT_S)

    def __call__(self, lab: str, address: str, note: Note) -> None:
        """Deliver one note. Raises `Unavailable` with the address's host and the reason."""
        url = getattr(self.settings, address)
        headers = {}
        if address == "ntfy":
            url, topic = url.rstrip("/").rsplit("/", 1)
            body = ntfy_body(lab, topic, note)
            if self.settings.ntfy_token:
                headers = {"authorization": f"Bearer {self.settings.ntfy_token}"}
        else:
            body = webhook_body(lab, note)
        try:
            self.client.post(url, json=body, headers=headers).raise_for_status()
        except httpx.HTTPError as error:
            why = type(error).__name__
            if isinstance(error, httpx.HTTPStatusError):
                why = f"status {error.response.status_code}"
            host = urlsplit(url).hostname
            raise Unavailable(f"notify.{address}: {host} did not take it: {why}") from None


def text_of(lab: str, note: Note) -> str:
    """A note in one line."""
    over = "Over: " if note.kind == "over" else ""
    return f"{lab}: {over}{note.message}"


def webhook_body(lab: str, note: Note) -> dict[str, Any]:
    """Every field by name, and `text`, which chat servers show."""
    return {"lab": lab, "text": text_of(lab, note), **msgspec.to_builtins(note)}


def ntfy_body(lab: str, topic: str, note: Note) -> dict[str, Any]:
    """As ntfy publishes JSON."""
    over = note.kind == "over"
    return {
        "topic": topic,
        "title": f"{lab}: {'over' if over else note.level}",
        "message": note.message if over else f"{note.message}\n{note.what_to_do}",
        "priority": 2 if over else PRIORITY[note.level],
        "tags": ["white_check_mark" if over else TAGS[note.level]],
    }


# ------------------------------------------------------------------------------------- the role


def test(lab: Lab, settings: Settings) -> list[str]:
    """Send a note to every address and return their names. Raises `Unavailable`."""
    names = _wanted(settings)
    post = Post(settings.notify)
    note = Note("test", "INFO", "told", "This is a test", "Nothing to do.", SystemClock().now())
    for name in names:
        post(lab.root.resolve().name, name, note)
    return names


def run(lab: Lab, settings: Settings, say: Callable[[str], None]) -> int:
    """Until SIGTERM or SIGINT. Raises `SettingsError`, `LabLocked`."""
    names = _wanted(settings)
    disk.make_folder(lab.control)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with disk.Lock(lab.notify_lock, "the notifier", f"pid {os.getpid()}"):
        notifier = Notifier(lab, settings.notify, SystemClock(), Post(settings.notify))
        say(f"notifying: {' and '.join(names)}, from {settings.notify.level} on")
        trouble = ""
        while not stop.is_set():
            pause_s = notifier.turn()
            if notifier.trouble != trouble:
                trouble = notifier.trouble
                say(trouble or "notes are delivered again")
            stop.wait(pause_s)
    return 0


def _wanted(settings: Settings) -> list[str]:
    names = _addresses(settings.notify)
    if not names:
        raise SettingsError(
            "notify.webhook", "no address is set", "Set notify.webhook or notify.ntfy"
        )
    return names
