"""What a token reads as, alone: its text, and its bytes where they are no whole characters.

    spelling = Spelling(tokenizer)
    spelling.text(17)      # "\\ufffd"
    spelling.raw(17)       # b"\\xf0\\x9f"; b"" where the text, encoded, is the token's bytes

A token may hold a piece of a character, and decoding it alone then loses which. The bytes are read
off the vocabulary instead, in the two spellings that fast tokenizers know: the byte alphabet of
byte-level BPE (GPT-2, Qwen, Llama 3) and SentencePiece's (`<0xF0>`, and U+2581 for a blank). Of
any other decoder the text is all there is to say.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from transformers.convert_slow_tokenizer import bytes_to_unicode

KEPT_MAX = 1 << 16
BLANK = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")


class Spelling:
    """One tokenizer's. For the engine's thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._fast = tokenizer.backend_tokenizer
        self._added: dict[int, Any] = tokenizer.added_tokens_decoder
        self._decoders = _decoders(self._fast.decoder)
        self._alphabet = {sign: byte for byte, sign in bytes_to_unicode().items()}
        self.text = lru_cache(KEPT_MAX)(self._text)
        self.raw = lru_cache(KEPT_MAX)(self._raw)

    def _text(self, token: int) -> str:
        text: str = self._fast.decode([token], skip_special_tokens=False)
        return text

    def _raw(self, token: int) -> bytes:
        piece = None if token in self._added else self._fast.id_to_token(token)
        found = b"" if piece is None else self._bytes(piece)
        return b"" if found == self._text(token).encode() else found

    def _bytes(self, piece: str) -> bytes:
        """Of a piece of the vocabulary; b"" if this decoder's spelling is not known."""
        if "ByteLevel" in self._decoders:
            return bytes(self._alphabet[sign] for sign in piece)
        if "ByteFallback" in self._decoders:
            single = _BYTE.fullmatch(piece)
            return bytes([int(single[1], 16)]) if single else piece.replace(BLANK, " ").encode()
        return b""


def _decoders(decoder: Any) -> set[str]:
    """Kinds of the decoders that make up this one."""
    if decoder is None:
        return set()
    told = json.loads(decoder.__getstate__())
    return {each["type"] for each in (told, *told.get("decoders", []))}
