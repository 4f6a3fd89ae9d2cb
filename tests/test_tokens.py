"""Tokens: shown once, kept as digests, readable by their owner alone, gone when revoked."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from regime3 import disk
from regime3.config import Node
from regime3.errors import InputRefused, LabError, LabLocked, SettingsError
from regime3.paths import Lab
from regime3.tokens import NAME_CHARACTERS_MAX, TOKENS_MAX, TokenFile, check_exposure


@pytest.fixture
def file(tmp_path: Path) -> TokenFile:
    return TokenFile(Lab(tmp_path))


def test_a_token_is_found_by_its_text_and_kept_as_a_digest(tmp_path: Path, file: TokenFile) -> None:
    text, token = file.create("admin", "mine", 5.0)
    assert text.startswith("r3a_") and len(text) >= 4 + 43
    assert file.create("inference", "", 6.0)[0].startswith("r3i_")
    kept = Lab(tmp_path).node_tokens_file.read_text()
    assert text not in kept and text[4:] not in kept and token.digest in kept
    assert file.find(text) == token
    assert file.find(text[:-1]) is None and file.find("") is None and file.find("\ud800") is None
    assert token.digest not in str(token.shown())


def test_only_its_owner_may_read_the_file(tmp_path: Path, file: TokenFile) -> None:
    file.create("admin", "", 0.0)
    path = Lab(tmp_path).node_tokens_file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    file.create("admin", "", 0.0)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_another_process_changes_is_seen(tmp_path: Path, file: TokenFile) -> None:
    other = TokenFile(Lab(tmp_path))
    assert not file.any()
    text, token = other.create("inference", "", 0.0)
    assert file.find(text) == token
    other.revoke(token.id)
    assert file.find(text) is None and not file.any()
    with pytest.raises(InputRefused, match="no token"):
        file.revoke(token.id)


def test_names_and_numbers_have_limits(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.create("admin", "n" * NAME_CHARACTERS_MAX, 0.0)
    for name in ("n" * (NAME_CHARACTERS_MAX + 1), "a\nb", "\x1b[31m"):
        with pytest.raises(InputRefused, match="plain characters"):
            file.create("admin", name, 0.0)
    assert TOKENS_MAX > 10
    monkeypatch.setattr("regime3.tokens.TOKENS_MAX", 1)
    with pytest.raises(InputRefused, match="already"):
        file.create("admin", "", 0.0)


def test_two_changes_at_one_time_do_not_lose_one(tmp_path: Path, file: TokenFile) -> None:
    lab = Lab(tmp_path)
    file.create("admin", "", 0.0)
    with disk.Lock(lab.node_tokens_lock, "a change of tokens", "x"), pytest.raises(LabLocked):
        file.create("admin", "", 0.0)
    file.create("admin", "", 0.0)
    assert len(file.all()) == 2


def test_a_damaged_file_is_never_written_over(tmp_path: Path, file: TokenFile) -> None:
    file.create("admin", "", 0.0)
    path = Lab(tmp_path).node_tokens_file
    path.write_text('{"version": 2}')
    for act in (lambda: file.create("admin", "", 0.0), file.all, lambda: file.revoke("x")):
        with pytest.raises(LabError, match="damaged"):
            act()
    assert path.read_text() == '{"version": 2}' and file.any()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "node.lan", ""])
def test_an_open_address_starts_only_with_an_admin_token(
    tmp_path: Path, file: TokenFile, host: str
) -> None:
    for _ in range(2):
        with pytest.raises(SettingsError, match="r3 token create admin"):
            check_exposure(Node(host=host), file)
        file.create("inference", "", 0.0)
    file.create("admin", "", 0.0)
    check_exposure(Node(host=host), file)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_loopback_needs_no_token(file: TokenFile, host: str) -> None:
    check_exposure(Node(host=host), file)
