"""Whatever is asked of the telemetry's routes behind the guard: never a 5xx but /ready's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from regime3.config import Node
from regime3.serve.guard import Guard
from regime3.tokens import TokenFile
from tests.serve.telling import Told

PATHS = st.sampled_from(
    [
        "/gpu",
        "/system",
        "/metrics",
        "/health",
        "/ready",
        "/info",
        "/version",
        "/logs/node",
        "/logs/",
        "/logs/{}",
        "/{}",
        "/settings/power_profile",
        "/settings/power_schedule",
        "/settings/power_changes",
    ]
)
TEXT = st.text(max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PROFILES = st.fixed_dictionaries({"profile": st.sampled_from(["quiet", "max", "none", 1])})
BODIES = st.binary(max_size=30) | (JSON | PROFILES).map(lambda value: json.dumps(value).encode())
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])


@pytest.fixture(scope="module", params=[True, False], ids=["simulated", "no-card"])
def client(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient]:
    node = Told(tmp_path_factory.mktemp("fuzz"), simulated=request.param)
    node.engine.state = "restarting"
    app = Guard(node.app, Node(), TokenFile(node.lab))
    with TestClient(app, "http://127.0.0.1:8765") as client:
        yield client


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(METHODS, PATHS, TEXT, st.dictionaries(st.sampled_from(["lines", "x"]), TEXT), BODIES)
def test_nothing_that_is_asked_breaks_anything(
    client: TestClient, method: str, path: str, name: str, query: dict[str, str], body: bytes
) -> None:
    address = path.replace("{}", quote(name, safe=""))
    headers = {"content-type": "application/json"}
    answer = client.request(method, address, params=query, content=body, headers=headers)
    if address == "/ready" and answer.status_code == 503:
        assert method == "GET"
        return
    assert answer.status_code < 500
    assert answer.headers["x-request-id"]
    if answer.status_code not in (200, 307) and method != "HEAD":
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
