"""What pages and commands show of the judge."""

from __future__ import annotations

from typing import Any

import msgspec

from regime3.judge.case import read_case
from regime3.judge.ledger import standing_of, verdicts
from regime3.paths import Lab


def view(lab: Lab) -> dict[str, Any]:
    """Champion, best ever, the judgement under way, and every verdict, the newest last."""
    return {**summary(lab), "verdicts": [msgspec.to_builtins(each) for each in verdicts(lab)]}


def summary(lab: Lab) -> dict[str, Any]:
    """The same without the verdicts."""
    standing = standing_of(lab)
    case = read_case(lab)
    return {
        "champion": standing.champion,
        "champion_model": standing.champion_model,
        "best": standing.best,
        "losses": standing.losses,
        "false_promotions": round(standing.false_promotions, 4),
        "case": None
        if case is None
        else {
            "seal": case.seal,
            "step": case.step,
            "against": case.champion,
            "pairs": len(case.pairs),
            "wins": sum(first and not second for _, first, second in case.pairs),
            "losses": sum(second and not first for _, first, second in case.pairs),
        },
    }
