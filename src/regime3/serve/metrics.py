"""What the node measures of itself, in Prometheus' words: `GET /metrics`.

    metrics = Metrics()
    metrics.request_done("/v1/completions", 200, 0.8)
    metrics.job_progress("job-1", "eval", 10, 200)
    metrics.text()

Every node has a registry of its own, so that two in one process never mix. What the engine and
the cards say is asked for when somebody scrapes (`Metrics.watch`). Labels are bounded: routes are
templates, not addresses, and beyond so many of them, or of jobs, the rest share one name.
"""

from __future__ import annotations

import platform
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from regime3 import __version__

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "regime3_node"
ROUTES_MAX = 128
JOBS_MAX = 64
SWAP_PHASES = ("transfer", "verify", "load", "warm", "drain")
JOB_KINDS = ("eval", "generate", "filter", "compare")
REQUEST_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
FIRST_TOKEN_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
INTER_TOKEN_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
SWAP_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)

Sample = tuple[str, str, str, dict[str, str], float]
"""Kind (gauge or counter), name, help, labels, value."""


class Metrics:
    """The registry of one node, and the methods by which its parts tell it things."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=False)
        self._routes: set[str] = set()
        self._jobs: OrderedDict[str, str] = OrderedDict()
        self._requests = self._counter("requests", "Requests answered.", ["route", "status"])
        self._request_s = self._histogram("request_seconds", "Whole requests.", REQUEST_S, "route")
        self._first_s = self._histogram(
            "time_to_first_token_seconds", "From the request to its first token.", FIRST_TOKEN_S
        )
        self._inter_s = self._histogram(
            "inter_token_seconds", "From one token of a stream to the next.", INTER_TOKEN_S
        )
        self._swap_s = self._histogram(
            "swap_seconds", "A model's way into service, by phase.", SWAP_S, "phase"
        )
        self._job_done = self._gauge("job_items_done", "Items a job has done.", ["job", "kind"])
        self._job_total = self._gauge("job_items_total", "Items a job has.", ["job", "kind"])
        built = self._gauge("build_info", "Always 1.", ["version", "python"])
        built.labels(__version__, platform.python_version()).set(1)

    # ------------------------------------------------------------------ told by others

    def request_done(self, route: str, status: int, seconds: float) -> None:
        """A request is answered. `route` is the template, as /v1/models/{id}."""
        if route not in self._routes and len(self._routes) >= ROUTES_MAX:
            route = "other"
        self._routes.add(route)
        self._requests.labels(route, str(status)).inc()
        self._request_s.labels(route).observe(seconds)

    def first_token(self, seconds: float) -> None:
        """A request has its first token, so long after it came."""
        self._first_s.observe(seconds)

    def inter_token(self, seconds: float) -> None:
        """The time between two tokens of one stream."""
        self._inter_s.observe(seconds)

    def swapped(self, phase: str, seconds: float) -> None:
        """A phase of a swap took so long: transfer, verify, load, warm, drain."""
        self._swap_s.labels(phase if phase in SWAP_PHASES else "other").observe(seconds)

    def job_progress(self, job_id: str, kind: str, done: int, total: int) -> None:
        """How far a job is. Only the last so many jobs that moved are kept."""
        kind = kind if kind in JOB_KINDS else "other"
        if self._jobs.get(job_id, kind) != kind:
            self.job_gone(job_id)
        self._jobs[job_id] = kind
        self._jobs.move_to_end(job_id)
        self._job_done.labels(job_id, kind).set(done)
        self._job_total.labels(job_id, kind).set(total)
        while len(self._jobs) > JOBS_MAX:
            self.job_gone(next(iter(self._jobs)))

    def job_gone(self, job_id: str) -> None:
        """A job is over and need not be shown."""
        kind = self._jobs.pop(job_id, None)
        if kind is not None:
            self._job_done.remove(job_id, kind)
            self._job_total.remove(job_id, kind)

    # ------------------------------------------------------------------ asked at a scrape

    def watch(self, ask: Callable[[], Iterable[Sample]]) -> None:
        """Ask for these samples whenever somebody scrapes."""
        self.registry.register(_Watched(ask))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)

    # ------------------------------------------------------------------ making them

    def _counter(self, name: str, doc: str, labels: list[str]) -> Counter:
        return Counter(f"{PREFIX}_{name}", doc, labels, registry=self.registry)

    def _gauge(self, name: str, doc: str, labels: list[str]) -> Gauge:
        return Gauge(f"{PREFIX}_{name}", doc, labels, registry=self.registry)

    def _histogram(
        self, name: str, doc: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", doc, labels, registry=self.registry, buckets=buckets)


class _Watched(Collector):
    """Families of the samples that a callable gives."""

    def __init__(self, ask: Callable[[], Iterable[Sample]]) -> None:
        self._ask = ask

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Any] = {}
        for kind, name, doc, labels, value in self._ask():
            if name not in families:
                make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
                families[name] = make(f"{PREFIX}_{name}", doc, labels=list(labels))
            families[name].add_metric(list(labels.values()), value)
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        return iter(())
