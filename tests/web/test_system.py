"""Both boxes over the API: a node that answers, and every kind that does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.testclient import TestClient

from regime3 import disk
from regime3.config import Settings
from regime3.paths import Lab
from regime3.web import system
from regime3.web.app import create_app
from tests.web.labs import busy_day

LOCAL = "http://127.0.0.1:8080"
SYSTEM = {"cpu_percent": 5.0, "cpu_count": 8, "memory_used_bytes": 3, "memory_total_bytes": 9}
Answer = tuple[int, bytes]


@pytest.fixture
def node(lab: Lab) -> Iterator[Callable[..., None]]:
    """`node({"/system": (200, b"..."), ...}, delay_s)`: a node at the lab's address."""
    servers = []

    def start(answers: dict[str, Answer], delay_s: float = 0.0) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                time.sleep(delay_s)
                status, body = answers.get(self.path, (404, b"{}"))
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        disk.make_folder(lab.node)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        disk.write_json(lab.node_address_file, {"url": url})

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def asked(lab: Lab, path: str) -> dict[str, Any]:
    answer = TestClient(create_app(lab, Settings()), LOCAL).get(path)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_both_boxes_say_what_they_have(lab: Lab, node: Callable[..., None]) -> None:
    busy_day(lab, 30)
    cards = {"cards": None, "reason": "no driver"}
    node({"/system": (200, json.dumps(SYSTEM).encode()), "/gpu": (200, json.dumps(cards).encode())})
    found = asked(lab, "/api/system")
    assert found["trainer"]["system"]["cpu_count"] >= 1 and found["trainer"]["at"]
    assert found["node"]["system"] == SYSTEM and found["node"]["reason"] is None
    seen = asked(lab, "/api/gpu_stats")
    assert seen["trainer"]["gpu"][0]["name"] == "Simulated card"
    assert seen["node"]["gpu"] == cards


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"/system": (401, b"{}")}, "the node answers 401"),
        ({"/system": (200, b"<html>")}, "what answers there is no node"),
        ({"/system": (200, b"[]"), "/gpu": (200, b"{}")}, "what answers there is no node"),
    ],
)
def test_a_node_that_answers_otherwise_is_said_with_the_reason(
    lab: Lab, node: Callable[..., None], answers: dict[str, Answer], reason: str
) -> None:
    node({"/gpu": (200, b"{}"), **answers})
    found = asked(lab, "/api/system")["node"]
    assert found == {"at": None, "reason": reason, "system": None}


def test_no_node_and_no_trainer_are_said_and_not_made_up(lab: Lab) -> None:
    found = asked(lab, "/api/system")
    assert "does not run" in found["node"]["reason"] and found["node"]["system"] is None
    assert found["trainer"]["reason"] and found["trainer"]["system"] is None
    memory = asked(lab, "/api/memory_stats")
    assert memory["time"] == [] and memory["token_budget"] is None and memory["events"] == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense", "http://[broken"])
def test_a_node_that_is_gone_is_said(lab: Lab, url: str) -> None:
    disk.make_folder(lab.node)
    disk.write_json(lab.node_address_file, {"url": url})
    assert "no node answers" in asked(lab, "/api/system")["node"]["reason"]


def test_a_slow_node_keeps_one_caller_waiting_and_not_for_long(
    lab: Lab, node: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    node({"/system": (200, b"{}"), "/gpu": (200, b"{}")}, delay_s=3.0)
    monkeypatch.setattr(system, "TIMEOUT_S", 1.0)
    client = TestClient(create_app(lab, Settings()), LOCAL)
    first: list[Any] = []
    waiting = threading.Thread(target=lambda: first.append(client.get("/api/system").json()))
    waiting.start()
    time.sleep(0.3)
    assert waiting.is_alive()
    assert client.get("/api/system").json()["node"]["reason"] == "not asked yet"
    assert waiting.is_alive()
    waiting.join()
    assert "ReadTimeout" in first[0]["node"]["reason"]


def test_memory_over_time_has_readings_and_what_ran_out(lab: Lab) -> None:
    day = busy_day(lab, 120)
    for second in range(0, 60, 3):
        day.clock.advance(3)
        day.board.machine_log.add(day.clock.now() + second, reading())
    found = asked(lab, "/api/memory_stats?points=3")
    assert 1 < len(found["time"]) <= 3
    assert found["figures"]["memory_used_bytes"]["max"][-1] == 4e9
    assert found["token_budget"] and {each["kind"] for each in found["events"]} == {"out-of-memory"}
    later = day.clock.now() + 3600
    assert asked(lab, f"/api/memory_stats?since={later}")["events"] == []


def test_the_nodes_box_over_time_is_the_nodes_own_word(lab: Lab, node: Callable[..., None]) -> None:
    page = TestClient(create_app(lab, Settings()), LOCAL)
    away = page.get("/api/memory_stats?box=node").json()
    assert away["time"] == [] and "does not run" in away["reason"]
    assert page.get("/api/memory_stats?box=node&range=77").status_code == 400
    over = {"time": [1.0, 2.0], "figures": {"cpu_percent": {"last": [5.0, None]}}}
    path = "/system/history?seconds=86400&points=400"
    node({path: (200, json.dumps(over).encode())})
    found = asked(lab, "/api/memory_stats?box=node&range=86400")
    assert found["reason"] is None and found["time"] == [1.0, 2.0]
    assert found["figures"] == over["figures"] and found["events"] == []


def reading() -> dict[str, float | None]:
    from regime3.status.machine_log import FIGURES

    return {name: 4e9 if name == "memory_used_bytes" else None for name in FIGURES}


@pytest.mark.parametrize("query", ["since=soon", "points=-1", "points=many"])
def test_a_bad_query_is_refused(lab: Lab, query: str) -> None:
    client = TestClient(create_app(lab, Settings()), LOCAL)
    assert client.get(f"/api/memory_stats?{query}").status_code == 400
