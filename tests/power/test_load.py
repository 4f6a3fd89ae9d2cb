"""Load from a node: tokens counted while it answers, and its refusals told."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from regime3.errors import NodeRefused, Unavailable
from regime3.power.load import NodeLoad


@contextmanager
def answering(status: int) -> Iterator[str]:
    def reply(request: Request) -> Response:
        assert request.headers["authorization"] == "Bearer secret"
        time.sleep(0.01)
        return JSONResponse({"usage": {"completion_tokens": 32}}, status)

    app = Starlette(routes=[Route("/v1/completions", reply, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", ws="none", log_level="critical"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def test_tokens_are_counted_while_the_node_answers() -> None:
    with answering(200) as url, NodeLoad(url, "secret", "nano", parallel=2) as load:
        counts = [load(0.3) for _ in range(2)]
    assert all(count > 0 and count % 32 == 0 for count in counts)


@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_refusal_ends_the_sweep(status: int) -> None:
    with (
        answering(status) as url,
        NodeLoad(url, "secret", "nano", parallel=2) as load,
        pytest.raises(NodeRefused) as caught,
    ):
        load(1.0)
    assert caught.value.status == status


def test_a_node_that_is_gone_ends_the_sweep() -> None:
    with (
        NodeLoad("http://127.0.0.1:9/", "", "nano", parallel=2) as load,
        pytest.raises(Unavailable, match="gone"),
    ):
        load(1.0)


def test_a_full_node_is_asked_again_later() -> None:
    with answering(429) as url, NodeLoad(url, "secret", "nano", parallel=2) as load:
        assert load(0.3) == 0
