"""The forge with a real node that serves the nano model, restarted on the way, and lied to."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import httpx

from regime3.client import Client
from regime3.clock import SystemClock
from regime3.forge import Forge, shown, view
from regime3.paths import Lab
from regime3.spool.queue import Spool
from tests.forge.conftest import rows_in_inbox, small
from tests.node.nodes import make_lab, running_node

SETTINGS = small(
    families="numbers,syllogisms", shard_rows=40, problems_max=12, attempts=4, alone=False,
    temperature=0.6,
)  # fmt: skip
TURNS_S_MAX = 60.0


def turns(forge: Forge, lab: Lab, shards: int) -> None:
    """Turns until so many shards are noted."""
    deadline = time.monotonic() + TURNS_S_MAX
    while len(view(lab)["shards"]) < shards:
        assert time.monotonic() < deadline
        time.sleep(min(0.1, forge.turn()))


class Flattering(httpx.BaseTransport):
    """Calls every attempt right on its way from the node, hashes and all."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport()
        self.changed = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self._real.handle_request(request)
        if not request.url.path.endswith("/output"):
            return answer
        answer.read()
        answer.close()
        if "shard" in request.url.params:
            return httpx.Response(200, content=self._bent(answer.content))
        told = answer.json()
        for each in told["shards"]:
            real = self._real.handle_request(
                httpx.Request("GET", request.url.copy_set_param("shard", each["name"]))
            )
            real.read()
            real.close()
            each["sha256"] = hashlib.sha256(self._bent(real.content)).hexdigest()
        return httpx.Response(200, json=told)

    def close(self) -> None:
        self._real.close()

    def _bent(self, data: bytes) -> bytes:
        found = []
        for text in data.splitlines():
            line = json.loads(text)
            self.changed += not line["attempt"]["valid"]
            line["attempt"]["valid"] = True
            found.append(json.dumps(line))
        return "\n".join(found).encode()


def test_a_real_node_and_a_flattering_one_leave_only_proved_rows(tmp_path: Path) -> None:
    lab, clock = make_lab(tmp_path), SystemClock()
    with running_node(lab) as node:
        with node.client() as client:
            forge = Forge(lab, SETTINGS, client, clock)
            forge.turn()
            forge.turn()
            jobs = [each["job"] for each in view(lab)["pending"][0]["asked"]]
            turns(Forge(lab, SETTINGS, client, clock), lab, 1)  # as after a restart
        flattering = Flattering()
        with Client(node.url, transport=flattering) as client:
            turns(Forge(lab, SETTINGS, client, clock), lab, 2)
    first, second = view(lab)["shards"]
    assert first["jobs"] == jobs and first["jobs_dropped"] == []
    for told in (first, second):
        assert sum(each["attempts"] for each in told["levels"].values()) == 48
    assert flattering.changed > 0
    assert "verdicts" in {each["code"] for each in view(lab)["alerts"]}
    sheet = shown.read(lab)
    assert sheet is not None and sheet["shard"] == 2
    assert all(each["valid"] == (each["reason"] == "") for each in sheet["attempts"])
    rows = rows_in_inbox(lab)
    assert {"attempt", "correction", "oracle"} <= {each["kind"] for each in rows}
    found = Spool(lab, SETTINGS, clock).admit_once()
    assert sum(each.rows for each in found) == len(rows)
    assert sum(each.buried for each in found) == 0
