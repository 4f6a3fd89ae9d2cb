"""The stream over real connections to a real server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.paths import Lab
from regime3.records import messages as say
from regime3.web import stream
from regime3.web.app import create_app
from tests.web.conftest import serving
from tests.web.labs import busy_day


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    """Event and data of each message, without the keep-alives."""
    kind = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data" and kind == "live":
            yield kind, json.loads(value)


def test_all_who_listen_hear_the_same_at_once_and_again_when_it_changes(lab: Lab) -> None:
    day = busy_day(lab, 30)
    with serving(lab) as url, httpx.Client(timeout=10) as client, ExitStack() as stack:
        answers = [stack.enter_context(client.stream("GET", f"{url}api/stream")) for _ in range(5)]
        heard = [events(answer.iter_lines()) for answer in answers]
        assert {answer.headers["content-type"].split(";")[0] for answer in answers} == {
            "text/event-stream"
        }
        assert [next(each)[1]["status"]["state"] for each in heard] == 5 * ["training"]
        day.board.take(say.Beat("paused"))
        day.write()
        for each in heard:
            assert next(each)[1]["judgement"]["state"] == "paused"


def test_the_stream_says_what_the_route_says(lab: Lab) -> None:
    busy_day(lab, 30)
    still = FakeClock()
    client = TestClient(create_app(lab, Settings(), still), "http://127.0.0.1:8080")
    told = list(events(iter(client.get("/api/stream").text.splitlines())))
    assert [body for _, body in told] == [client.get("/api/live").json()]


def test_one_too_many_is_told_to_poll(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    busy_day(lab, 30)
    monkeypatch.setattr(stream, "LISTENERS_MAX", 1)
    with serving(lab) as url, httpx.Client(timeout=10) as client:
        with client.stream("GET", f"{url}api/stream") as first:
            heard = events(first.iter_lines())  # held: letting go of it hangs up
            assert next(heard)
            refused = client.get(f"{url}api/stream")
            assert refused.status_code == 503 and "poll /api/live" in refused.json()["error"]
        status = 503
        deadline = time.monotonic() + 10
        while status == 503 and time.monotonic() < deadline:  # until the first one is missed
            with client.stream("GET", f"{url}api/stream") as again:
                status = again.status_code
        assert status == 200


def test_a_torn_status_is_told_once_and_then_what_follows(lab: Lab) -> None:
    lab.status.mkdir(parents=True)
    lab.status_file.write_text('{"torn')
    with (
        serving(lab) as url,
        httpx.Client(timeout=10) as client,
        client.stream("GET", f"{url}api/stream") as answer,
    ):
        heard = events(answer.iter_lines())
        assert next(heard)[1]["problem"]["reason"]
        busy_day(lab, 30)
        assert any(body["status"]["current_step"] == 30 for _, body in heard if body["status"])
