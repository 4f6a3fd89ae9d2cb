"""The learned token budget of a micro-batch: halved by out of memory, grown by clean windows.

Sealed in every checkpoint (`state.py`), since it decides how a window is cut and so the last
bits of the gradient. It measures padded tokens: rows times the longest of the slice.
"""

from __future__ import annotations

from dataclasses import dataclass

BUDGET_TOKENS_MIN = 32
GROWTH_SHARE = 8


@dataclass
class TokenBudget:
    """`tokens` never leaves [BUDGET_TOKENS_MIN, ceiling]."""

    tokens: int
    ceiling: int
    grow_after_windows: int
    clean_windows: int = 0
    tight_windows: int = 0
    """Windows in a row in which the allocator had to retry: a soft out of memory."""

    def halve(self) -> int:
        """Out of memory: half, and growth starts over. Returns the new budget."""
        self.tokens = max(BUDGET_TOKENS_MIN, self.tokens // 2)
        self.clean_windows = 0
        return self.tokens

    def restore(self, tokens: int) -> None:
        """The budget was not at fault after all."""
        self.tokens = min(tokens, self.ceiling)

    def window_clean(self) -> None:
        """A window passed without trouble; every `grow_after_windows` the budget grows by 1/8."""
        self.tight_windows = 0
        self.clean_windows += 1
        if self.clean_windows >= self.grow_after_windows:
            self.tokens = min(self.ceiling, self.tokens + max(1, self.tokens // GROWTH_SHARE))
            self.clean_windows = 0

    def window_tight(self) -> bool:
        """The allocator retried. The second time in a row the budget shrinks by 1/8: True."""
        self.clean_windows = 0
        self.tight_windows += 1
        if self.tight_windows < 2:
            return False
        self.tight_windows = 0
        self.tokens = max(BUDGET_TOKENS_MIN, self.tokens - self.tokens // GROWTH_SHARE)
        return True

    @property
    def at_floor(self) -> bool:
        return self.tokens <= BUDGET_TOKENS_MIN
