"""Load from a running node, for `calibrate`: completions asked for without a pause.

with NodeLoad(url, token, model) as load:
    tokens = load(0.5)
"""

from __future__ import annotations

import threading
import time

import httpx

from regime3.errors import NodeRefused, Unavailable

PARALLEL = 32
TOKENS = 32
REPLY_S_MAX = 120.0
PROMPT = "Count from one to a hundred, in words:"


class NodeLoad:
    """Keeps a node busy from `__enter__` on; `load(seconds)` says what it wrote meanwhile."""

    def __init__(self, url: str, token: str, model: str, parallel: int = PARALLEL) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=parallel)
        self._client = httpx.Client(
            base_url=url, headers=headers, timeout=REPLY_S_MAX, limits=limits
        )
        self._model, self._parallel = model, parallel
        self._tokens = 0
        self._one = threading.Lock()
        self._over = threading.Event()
        self._problem: Exception | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> NodeLoad:
        self._threads = [
            threading.Thread(target=self._ask_on, daemon=True) for _ in range(self._parallel)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(REPLY_S_MAX)
        self._client.close()

    def __call__(self, seconds: float) -> int:
        """Tokens written in the next `seconds`. Raises `Unavailable` when the node does not
        answer, `NodeRefused` when it refuses."""
        before = self._tokens
        time.sleep(seconds)
        if self._problem is not None:
            raise self._problem
        return self._tokens - before

    def _ask_on(self) -> None:
        while not self._over.is_set():
            try:
                tokens = self._ask()
            except (httpx.HTTPError, NodeRefused) as error:
                refused = isinstance(error, NodeRefused)
                self._problem = error if refused else Unavailable(f"the node is gone: {error}")
                return
            with self._one:
                self._tokens += tokens

    def _ask(self) -> int:
        body = {
            "model": self._model,
            "prompt": PROMPT,
            "max_tokens": TOKENS,
            "temperature": 1.0,
        }
        answer = self._client.post("/v1/completions", json=body)
        if answer.status_code == 429:
            self._over.wait(1.0)
            return 0
        if answer.status_code != 200:
            raise NodeRefused(answer.status_code, "load_refused", answer.text[:200])
        return int(answer.json()["usage"]["completion_tokens"])
