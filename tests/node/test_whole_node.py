"""The node as a whole: every route guarded, fuzzed, killed, and refusing to stand open."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx

from regime3.serve.guard import is_for_inference
from tests.node import kills
from tests.node.fuzz import fuzz
from tests.node.nodes import RunningNode, make_lab, running_node

SAMPLES = {"job_id": "job-" + "0" * 24, "model": "m", "file": "config.json", "id": "m"}


def routes_of(url: str, **more: object) -> list[tuple[str, str]]:
    """Every method and path that the node says it has."""
    schema = httpx.get(f"{url}/openapi.json", **more).json()  # type: ignore[arg-type]
    found = []
    for path, methods in schema["paths"].items():
        for name in ("job_id", "model", "file", "id", "alias", "component"):
            path = path.replace(f"{{{name}}}", SAMPLES.get(name, "x"))
        found += [(method.upper(), path) for method in methods]
    return found


def token(lab: Path, scope: str) -> str:
    command = [sys.executable, "-m", "regime3", "token", "create", scope, "--lab", str(lab)]
    told = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    import json

    return str(json.loads(told.stdout)["token"])


def test_no_route_is_unguarded(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    admin, inference = token(tmp_path, "admin"), token(tmp_path, "inference")
    with running_node(lab, engine="fake", ready=False) as node:
        known = {"authorization": f"Bearer {admin}"}
        routes = routes_of(node.url, headers=known)
        assert len(routes) > 45
        for method, path in [*routes, ("GET", "/docs"), ("GET", "/openapi.json"), ("GET", "/x")]:
            bare = httpx.request(method, node.url + path)
            assert bare.status_code in (401, 429), (method, path)
            asked = {"authorization": f"Bearer {inference}"}
            found = httpx.request(method, node.url + path, headers=asked).status_code
            assert (found == 403) != is_for_inference(method, path), (method, path, found)


def test_an_open_address_without_a_token_refuses_to_start(tmp_path: Path) -> None:
    lab = make_lab(tmp_path)
    command = [sys.executable, "-m", "regime3", "node", "--lab", str(lab.root)]
    done = subprocess.run(
        [*command, "--set", "node.host=0.0.0.0", "--set", "node.port=0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3 and "r3 token create" in done.stderr + done.stdout


def test_what_the_schema_says_can_be_sent_never_breaks_the_node(
    fake_node: RunningNode, tmp_path: Path
) -> None:
    code, said = fuzz(fake_node.url, 3, 7, tmp_path, phases="fuzzing")
    assert code == 0, said[-4000:]
    assert fake_node.process.poll() is None


def test_a_node_that_is_killed_all_the_time_loses_and_doubles_nothing(tmp_path: Path) -> None:
    found = kills.run(tmp_path, kills=6, seed=3)
    assert found["items_compared"] >= 1000 and sum(found["kills"].values()) == 6


def test_deep_json_and_large_bodies_are_refused_with_a_reason(fake_node: RunningNode) -> None:
    url = f"{fake_node.url}/v1/chat/completions"
    headers = {"content-type": "application/json"}
    deep = httpx.post(url, content="[" * 1000 + "]" * 1000, headers=headers)
    assert deep.status_code == 400 and deep.json()["error"]["code"]

    def gigabyte():  # type: ignore[no-untyped-def]
        for _ in range(1024):
            yield b" " * (1 << 20)

    try:
        large = httpx.post(url, content=gigabyte(), headers=headers, timeout=30)
        assert large.status_code == 413 and large.json()["error"]["code"]
    except httpx.WriteError:
        pass  # the node has closed the door while we were still sending
    assert httpx.get(f"{fake_node.url}/health").status_code == 200
