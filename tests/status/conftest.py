"""A lab in a temp folder, a clock that moves when told, and reports as a worker sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from regime3.clock import FakeClock
from regime3.config import Settings
from regime3.paths import Lab
from regime3.records.status import QueueFile, QueueState
from regime3.status.board import StatusBoard
from tests.status.reports import FakeCards


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make_board(lab: Lab, clock: FakeClock) -> Any:
    def make(**settings: Any) -> StatusBoard:
        return StatusBoard(lab, Settings(**settings), clock, cards=FakeCards())

    return make


@pytest.fixture
def board(make_board: Any) -> StatusBoard:
    """A board that has begun at step 0 with one file of 1,000 rows."""
    board: StatusBoard = make_board()
    board.begin(0)
    files = [QueueFile("a" * 32, "chats.jsonl", "normal", 1000)]
    board.update(queue=QueueState(files, files_open=1, rows_admitted=1000, rows_left=1000))
    return board
