"""A node's double: jobs are done at once, by oracles that err on some attempts, keyed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import httpx

from regime3 import tasks
from regime3.client import Client
from regime3.lang import codebook, signature
from regime3.lang.problem import Body
from regime3.lang.terms import show
from regime3.tasks.draw import Draw
from regime3.tasks.family import Sample
from regime3.tasks.rows import THINK, spelled

BOOK = codebook.shipped()
SHA = "ab" * 32
Line = dict[str, Any]


def wrong(body: Body) -> Body:
    """The body with another answer, or without its first step."""
    answer = body[-1][1]
    if isinstance(answer, int):
        return (*body[:-1], ("qed", answer + 1))
    if isinstance(answer, tuple) and answer[0] == "list":
        return (*body[:-1], ("qed", ("list", 99, *answer[1:])))
    return body[1:] if len(body) > 1 else (("qed", "yes"),)


def line(sample: Sample, job: str, number: int, *, right: bool, regime: int = 3) -> Line:
    """An attempt as a node's shard has it."""
    thought, answer = spelled(
        sample.problem, sample.body if right else wrong(sample.body), regime, BOOK
    )
    return {
        "prompt": [
            {"role": "system", "content": THINK[3]}, {"role": "user", "content": sample.prompt},
        ],
        "problem": show(sample.problem.term), "family": sample.family, "level": sample.level,
        "regime": regime, "split": sample.split, "index": sample.index,
        "fingerprint": sample.fingerprint,
        "attempt": {
            "seed": 5, "sample": number, "thought": thought, "answer": answer, "tokens": 9,
            "valid": right,
        },
        "lineage": {
            "job": job, "model": "nano", "model_sha256": SHA, "codebook": BOOK.name,
            "checker": signature.VERSION,
        },
    }  # fmt: skip


class Double:
    """Answers the routes that the forge asks. Survives the forge, like a real node."""

    def __init__(self, right_of_8: int = 4) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.right_of_8 = right_of_8
        self.away = False
        self.state = "done"
        self.bent: Callable[[list[Line]], list[Line]] = lambda lines: lines
        """What happens to a job's lines on their way."""
        self.sha256 = SHA
        self.codebook = BOOK.name
        self.torn = False
        self.cancelled: list[str] = []

    def client(self) -> Client:
        """Ours, without a wire."""
        return Client("http://double", transport=httpx.MockTransport(self.handle))

    def handle(self, request: httpx.Request) -> httpx.Response:
        if self.away:
            return refusal(409, "away")
        path = request.url.path
        if request.method == "POST" and path == "/data_gen/jobs":
            return httpx.Response(202, json=self.order(json.loads(request.content)))
        if path == "/models/info":
            resident = {"id": "nano", "codebook": self.codebook}
            return httpx.Response(200, json={"active": "nano", "residents": [resident]})
        if path == "/models/nano":
            return httpx.Response(200, json={"origin": {"seal": 3}})
        if path == "/jobs":
            return httpx.Response(200, json={"data": list(self.jobs.values())})
        name = path.split("/")[2]
        if name not in self.jobs:
            return refusal(404, "job_not_found")
        if path.endswith("/cancel"):
            self.cancelled.append(name)
        if path.endswith("/output"):
            return self.output(name, request.url.params.get("shard"))
        return httpx.Response(200, json={**self.jobs[name], "state": self.state})

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        name = f"job-{len(self.jobs):024x}"
        models = [{"model": order["model"], "sha256": self.sha256, "codebook": None}]
        self.jobs[name] = {"id": name, "order": order, "models": models, "error": None}
        return {**self.jobs[name], "state": "queued"}

    def output(self, name: str, shard: str | None) -> httpx.Response:
        data = "".join(json.dumps(each) + "\n" for each in self.bent(self.lines(name))).encode()
        told = {
            "name": "attempts-00000.jsonl", "lines": data.count(b"\n"), "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
        }  # fmt: skip
        if shard is None:
            return httpx.Response(200, json={"job": name, "shards": [told]})
        return httpx.Response(200, content=data[: len(data) // 2] if self.torn else data)

    def lines(self, name: str) -> list[Line]:
        order = self.jobs[name]["order"]
        found = []
        for index in range(order["start"], order["start"] + order["problems"]):
            sample = tasks.sample(order["family"], order["levels"][0], "train", index)
            draw = Draw(f"double|{sample.fingerprint}")
            for number in range(order["attempts"]):
                right = draw.below(8) < self.right_of_8
                found.append(line(sample, name, number, right=right, regime=order["regime"]))
        return found


def refusal(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": code, "code": code}})
