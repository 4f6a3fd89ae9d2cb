"""Nodes that a module's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node.nodes import RunningNode, make_lab, running_node


@pytest.fixture(scope="module")
def fake_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node whose engine computes nothing."""
    with running_node(make_lab(tmp_path_factory.mktemp("fake")), engine="fake") as node:
        yield node


@pytest.fixture(scope="module")
def nano_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that serves the packaged nano model."""
    with running_node(make_lab(tmp_path_factory.mktemp("nano"))) as node:
        yield node
