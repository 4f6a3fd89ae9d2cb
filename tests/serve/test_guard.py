"""The guard: nobody passes who should not, and every refusal is one that a client understands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocketDisconnect

from regime3.clock import FakeClock
from regime3.config import Node
from regime3.paths import Lab
from regime3.serve.audit import Audit
from regime3.serve.limits import Limits
from regime3.tokens import TokenFile
from tests.serve.guarded import LOCAL, Guarded

FOR_INFERENCE = [
    *("/v1/models", "/v1/chat/completions", "/tokenize", "/detokenize", "/tokenizer_info"),
    *("/lang/canon", "/health", "/ready", "/version", "/info", "/metrics", "/gpu", "/system"),
]
FOR_ADMINS = [
    *("/models/register", "/models/uploads/x", "/jobs", "/logs/node", "/docs", "/openapi.json"),
    *("/settings/power_profile", "/no-such-thing", "/", "/v1", "/healthy", "/gpu/", "/v1x/models"),
]


@pytest.fixture
def open_node(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path)


def refusal(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"error"}
    error: dict[str, Any] = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"} and error["code"] == code
    assert answer.headers["x-request-id"].startswith("req-")
    return error


@pytest.mark.parametrize("path", [*FOR_INFERENCE, *FOR_ADMINS])
def test_a_loopback_node_without_tokens_is_open_to_this_machine(
    open_node: Guarded, path: str
) -> None:
    assert open_node.client.get(path).json()["caller"] == "admin"


@pytest.mark.parametrize("host", ["127.0.0.1", "10.0.0.5"])
@pytest.mark.parametrize("path", [*FOR_INFERENCE, *FOR_ADMINS])
def test_once_there_is_a_token_every_path_wants_one(tmp_path: Path, path: str, host: str) -> None:
    node = Guarded(tmp_path, host)
    admin, inference = node.token("admin"), node.token("inference")
    assert node.client.get(path, headers=admin).status_code == 200
    answer = node.client.get(path)
    refusal(answer, 401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"
    asked = node.client.get(path, headers=inference)
    if path in FOR_INFERENCE:
        assert asked.json()["caller"] == "inference"
    else:
        refusal(asked, 403, "admin_only")


def test_an_open_address_lets_nobody_in_when_the_tokens_are_gone(tmp_path: Path) -> None:
    refusal(Guarded(tmp_path, "0.0.0.0").client.get("/health"), 401, "invalid_api_key")


@pytest.mark.parametrize("method", ["DELETE", "PUT", "PATCH", "OPTIONS", "TRACE"])
def test_an_inference_token_asks_and_never_changes(tmp_path: Path, method: str) -> None:
    node = Guarded(tmp_path)
    answer = node.client.request(method, "/v1/models/x", headers=node.token("inference"))
    refusal(answer, 403, "admin_only")


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer x{}", "Bearer é", "Token {}"],
)
def test_what_is_almost_a_token_is_none(tmp_path: Path, given: str) -> None:
    node = Guarded(tmp_path)
    right = node.token("admin")["authorization"].removeprefix("Bearer ")
    headers = {b"authorization": given.format(right).encode("latin-1")}
    assert node.client.get("/v1/models", headers=headers).status_code == 401  # type: ignore[arg-type]
    assert node.client.get("/v1/models", params={"token": right}).status_code == 401
    assert node.client.get("/v1/models", headers={"api-key": right}).status_code == 401
    spelled = {"authorization": f"bearer  {right} "}
    assert node.client.get("/v1/models", headers=spelled).status_code == 200


def test_a_revoked_token_stops_working_at_once(tmp_path: Path) -> None:
    node = Guarded(tmp_path)
    node.token("admin")
    text, token = TokenFile(node.lab).create("inference", "a", 0.0)
    headers = {"authorization": f"Bearer {text}"}
    assert node.client.get("/health", headers=headers).status_code == 200
    TokenFile(node.lab).revoke(token.id)
    assert node.client.get("/health", headers=headers).status_code == 401


def test_a_damaged_token_file_lets_nobody_in(tmp_path: Path) -> None:
    node = Guarded(tmp_path)
    headers = node.token("admin")
    node.lab.node_tokens_file.write_text("{ not json")
    assert node.client.get("/health", headers=headers).status_code == 401
    assert node.client.get("/health").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "10.0.0.7", "localhost.evil.example", ""]
)
def test_a_name_that_is_not_ours_is_refused_on_loopback(open_node: Guarded, host: str) -> None:
    refusal(open_node.client.get("/health", headers={"host": host}), 421, "wrong_host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9", "127.0.0.1", "[::1]:8765"])
def test_every_name_of_loopback_is_ours(open_node: Guarded, host: str) -> None:
    assert open_node.client.get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:8080", "http://127.0.0.1", "file://",
     "http://127.0.0.1:8765@evil.example", "http://[", "javascript://127.0.0.1:8765"],
)  # fmt: skip
def test_a_page_of_another_site_is_refused(open_node: Guarded, origin: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        answer = open_node.client.request(method, "/v1/models", headers={"origin": origin})
        refusal(answer, 403, "foreign_origin")
    assert open_node.client.get("/health", headers={"origin": LOCAL}).status_code == 200


def test_no_answer_tells_browsers_that_others_may_read_it(open_node: Guarded) -> None:
    for headers in ({}, {"origin": LOCAL}, {"origin": "http://evil.example"}):
        answer = open_node.client.get("/health", headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    ["/v1/../jobs", "/v1/%2e%2e/jobs", "/v1/models/..%2f..%2fjobs", "/v1//models", "/v1/a%5cb",
     "/v1/a%00b", "/v1/models/%0d%0aset-cookie:x", "/./jobs", "//v1/models"],
)  # fmt: skip
def test_a_path_that_climbs_or_hides_is_refused(tmp_path: Path, path: str) -> None:
    node = Guarded(tmp_path)
    scope: dict[str, Any] = {}

    async def see(seen: Any, receive: Any, send: Any) -> None:
        scope.update(seen)

    from urllib.parse import unquote

    import anyio

    async def ask() -> list[Any]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        node.app.app = see
        asked = {"type": "http", "method": "GET", "path": unquote(path), "raw_path": path.encode(),
                 "query_string": b"", "headers": [(b"host", b"localhost")]}  # fmt: skip
        await node.app(asked, receive, send)
        return sent

    sent = anyio.run(ask)
    assert sent[0]["status"] == 400 and scope == {}
    assert json.loads(sent[1]["body"])["error"]["code"] == "bad_path"


def test_each_size_has_its_limit_and_the_limit_itself_passes(tmp_path: Path) -> None:
    limits = Limits(
        body_bytes_max=10, upload_bytes_max=20, query_bytes_max=30, path_bytes_max=40,
        headers_max=12, header_bytes_max=600, linger_s_max=0.05,
    )  # fmt: skip
    client = Guarded(tmp_path, limits=limits).client
    assert client.post("/v1/x", content=b"1" * 10).json()["size"] == 10
    refusal(client.post("/v1/x", content=b"1" * 11), 413, "body_too_large")
    pieces: list[bytes] = [b"1" * 5] * 2
    assert client.post("/v1/x", content=iter(pieces)).json()["size"] == 10
    refusal(client.post("/v1/x", content=iter([*pieces, b"1"])), 413, "body_too_large")
    assert client.patch("/models/uploads/a", content=b"1" * 20).json()["size"] == 20
    refusal(client.patch("/models/uploads/a", content=b"1" * 21), 413, "body_too_large")
    refusal(client.patch("/models/uploads/a", content=iter(pieces * 3)), 413, "body_too_large")
    refusal(client.post("/models/uploadsx", content=b"1" * 11), 413, "body_too_large")
    assert client.get("/health?" + "q" * 30).status_code == 200
    refusal(client.get("/health?" + "q" * 31), 414, "query_too_long")
    assert client.get("/" + "p" * 39).status_code == 200
    refusal(client.get("/" + "p" * 40), 414, "path_too_long")
    many = {f"x-{number}": "1" for number in range(8)}
    refusal(client.get("/health", headers=many), 431, "headers_too_large")
    refusal(client.get("/health", headers={"x": "1" * 600}), 431, "headers_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "", "١", "0x10", "9" * 19])
def test_a_length_that_is_no_number_is_refused(open_node: Guarded, length: str) -> None:
    headers = {b"content-length": length.encode()}
    answer = open_node.client.post("/v1/x", headers=headers)  # type: ignore[arg-type]
    refusal(answer, 400, "bad_content_length")


@pytest.mark.parametrize("name", ["host", "origin", "authorization", "content-type"])
def test_a_header_that_decides_is_given_once(open_node: Guarded, name: str) -> None:
    twice = [(name, "localhost"), (name, "localhost")]
    answer = open_node.client.get("/health", headers=twice)
    refusal(answer, 400, "header_repeated")


def test_deep_json_is_refused_before_anything_parses_it(open_node: Guarded) -> None:
    fine, deep = b"[" * 100 + b"]" * 100, b"[" * 1000 + b"]" * 1000
    assert open_node.client.post("/v1/x", content=fine).status_code == 200
    error = refusal(open_node.client.post("/v1/x", content=deep), 400, "too_deep")
    assert error["type"] == "invalid_request_error"
    refusal(open_node.client.post("/v1/x", content=b"[" * 101), 400, "too_deep")
    wide = '{"a": "∀["}'.encode("utf-16")
    refusal(open_node.client.post("/v1/x", content=wide), 400, "bad_encoding")
    assert open_node.client.patch("/models/uploads/a", content=deep + b"\0").status_code == 200


def test_a_token_that_asks_too_fast_is_told_when_to_come_back(tmp_path: Path) -> None:
    clock = FakeClock()
    limits = Limits(requests_per_s=2.0, requests_burst=3)
    node = Guarded(tmp_path, limits=limits, clock=clock)
    assert [node.client.get("/health").status_code for _ in range(9)] == [200] * 9
    one, other = node.token("inference"), node.token("inference")
    for _ in range(3):
        assert node.client.get("/health", headers=one).status_code == 200
    answer = node.client.get("/health", headers=one)
    error = refusal(answer, 429, "rate_limit_exceeded")
    assert error["type"] == "rate_limit_error" and answer.headers["retry-after"] == "1"
    assert node.client.get("/health", headers=other).status_code == 200
    clock.advance(0.5)
    assert node.client.get("/health", headers=one).status_code == 200
    assert node.client.get("/health", headers=one).status_code == 429


def test_guessing_tokens_is_slow(tmp_path: Path) -> None:
    clock = FakeClock()
    limits = Limits(denied_per_s=1.0, denied_burst=2)
    node = Guarded(tmp_path, limits=limits, clock=clock)
    right = node.token("admin")
    wrong = {"authorization": "Bearer r3a_guess"}
    codes = [node.client.get("/health", headers=wrong).status_code for _ in range(4)]
    assert codes == [401, 401, 429, 429]
    assert node.client.get("/health", headers=right).status_code == 200


def test_websockets_are_refused(open_node: Guarded) -> None:
    with (
        pytest.raises(WebSocketDisconnect),
        open_node.client.websocket_connect("/v1/realtime"),
    ):
        pass


def test_what_an_admin_changes_is_written_down_and_nothing_else(tmp_path: Path) -> None:
    node = Guarded(tmp_path)
    admin, inference = node.token("admin"), node.token("inference")
    node.client.get("/jobs", headers=admin)
    node.client.post("/v1/completions", headers=admin)
    node.client.post("/jobs", headers=inference)
    node.client.post("/jobs")
    assert node.audit == []
    answer = node.client.post("/models/set_active", headers=admin)
    (line,) = node.audit
    assert (line["method"], line["path"], line["status"]) == ("POST", "/models/set_active", 200)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert line["name"] == "test" and "authorization" not in json.dumps(line)


def test_the_audit_log_is_json_lines_and_turns_over(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    audit = Audit(lab, bytes_max=50)
    for number in range(3):
        audit({"path": "/x\n", "number": number})
    lines = lab.log_file("audit").read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == [2]
    old = lab.log_file("audit-old").read_text().splitlines()
    assert [json.loads(line)["number"] for line in old] == [0, 1]


def test_limits_follow_the_settings() -> None:
    limits = Limits.of(Node(request_mb_max=2.0, upload_gb_max=3.0, request_s_max=5.0))
    assert (limits.body_bytes_max, limits.upload_bytes_max) == (2_000_000, 3_000_000_000)
    assert limits.body_s_max == 5.0


def test_every_answer_has_a_number_of_its_own(open_node: Guarded) -> None:
    def numbers() -> Iterator[str]:
        for _ in range(20):
            yield open_node.client.get("/health").headers["x-request-id"]

    assert len(set(numbers())) == 20
