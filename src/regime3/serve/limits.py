"""How much one client may ask of the node: sizes, times, rates. Named, in one place."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from regime3.clock import Clock
from regime3.config import Node


@dataclass(frozen=True)
class Limits:
    """Everything that the guard counts. `of` takes what the settings say."""

    body_bytes_max: int = 8 << 20
    upload_bytes_max: int = 50 * 10**9
    """Of one request under an upload path."""
    body_s_max: float = 60.0
    """How long the body of a request may take to come."""
    upload_idle_s_max: float = 30.0
    """Longest pause between two pieces of an upload; how long it takes in all is not limited."""
    path_bytes_max: int = 2048
    query_bytes_max: int = 4096
    headers_max: int = 64
    header_bytes_max: int = 16 << 10
    """Names and values of all headers together."""
    requests_per_s: float = 500.0
    """What a token may ask over a long time."""
    requests_burst: int = 2000
    """What it may ask at once."""
    denied_per_s: float = 2.0
    """Requests without a right token from one address: nobody guesses faster."""
    denied_burst: int = 60
    linger_bytes_max: int = 4 << 20
    """Read on and thrown away after a refusal, so that the client gets to read the answer."""
    linger_s_max: float = 1.0

    @classmethod
    def of(cls, node: Node) -> Limits:
        """The limits that the settings imply."""
        return cls(
            body_bytes_max=int(node.request_mb_max * 1e6),
            upload_bytes_max=int(node.upload_gb_max * 1e9),
            body_s_max=min(cls.body_s_max, node.request_s_max),
        )


class Buckets:
    """Token buckets: each key may do `per_s` in the long run and `burst` at once."""

    KEYS_MAX = 4096

    def __init__(self, per_s: float, burst: int, clock: Clock) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._filled: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Key to what is left and when that was so; least recently used first."""

    def take(self, key: str) -> float:
        """0 when the key may go on, else the seconds to wait."""
        now = self._clock.monotonic()
        left, at = self._filled.pop(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._per_s)
        wait_s = 0.0 if left >= 1.0 else (1.0 - left) / self._per_s
        self._filled[key] = (left - 1.0 if wait_s == 0.0 else left, now)
        if len(self._filled) > self.KEYS_MAX:
            self._filled.popitem(last=False)
        return wait_s
