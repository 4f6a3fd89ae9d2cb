"""Every test has a home of its own; nothing of the user's is read or written."""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

if importlib.util.find_spec("pycosat") is None:
    # reasoning-gym imports it for zebra puzzles alone, and it has to be compiled. No test needs it.
    sys.modules["pycosat"] = types.ModuleType("pycosat")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """HOME is a temp folder, and no setting leaks in from outside."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in list(os.environ):
        if name.startswith("REGIME3_") and name != "REGIME3_CHROMIUM":
            monkeypatch.delenv(name)
    return folder


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on many threads than on one, when other work is running."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests: Playwright keeps its loop running, and a thread has one."""
    from tests.web.conftest import launched

    with launched() as browser:
        yield browser
