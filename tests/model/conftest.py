"""Tokenizers that the tests of this room share; each is loaded once."""

from __future__ import annotations

from typing import Any

import pytest
from transformers import AutoTokenizer

from regime3.bench import qwen
from regime3.config import Examples
from regime3.model import nano_tokenizer
from regime3.model.chat import ChatRenderer


@pytest.fixture(scope="session")
def nano() -> Any:
    return AutoTokenizer.from_pretrained(nano_tokenizer.ship_to())


@pytest.fixture(scope="session")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("qwen3")
    qwen.unpack(folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="session")
def qwen3_tags(qwen3: Any) -> ChatRenderer:
    return ChatRenderer(qwen3, Examples(profile="think-tags"), 4096)


@pytest.fixture(scope="session")
def qwen3_emoji(qwen3: Any) -> ChatRenderer:
    return ChatRenderer(qwen3, Examples(), 4096)
