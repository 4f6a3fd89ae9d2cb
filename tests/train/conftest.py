"""Full collections are part of an out of memory; imports need not be walked each time."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def frozen_imports() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()
