"""Additions with their working, as chat rows: quick data for tests that train.

They are no family: nothing checks their steps. Splits are disjoint by the operands.
"""

from __future__ import annotations

import hashlib
import random


def problem(split: str, index: int) -> dict[str, object]:
    """One addition with its working, as a chat row. Splits are disjoint by the sum's operands."""
    attempt = 0
    while True:
        key = hashlib.sha256(f"demo|{split}|{index}|{attempt}".encode()).digest()
        a, b = random.Random(key).randrange(100), random.Random(key[::-1]).randrange(100)
        held_out = hashlib.sha256(f"{a}+{b}".encode()).digest()[0] < 16
        if held_out == (split == "validation"):
            break
        attempt += 1
    ones = a % 10 + b % 10
    carry = f" carry {ones // 10}" if ones > 9 else ""
    tens = a // 10 + b // 10 + ones // 10
    thought = f"{a % 10}+{b % 10}={ones}{carry}; {a // 10}+{b // 10}+{ones // 10}={tens}"
    return {
        "messages": [
            {"role": "user", "content": f"What is {a} + {b}?"},
            {"role": "assistant", "reasoning_content": thought, "content": str(a + b)},
        ]
    }
