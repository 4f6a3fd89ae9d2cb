"""Slow and malformed senders, over real sockets against a real server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from regime3.serve.connections import Connection
from regime3.serve.limits import Limits
from tests.serve.guarded import Guarded

LIMITS = Limits(
    body_bytes_max=1000,
    upload_bytes_max=2000,
    body_s_max=0.4,
    upload_idle_s_max=0.3,
    linger_s_max=0.3,
)


class Hasty(Connection):
    headers_s_max = 0.4


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    app = Guarded(tmp_path_factory.mktemp("node"), limits=LIMITS).app
    config = uvicorn.Config(app, http=Hasty, ws="none", lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()
    listener.close()


def heard(wire: socket.socket) -> bytes:
    """Everything until the other side closes."""
    wire.settimeout(10)
    found = b""
    while piece := wire.recv(65536):
        found += piece
    return found


def talk(port: int, *pieces: bytes, pause_s: float = 0.0) -> tuple[int, dict[str, Any], float]:
    """Send the pieces; the status, the JSON, and how long it all took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as wire:
        try:
            for piece in pieces:
                wire.sendall(piece)
                time.sleep(pause_s)
        except (BrokenPipeError, ConnectionResetError):
            pass
        found = heard(wire)
    head, _, body = found.partition(b"\r\n\r\n")
    status = int(head.split()[1]) if head else 0
    return status, json.loads(body) if body.startswith(b"{") else {}, time.monotonic() - began


def test_headers_that_never_end_are_cut_off(port: int) -> None:
    status, _, took_s = talk(port, b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
    assert status == 0 and took_s < 5


def test_headers_that_trickle_do_not_buy_time(port: int) -> None:
    pieces = [b"GET /health HTTP/1.1\r\n", *[b"x-%d: 1\r\n" % number for number in range(40)]]
    status, _, took_s = talk(port, *pieces, pause_s=0.05)
    assert status == 0 and took_s < 4


def test_a_silent_connection_is_let_go(port: int) -> None:
    status, _, took_s = talk(port)
    assert status == 0 and took_s < 5


def test_a_second_request_that_trickles_is_cut_off_too(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"200 OK" in wire.recv(65536)
        began = time.monotonic()
        wire.sendall(b"GET /health HT")
        heard(wire)
        assert time.monotonic() - began < 3


def test_a_body_that_never_comes_is_answered_408(port: int) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    status, body, took_s = talk(port, head, b"abc")
    assert status == 408 and body["error"]["code"] == "body_too_slow" and took_s < 5


def test_a_body_that_trickles_is_answered_408(port: int) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    status, body, took_s = talk(port, head, *[b"a"] * 20, pause_s=0.05)
    assert status == 408 and body["error"]["code"] == "body_too_slow" and took_s < 5


def test_an_upload_may_take_long_but_not_pause_long(port: int) -> None:
    head = b"PATCH /models/uploads/a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    whole = talk(port, head + b"Content-Length: 12\r\n\r\n", *[b"a"] * 12, pause_s=0.05)
    assert whole[0] == 200 and whole[1]["size"] == 12 and whole[2] > 0.5
    status, body, _ = talk(port, head + b"Content-Length: 12\r\n\r\n", b"aaa")
    assert status == 408 and body["error"]["code"] == "body_too_slow"


def test_a_gigabyte_is_refused_by_its_length_alone(port: int) -> None:
    head = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000\r\n\r\n"
    status, body, took_s = talk(port, head, b"a" * 200_000)
    assert status == 413 and body["error"]["code"] == "body_too_large" and took_s < 5


def test_chunks_without_a_length_are_counted(port: int) -> None:
    chunk = b"1f4\r\n" + b"a" * 500 + b"\r\n"
    for path, chunks in ((b"/v1/x", 3), (b"/models/uploads/a", 5)):
        head = b"POST %s HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" % path
        status, body, _ = talk(port, head, *[chunk] * chunks, b"0\r\n\r\n")
        assert status == 413 and body["error"]["code"] == "body_too_large"


@pytest.mark.parametrize(
    "text",
    [
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: evil.example\r\nHost : localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n Host: localhost\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Content-Length: 2\r\n\r\nab",
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: gzip\r\n\r\na",
        b"GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nx: a\0b\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET /v1/%2e%2e/jobs HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_tricks_with_headers_and_lines_are_refused(port: int, text: bytes) -> None:
    status, _, took_s = talk(port, text)
    assert status in (400, 421, 501) and took_s < 5


def test_an_upgrade_is_not_followed(port: int) -> None:
    head = (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n"
    )
    assert talk(port, head)[0] in (200, 400, 403)


def test_requests_in_one_piece_are_each_guarded(port: int) -> None:
    good = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    bad = b"GET /jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port)) as wire:
        wire.sendall(good + bad)
        found = heard(wire)
    assert found.count(b"HTTP/1.1 200") == 1 and found.count(b"HTTP/1.1 421") == 1
