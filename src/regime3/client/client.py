"""Calls to a node. Refusals are `NodeRefused` with the node's own words; no node, `Unavailable`.

Reading calls that met a lost connection or a 503 are tried again with growing pauses, and so are
those that ask the node to wait (429): as many times as `TRIES` says.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import httpx

from regime3.client.replies import Delta, Reply, delta_of, reply_of
from regime3.errors import NodeRefused, Unavailable

ADDRESS = "http://127.0.0.1:8765"
TRIES = 4
PAUSE_S, PAUSE_S_MAX = 0.25, 5.0
CONNECT_S_MAX, REPLY_S_MAX = 5.0, 600.0
AGAIN = (429, 503)
PAGE = 500
"""Examples of one call."""


class Client:
    """A node at an address. Use it as a context, or `close` it."""

    def __init__(
        self,
        address: str = ADDRESS,
        token: str = "",
        *,
        reply_s: float = REPLY_S_MAX,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.address, self.token = address.rstrip("/"), token
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.address,
            headers=headers,
            timeout=httpx.Timeout(reply_s, connect=CONNECT_S_MAX),
            transport=transport,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    # ------------------------------------------------------------------------------ chat

    def chat(self, messages: str | list[dict[str, Any]], **more: Any) -> Reply:
        """One reply. `more`: regime, problem, model, max_tokens, temperature, seed, stop, ..."""
        return reply_of(self.call("POST", "/v1/chat/completions", _chat(messages, more)))[0]

    def chats(self, messages: str | list[dict[str, Any]], n: int, **more: Any) -> list[Reply]:
        """`n` replies to one prompt."""
        body = _chat(messages, more) | {"n": n}
        return reply_of(self.call("POST", "/v1/chat/completions", body))

    def stream(self, messages: str | list[dict[str, Any]], **more: Any) -> Iterator[Delta]:
        """One reply as it is written. Closing the iterator ends the writing."""
        body = _chat(messages, more) | {"stream": True}
        try:
            with self._http.stream("POST", "/v1/chat/completions", json=body) as answer:
                if answer.status_code >= 400:
                    answer.read()
                    raise _refusal(answer)
                for line in answer.iter_lines():
                    if not line.startswith("data: ") or line == "data: [DONE]":
                        continue
                    event = json.loads(line.removeprefix("data: "))
                    if "error" in event:
                        raise _refused(event["error"], 503)
                    for choice in event["choices"]:
                        yield delta_of(choice)
        except httpx.TransportError as error:
            raise self._unreached(error) from None

    # ------------------------------------------------------------------------- the rest

    def models(self) -> list[dict[str, Any]]:
        """Names that answer, with what is known of each."""
        found: list[dict[str, Any]] = self.call("GET", "/v1/models")["data"]
        return found

    def health(self) -> dict[str, Any]:
        """Whether the node lives."""
        return self.call("GET", "/health")

    def job(self, number: str) -> dict[str, Any]:
        """A job as it stands."""
        return self.call("GET", f"/jobs/{number}")

    def jobs(self, **query: Any) -> dict[str, Any]:
        """Jobs, newest first."""
        return self.call("GET", "/jobs", query=query)

    def evaluate(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begin an evaluation; the job."""
        return self.call("POST", "/eval/jobs", body)

    def generate(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begin a generation of data; the job."""
        return self.call("POST", "/data_gen/jobs", body)

    def compare(self, body: dict[str, Any]) -> dict[str, Any]:
        """Begin a comparison of two models; the job."""
        return self.call("POST", "/compare", body)

    def examples(self, number: str) -> Iterator[dict[str, Any]]:
        """What came of each item of a job so far, in the order in which they came."""
        after: int | None = 0
        while after is not None:
            query = {"after": after, "limit": PAGE}
            page = self.call("GET", f"/jobs/{number}/examples", query=query)
            yield from page["data"]
            after = page["next_after"]

    def cancel(self, number: str) -> dict[str, Any]:
        """End a job."""
        return self.call("POST", f"/jobs/{number}/cancel")

    def wait(self, number: str, poll_s: float = 0.5) -> Iterator[dict[str, Any]]:
        """The job again and again until it has ended; the last is how it ended."""
        while True:
            found = self.job(number)
            yield found
            if found["state"] in ("done", "failed", "cancelled"):
                return
            time.sleep(poll_s)

    def info(self) -> dict[str, Any]:
        """What answers now: the active model, aliases, models in memory."""
        return self.call("GET", "/models/info")

    def model(self, name: str) -> dict[str, Any]:
        """A registered model."""
        return self.call("GET", f"/models/{name}")

    def output(self, number: str) -> list[dict[str, Any]]:
        """Every line that a done job has published, shard after shard.

        Raises `Unavailable` if a shard is not the bytes that the node's list promises.
        """
        found: list[dict[str, Any]] = []
        for shard in self.call("GET", f"/jobs/{number}/output")["shards"]:
            answer = self._answer("GET", f"/jobs/{number}/output", query={"shard": shard["name"]})
            data = answer.content
            if hashlib.sha256(data).hexdigest() != shard["sha256"]:
                raise Unavailable(
                    f"{shard['name']} of {number} came cut off or changed: {len(data):,} bytes of"
                    f" {shard['size_bytes']:,}"
                )
            found += [json.loads(line) for line in data.splitlines()]
        return found

    def power(self, profile: str | None = None) -> dict[str, Any]:
        """The power profile, or set it; auto: what hours and settings say."""
        if profile is None:
            return self.call("GET", "/settings/power_profile")
        return self.call("POST", "/settings/power_profile", {"profile": profile})

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Any call: its JSON answer. Raises `NodeRefused` and `Unavailable`."""
        found: dict[str, Any] = self._answer(method, path, body, query).json()
        return found

    def _answer(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
    ) -> httpx.Response:
        pause = PAUSE_S
        for tried in range(1, TRIES + 1):
            try:
                answer = self._http.request(method, path, json=body, params=query)
            except httpx.TransportError as error:
                if method != "GET" or tried == TRIES:
                    raise self._unreached(error) from None
            else:
                if answer.status_code < 400:
                    return answer
                if answer.status_code not in AGAIN or tried == TRIES:
                    raise _refusal(answer)
                pause = max(pause, _asked_pause(answer))
            time.sleep(min(pause, PAUSE_S_MAX))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _unreached(self, error: Exception) -> Unavailable:
        return Unavailable(f"no node answers at {self.address}: {error}", "r3 node")


def _chat(messages: str | list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return {
        "messages": messages,
        **{key: value for key, value in more.items() if value is not None},
    }


def _asked_pause(answer: httpx.Response) -> float:
    text = answer.headers.get("retry-after", "")
    return float(text) if text.isdigit() else 0.0


def _refusal(answer: httpx.Response) -> NodeRefused:
    try:
        error = answer.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = {"message": f"status {answer.status_code} without a reason", "code": "unknown"}
    return _refused(error, answer.status_code)


def _refused(error: dict[str, Any], status: int) -> NodeRefused:
    return NodeRefused(
        status, error.get("code") or "unknown", error["message"], param=error.get("param")
    )
