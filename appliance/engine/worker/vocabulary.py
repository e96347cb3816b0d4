"""A model's vocabulary: text to token ids, and the bytes each id stands for.

Contract: built once after loading; after that nothing here asks llama.cpp but `tokenize`. `pieces`
is what a token adds to an answer (nothing, for control tokens), `texts` the same where it is whole
characters by itself, `names` what stands for it in the vocabulary. `tokenize` never turns text into
control tokens; only `ChatTemplate` puts those in, by id.
"""

import ctypes
from typing import Final

from appliance.engine.worker.binding import llama
from appliance.engine.worker.template import ControlTokens, Part

_CONTROL = 1 << 3 | 1 << 0
"""LLAMA_TOKEN_ATTR_CONTROL and _UNKNOWN: what llama.cpp finds in text only if told to."""
_LSTRIP, _RSTRIP = 1 << 7, 1 << 8
NO_TOKEN: Final = -1


class Vocabulary:
    """The vocabulary of one loaded model."""

    def __init__(self, handle: int) -> None:
        self.handle = handle
        """llama.cpp's own."""
        self.size = int(llama.llama_vocab_n_tokens(handle))
        self.bos = int(llama.llama_vocab_bos(handle))
        self.eos = int(llama.llama_vocab_eos(handle))
        self.adds_bos = bool(llama.llama_vocab_get_add_bos(handle)) and self.bos != NO_TOKEN
        attributes = [int(llama.llama_vocab_get_attr(handle, n)) for n in range(self.size)]
        self.ends: frozenset[int] = frozenset(
            n for n in range(self.size) if llama.llama_vocab_is_eog(handle, n)
        )
        """Tokens that end a turn."""
        self.end_ids = sorted(self.ends)
        buffer = ctypes.create_string_buffer(256)
        self.names = tuple(self._piece(n, buffer, special=True) for n in range(self.size))
        self.pieces: tuple[bytes, ...] = tuple(
            b"" if attributes[n] & _CONTROL or n in self.ends else self.names[n]
            for n in range(self.size)
        )
        self.texts: tuple[str | None, ...] = tuple(_whole(piece) for piece in self.pieces)
        control = {
            name.decode("utf-8", "replace"): n
            for n, name in enumerate(self.names)
            if attributes[n] & _CONTROL
        }
        self.control = ControlTokens(
            control,
            frozenset(n for n in control.values() if attributes[n] & _LSTRIP),
            frozenset(n for n in control.values() if attributes[n] & _RSTRIP),
        )

    def text_of(self, token: int) -> str:
        """What stands for a token in the vocabulary; empty for no token."""
        return self.names[token].decode("utf-8", "replace") if token >= 0 else ""

    def tokenize_text(self, text: str) -> list[int]:
        """A text by itself, with the beginning that the model is used to."""
        return self._tokenize(text, add_special=True)

    def tokenize_parts(self, parts: list[Part]) -> list[int]:
        """A rendered conversation; begins with one `bos` if the model is used to one."""
        tokens: list[int] = []
        for part in parts:
            if isinstance(part, int):
                tokens.append(part)
            else:
                tokens += self._tokenize(part, add_special=False)
        if self.adds_bos and tokens[:1] != [self.bos]:
            tokens.insert(0, self.bos)
        return tokens

    def _tokenize(self, text: str, *, add_special: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        while True:
            tokens = (ctypes.c_int32 * room)()
            count = int(
                llama.llama_tokenize(self.handle, data, len(data), tokens, room, add_special, False)
            )
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def _piece(self, token: int, buffer: "ctypes.Array[ctypes.c_char]", *, special: bool) -> bytes:
        length = int(
            llama.llama_token_to_piece(self.handle, token, buffer, len(buffer), 0, special)
        )
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = int(
                llama.llama_token_to_piece(self.handle, token, buffer, len(buffer), 0, special)
            )
        return buffer.raw[:length]


def _whole(piece: bytes) -> str | None:
    """The text of a piece, if it begins and ends between characters."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return None
