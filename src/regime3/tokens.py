"""Tokens of the node and of the viewer: random texts, of which only digests are kept.

    text, token = TokenFile(lab).create("admin", "my laptop", now)     # `text` is shown once
    TokenFile(lab).find(text)                                          # the Token, or None
    TokenFile(lab, "viewer").create("view", "a friend", now)

At the node an `admin` token may do all, an `inference` token may ask the models. At the viewer a
`control` token may act, a `view` token may look where a token is asked for. The file is read
again when it changes, so a token that is revoked stops working at once. A file that cannot be
read lets nobody in. The texts are random, 32 bytes, so that a plain SHA-256 hides them well enough.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

import msgspec

from regime3 import disk
from regime3.config import Node
from regime3.errors import InputRefused, LabError, SettingsError
from regime3.exposure import is_loopback
from regime3.paths import Lab

Door = Literal["node", "viewer"]
Scope = Literal["admin", "inference", "control", "view"]
PREFIXES: dict[str, str] = {
    "admin": "r3a_", "inference": "r3i_", "control": "r3c_", "view": "r3v_",
}  # fmt: skip
DOORS: dict[str, Door] = {
    "admin": "node", "inference": "node", "control": "viewer", "view": "viewer",
}  # fmt: skip
"""Where a scope counts."""
SECRET_BYTES = 32
TOKENS_MAX = 1000
NAME_CHARACTERS_MAX = 80
ID_DIGITS = 8


class Token(msgspec.Struct, frozen=True):
    """What is kept of a token."""

    id: str
    scope: Scope
    name: str
    digest: str
    made_at: float
    """Seconds since the epoch."""

    def shown(self) -> dict[str, object]:
        """Without the digest."""
        return {"id": self.id, "scope": self.scope, "name": self.name, "made_at": self.made_at}


class _File(msgspec.Struct):
    version: Literal[1] = 1
    tokens: list[Token] = []


def digest_of(text: str) -> str:
    """Hex SHA-256 of a token's text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class TokenFile:
    """The tokens of a lab's node, or of its viewer."""

    def __init__(self, lab: Lab, door: Door = "node") -> None:
        self.path = lab.node_tokens_file if door == "node" else lab.web_tokens_file
        self.lock = lab.node_tokens_lock if door == "node" else lab.web_tokens_lock
        self._door = door
        self._stamp: tuple[int, int, int] | None = None
        self._tokens: list[Token] | None = []
        """None: the file is there and cannot be read."""

    def all(self) -> list[Token]:
        """Every token, oldest first. Raises `LabError` when the file is damaged."""
        self._refresh()
        if self._tokens is None:
            raise LabError(f"{self.path} is damaged; nobody is let in", f"rm {self.path}")
        return list(self._tokens)

    def any(self) -> bool:
        """Whether tokens are asked for. A damaged file asks for tokens that nobody has."""
        self._refresh()
        return self._tokens is None or bool(self._tokens)

    def find(self, text: str) -> Token | None:
        """The token of this text. Every digest is compared, in equal time."""
        self._refresh()
        wanted, found = digest_of(text), None
        for token in self._tokens or ():
            if hmac.compare_digest(token.digest.encode(), wanted.encode()):
                found = token
        return found

    def create(self, scope: Scope, name: str, now: float) -> tuple[str, Token]:
        """A new token: its text, which is kept nowhere, and what is kept.

        Raises `InputRefused`, and `LabLocked` while another process changes the tokens."""
        assert DOORS[scope] == self._door
        if len(name) > NAME_CHARACTERS_MAX or not name.isprintable():
            raise InputRefused(f"a token's name is at most {NAME_CHARACTERS_MAX} plain characters")
        text = PREFIXES[scope] + secrets.token_urlsafe(SECRET_BYTES)
        with self._changing() as tokens:
            if len(tokens) >= TOKENS_MAX:
                raise InputRefused(
                    f"there are {TOKENS_MAX} tokens already", next_command="r3 token list"
                )
            taken = {token.id for token in tokens}
            token_id = secrets.token_hex(ID_DIGITS // 2)
            while token_id in taken:
                token_id = secrets.token_hex(ID_DIGITS // 2)
            token = Token(token_id, scope, name, digest_of(text), now)
            self._write([*tokens, token])
        return text, token

    def revoke(self, token_id: str) -> Token:
        """Forget a token. Raises `InputRefused` when there is none of that id."""
        with self._changing() as tokens:
            gone = [token for token in tokens if token.id == token_id]
            if not gone:
                raise InputRefused(f"no token {token_id!r}", next_command="r3 token list")
            self._write([token for token in tokens if token.id != token_id])
        return gone[0]

    def _changing(self) -> _Changing:
        disk.make_folder(self.path.parent)
        return _Changing(self)

    def _write(self, tokens: list[Token]) -> None:
        body = msgspec.to_builtins(_File(1, tokens))
        disk.write_json(self.path, body, private=True)

    def _refresh(self) -> None:
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            self._stamp, self._tokens = None, []
            return
        except OSError:
            self._stamp, self._tokens = None, None
            return
        stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
        if stamp != self._stamp:
            self._tokens = self._read()
            self._stamp = stamp

    def _read(self) -> list[Token] | None:
        try:
            data = self.path.read_bytes()
            return msgspec.json.decode(data, type=_File).tokens
        except (OSError, msgspec.DecodeError):
            return None


class _Changing:
    """The tokens while they are changed: one process at a time."""

    def __init__(self, file: TokenFile) -> None:
        self._file = file
        self._lock = disk.Lock(file.lock, "a change of tokens", "r3 token")

    def __enter__(self) -> list[Token]:
        self._lock.acquire()
        try:
            return self._file.all()
        except LabError:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def check_exposure(node: Node, tokens: TokenFile) -> None:
    """Raises `SettingsError` when the node would be open to others without an admin token."""
    if is_loopback(node.host):
        return
    if not any(token.scope == "admin" for token in tokens.all()):
        raise SettingsError(
            "node.host",
            f"{node.host} can be reached by others and there is no admin token",
            'Make one: r3 token create admin; or set node.host = "127.0.0.1"',
        )
