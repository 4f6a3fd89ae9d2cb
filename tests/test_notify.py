"""Notes over real HTTP: what is told, when it is over, and that none is lost or repeated."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from regime3 import notify
from regime3.cli.app import app
from regime3.clock import FakeClock
from regime3.config import Notify, Settings
from regime3.errors import SettingsError, Unavailable
from regime3.genesis import NANO_SETTINGS, found_lab
from regime3.judge import ledger
from regime3.model.nano import build_nano
from regime3.notify import AGAIN_S, PENDING_MAX, Notifier, Post
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.records.verdict import Verdict
from regime3.roles import roles_of
from tests.web.labs import Day, busy_day


class Board:
    """A server that takes notes, or refuses them."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, dict[str, Any], str]] = []
        self.refuse = 0
        board = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not board.refuse:
                    token = self.headers.get("authorization", "")
                    board.taken.append((self.path, json.loads(body), token))
                self.send_response(board.refuse or 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def texts(self) -> list[str]:
        return [body["text"] for path, body, _ in self.taken if path == "/hook"]


@pytest.fixture
def board() -> Iterator[Board]:
    found = Board()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(tmp_path / "home-lab")
    lab.root.mkdir()
    return lab


def notifier(lab: Lab, board: Board, clock: FakeClock, **settings: Any) -> Notifier:
    own = Notify(webhook=f"{board.url}/hook", **settings)
    return Notifier(lab, own, clock, Post(own))


def living(lab: Lab) -> tuple[Day, FakeClock]:
    """A lab without alerts, and the clock that it lives by."""
    day = busy_day(lab, 30)
    for alert in day.board.alerts.active():
        day.board.alerts.clear(alert.code)
    day.write()
    return day, day.clock


def turn(one: Notifier, clock: FakeClock, day: Day, seconds: float = 5.0) -> None:
    clock.advance(seconds)
    day.board.take(say.Beat("training"))  # or it would be called stalled
    day.board.write(clock.now())
    one.turn()


def test_an_alert_is_told_once_and_its_end_once(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    one = notifier(lab, board, clock)
    turn(one, clock, day)
    assert board.taken == []
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    for _ in range(3):
        turn(one, clock, day)
    assert board.texts() == ["home-lab: chat.jsonl failed"]
    assert board.taken[0][1]["what_to_do"] and board.taken[0][1]["level"] == "ERROR"
    day.board.alerts.clear("file-failed")
    for _ in range(3):
        turn(one, clock, day)
    assert board.texts()[1:] == ["home-lab: Over: chat.jsonl failed"]


def test_a_new_notifier_goes_on_where_the_last_one_was(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    for _ in range(3):
        turn(notifier(lab, board, clock), clock, day)
    day.board.alerts.clear("file-failed")
    turn(notifier(lab, board, clock), clock, day)
    assert [body["kind"] for _, body, _ in board.taken] == ["raised", "over"]


def test_what_comes_and_goes_is_not_told_again_soon(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    one = notifier(lab, board, clock)
    for _ in range(5):
        day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
        turn(one, clock, day)
        day.board.alerts.clear("file-failed")
        turn(one, clock, day)
    assert len(board.taken) == 2
    turn(one, clock, day, AGAIN_S)
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    turn(one, clock, day)
    assert len(board.taken) == 3


def test_milder_alerts_are_kept_back_and_verdicts_are_not(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    append(lab, "first", 1)
    one = notifier(lab, board, clock, level="ERROR")
    one.turn()
    day.board.alerts.raise_("throughput-low", "slow", clock.now())
    for seal, word in enumerate(("hold", "promote", "worse", "rollback"), 2):
        append(lab, word, seal)
    turn(one, clock, day)
    turn(one, clock, day)
    told = [body["code"] for _, body, _ in board.taken]
    assert told == ["promote", "rollback"]
    assert board.texts()[0] == "home-lab: Checkpoint 3: promote (because)"


def append(lab: Lab, word: Any, seal: int) -> None:
    ledger.append(lab, Verdict(seal, 1.0, word, seal, seal, "m", 1, "m", 1, "m", reason="because"))


def test_a_trainer_that_tells_nothing_any_more_is_told_as_dead(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    one = notifier(lab, board, clock)
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    turn(one, clock, day)
    clock.advance(120)
    one.turn()
    one.turn()
    assert [body["code"] for _, body, _ in board.taken] == ["file-failed", "dead"]
    day.board.take(say.Beat("training"))
    turn(one, clock, day)
    assert [body["kind"] for _, body, _ in board.taken][2:] == ["over"]
    assert board.taken[2][1]["code"] == "dead"


def test_a_lab_without_a_trainer_has_nothing_to_tell(lab: Lab, board: Board) -> None:
    notifier(lab, board, FakeClock()).turn()
    assert board.taken == []


def test_what_could_not_be_delivered_is_kept_and_delivered_later(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    one = notifier(lab, board, clock)
    board.refuse = 503
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    turn(one, clock, day)
    assert "127.0.0.1 did not take it: status 503" in one.trouble
    board.refuse = 0
    turn(one, clock, day, 1.0)
    assert board.taken == []  # not before its pause is over
    again = notifier(lab, board, clock)  # and a restart forgets nothing
    turn(again, clock, day)
    assert board.texts() == ["home-lab: chat.jsonl failed"] and again.trouble == ""


def test_what_waits_is_bounded(lab: Lab, board: Board) -> None:
    _, clock = living(lab)
    board.refuse = 500
    one = notifier(lab, board, clock)
    one.turn()
    for seal in range(1, PENDING_MAX + 20):
        append(lab, "promote", seal)
    one.turn()
    waiting = one.told.pending["webhook"]
    assert len(waiting) == PENDING_MAX and "Checkpoint 119" in waiting[-1].message


def test_ntfy_is_told_as_it_wants_with_its_token(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    own = Notify(ntfy=f"{board.url}/base/my-topic", ntfy_token="tk_secret")
    one = Notifier(lab, own, clock, Post(own))
    day.board.alerts.raise_("file-failed", "chät.jsonl failed", clock.now())
    turn(one, clock, day)
    ((path, body, token),) = board.taken
    assert path == "/base" and token == "Bearer tk_secret"
    assert body["topic"] == "my-topic" and body["priority"] == 5
    assert body["message"].startswith("chät.jsonl failed\n")


def test_a_damaged_memory_is_begun_anew(lab: Lab, board: Board) -> None:
    day, clock = living(lab)
    lab.control.mkdir(exist_ok=True)
    lab.notify_file.write_text('{"active": 7')
    day.board.alerts.raise_("file-failed", "chat.jsonl failed", clock.now())
    turn(notifier(lab, board, clock), clock, day)
    assert len(board.taken) == 1


@pytest.mark.parametrize(
    ("key", "value"),
    [("webhook", "no-address"), ("webhook", "ftp://host/x"), ("ntfy", "https://host/")],
)
def test_an_address_that_is_none_is_refused_with_its_name(key: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"notify\.{key}"):
        Post(Notify(**{key: value}))


def test_nobody_there_is_said_with_the_host_and_never_with_the_address(lab: Lab) -> None:
    post = Post(Notify(webhook="http://127.0.0.1:9/secret-path"))
    note = notify.Note("test", "INFO", "told", "x", "y", 1.0)
    with pytest.raises(Unavailable) as told:
        post("lab", "webhook", note)
    assert "127.0.0.1" in told.value.message and "secret" not in told.value.message


def test_the_command_sends_a_note_or_says_what_is_missing(tmp_path: Path, board: Board) -> None:
    lab = Lab(tmp_path / "own")
    found_lab(lab.root, build_nano, NANO_SETTINGS, "nano")
    words = ["notify", "--test", "--lab", str(lab.root)]
    sent = CliRunner().invoke(app, [*words, "--set", f"notify.webhook={board.url}/hook"])
    assert sent.exit_code == 0 and "sent to webhook" in sent.stdout
    assert board.texts() == ["own: This is a test"]
    missing = CliRunner().invoke(app, words)
    assert isinstance(missing.exception, SettingsError)


def test_up_starts_a_notifier_where_there_is_someone_to_notify() -> None:
    assert "notify" not in roles_of(Settings())
    assert "notify" in roles_of(Settings(notify=Notify(ntfy="https://host/topic")))
