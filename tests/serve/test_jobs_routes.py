"""Jobs over HTTP, the app a small one around the router."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException

from regime3.config import Settings
from regime3.errors import NodeRefused
from regime3.jobs.office import Jobs
from regime3.paths import Lab
from regime3.serve.routes.jobs import router
from tests.jobs.double import FakeEngine, models

EVAL = {"model": "right", "dataset_ref": "tasks:arithmetic:1-2", "max_examples": 6}
UNKNOWN = "job-" + "0" * 24
WAIT_S = 10.0


def small_app(jobs: Jobs) -> FastAPI:
    app = FastAPI()
    app.include_router(router(jobs))

    def body(message: str, param: str | None, code: str | None) -> dict[str, Any]:
        told = {"message": message, "type": "invalid_request_error", "param": param, "code": code}
        return {"error": told}

    @app.exception_handler(NodeRefused)
    async def refuse(request: Request, error: NodeRefused) -> JSONResponse:
        later = error.retry_after_s
        headers = {} if later is None else {"retry-after": str(round(later))}
        return JSONResponse(body(error.message, error.param, error.code), error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def misfit(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(each) for each in first["loc"])
        safe = json.loads(json.dumps(place).encode("ascii", "replace"))
        return JSONResponse(body(first["msg"], ascii(safe), "invalid_value"), 422)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        return JSONResponse(body(str(error.detail), None, None), error.status_code, error.headers)

    return app


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """The client's loop is a thread's; the office lives in it."""
    engine = FakeEngine().learn("arithmetic", [1, 2], "heldout", 3)
    lab = Lab(tmp_path / "lab")
    app = FastAPI()
    with TestClient(app) as outer:
        portal = outer.portal
        assert portal is not None
        jobs = portal.call(lambda: Jobs.open(lab, Settings(), engine, models(), backoff_s=0.001))
        outer.app = small_app(jobs)
        inner = TestClient(outer.app)
        inner.portal = portal
        portal.call(jobs.start)
        yield inner
        portal.call(jobs.close)


def ended(client: TestClient, job_id: str) -> dict[str, Any]:
    async def wait() -> None:
        await asyncio.sleep(0.005)

    for _ in range(int(WAIT_S / 0.005)):
        job: dict[str, Any] = client.get(f"/jobs/{job_id}").json()
        if job["state"] not in ("queued", "running"):
            return job
        asyncio.run(wait())
    raise AssertionError(f"{job_id} does not end")


def test_an_evaluation_is_made_watched_and_read(client: TestClient) -> None:
    made = client.post("/eval/jobs", json=EVAL)
    assert made.status_code == 202 and made.json()["object"] == "job"
    job = ended(client, made.json()["id"])
    assert job["state"] == "done" and job["summary"]["exact_match"] == 1.0
    assert job["models"] == [
        {"model": "right-id", "sha256": models().known["right"].sha256, "codebook": None}
    ]
    page = client.get(f"/jobs/{job['id']}/examples", params={"limit": 4}).json()
    rest = client.get(f"/jobs/{job['id']}/examples", params={"after": page["next_after"]}).json()
    assert sorted(each["item"] for each in page["data"] + rest["data"]) == list(range(6))
    assert rest["next_after"] is None
    (shard,) = client.get(f"/jobs/{job['id']}/output").json()["shards"]
    sent = client.get(f"/jobs/{job['id']}/output", params={"shard": shard["name"]})
    assert sent.headers["content-type"].startswith("application/x-ndjson")
    assert len(sent.text.splitlines()) == shard["lines"] == 6


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/data_gen/jobs", {"model": "mixed", "family": "arithmetic", "levels": [1],
                            "problems": 2}),
        ("/generate", {"model": "right", "messages": [{"role": "user", "content": "hi"}]}),
        ("/compare", {"first": "right", "second": "wrong", "dataset_ref": "tasks:all:1",
                      "max_examples": 2}),
        ("/data/filter", {"rows": [{"messages": [{"role": "user", "content": "a"},
                                                 {"role": "assistant", "content": "b"}]}]}),
    ],
)  # fmt: skip
def test_every_kind_is_made_and_ends(client: TestClient, path: str, body: dict[str, Any]) -> None:
    made = client.post(path, json=body)
    assert made.status_code == 202, made.text
    assert ended(client, made.json()["id"])["state"] == "done"


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/eval/jobs", {**EVAL, "model": "nobody"}, 404, "no model"),
        ("/eval/jobs", {**EVAL, "dataset_ref": "missing"}, 404, "no data set"),
        ("/eval/jobs", {**EVAL, "dataset_ref": "../secrets"}, 422, "pattern"),
        ("/eval/jobs", {**EVAL, "dataset_ref": "tasks:arithmetic:99"}, 400, "levels"),
        ("/eval/jobs", {**EVAL, "dataset_ref": "tasks:nothing:1"}, 404, "no family"),
        ("/eval/jobs", {**EVAL, "surprise": 1}, 422, "not permitted"),
        ("/eval/jobs", {**EVAL, "max_examples": 10**30}, 422, ""),
        ("/eval/jobs", {**EVAL, "temperature": "hot"}, 422, ""),
        ("/eval/jobs", {"model": "right"}, 422, "exactly one"),
        ("/eval/jobs", {**EVAL, "regimes": [3, 3]}, 422, "twice"),
        ("/eval/jobs", [], 422, ""),
        ("/data_gen/jobs", {"model": "right", "family": "magic", "levels": [1]}, 404, "no family"),
        ("/data_gen/jobs", {"model": "right", "family": "lists", "levels": [0]}, 422, ""),
        ("/generate", {"model": "right"}, 422, "exactly one"),
        ("/data/filter", {"dataset_ref": "tasks:all", "checker": True}, 400, "no answers"),
        ("/data/filter", {"dataset_ref": "x", "checker": False}, 422, "nothing would"),
        ("/data/filter", {"rows": [{"messages": [{"role": "user", "content": "a"}] * 2}]}, 400,
         "not the assistant's"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_refused_with_its_reason(
    client: TestClient, path: str, body: Any, status: int, said: str
) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == status, answer.text
    assert said in answer.json()["error"]["message"]
    assert client.get("/jobs").json()["data"] == []


def test_half_characters_and_deep_nesting_are_refused(client: TestClient) -> None:
    rows = '[{"messages":[{"role":"user","content":"\\ud800"},{"role":"assistant","content":"x"}]}]'
    texts = [
        f'{{"rows":{rows}}}',
        '{"rows":' + "[" * 1000 + "]" * 1000 + "}",
        '{"model":"\\ud800","prompt":"x"}',
        '{"\\ud800":1}',
        '{"temperature":NaN}',
        "{",
    ]
    for text in texts:
        for path in ("/data/filter", "/generate", "/eval/jobs"):
            assert client.post(path, content=text).status_code in (400, 422)


@pytest.mark.parametrize(
    "bad", ["x", "job-..%2f", "job-" + "0" * 23, "job-" + "G" * 24, UNKNOWN + "%00"]
)
def test_an_id_that_is_none_is_refused(client: TestClient, bad: str) -> None:
    assert client.get(f"/jobs/{bad}").status_code in (404, 422)


def test_an_unknown_job_is_404_everywhere(client: TestClient) -> None:
    for verb, path in (
        ("GET", ""), ("GET", "/examples"), ("GET", "/output"),
        ("POST", "/cancel"), ("POST", "/retry"),
    ):  # fmt: skip
        answer = client.request(verb, f"/jobs/{UNKNOWN}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "job_not_found")
    put = client.put(f"/jobs/{UNKNOWN}/priority", json={"priority": 3})
    assert put.status_code == 404


def test_an_ended_job_can_neither_be_cancelled_nor_moved_nor_tried_again(
    client: TestClient,
) -> None:
    job = ended(client, client.post("/eval/jobs", json=EVAL).json()["id"])
    for verb, path, body in (
        ("POST", "cancel", None), ("POST", "retry", None), ("PUT", "priority", {"priority": 1}),
    ):  # fmt: skip
        answer = client.request(verb, f"/jobs/{job['id']}/{path}", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "job_state")


def test_jobs_are_listed_by_page_state_and_kind(client: TestClient) -> None:
    made = [client.post("/eval/jobs", json=EVAL).json()["id"] for _ in range(5)]
    for each in made:
        ended(client, each)
    first = client.get("/jobs", params={"limit": 3, "state": "done", "kind": "eval"}).json()
    rest = client.get("/jobs", params={"limit": 3, "before": first["next_before"]}).json()
    assert [each["id"] for each in first["data"] + rest["data"]] == made[::-1]
    assert rest["next_before"] is None
    assert client.get("/jobs", params={"kind": "compare"}).json()["data"] == []
    for bad in ({"limit": 0}, {"limit": 501}, {"before": 10**30}, {"state": "odd"}):
        assert client.get("/jobs", params=bad).status_code == 422
    stats = client.get("/jobs/stats").json()
    assert stats["states"]["done"] == 5 and stats["kinds"]["eval"] == {"done": 5}
