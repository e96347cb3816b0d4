"""Cobblestone-256: chunked authenticated encryption, as bytes alone. No files, no threads.

The format is C2SP chunked-encryption, instance Cobblestone-256 (SHA-512, AES-256-GCM), exactly:
https://c2sp.org/chunked-encryption. It is the only cipher construction of this room: files,
wrapped keys and encrypted columns are all one message of it.

    message    = salt (24) ‖ commitment (32) ‖ chunk 0 ‖ chunk 1 ‖ …
    chunk      = AES-256-GCM of 16 KiB (ciphertext ‖ 16-byte tag); the last of 0 … 16,383 bytes
    key ‖ base nonce ‖ commitment =
        HKDF-Expand-SHA-512(input key, "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM" ‖ 0x00
                            ‖ salt ‖ context)
    nonce of chunk i = base nonce XOR i (big-endian)

What this gives, and why it is safe to lean on:
- A chunk that was changed, or moved within its message, fails its tag (the nonce is its number);
  one spliced from another message fails too (each message has its own key, from 192 random bits).
- A message cut between chunks fails: only a last chunk is shorter than 16 KiB, and one always is.
- The commitment makes input key and context certain before a single chunk is decrypted: a wrong
  key, or a ciphertext put where another belongs, is named as such. GCM alone would not commit.

Callers bind what a message *is* through `context` and never reuse one for two meanings.
"""

import hmac
import os
from typing import Final, TypeAlias

from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.errors import IntegrityError

ALGORITHM: Final = "Cobblestone-256"
KEY_SIZE: Final = 32
CHUNK_SIZE: Final = 16 * 1024
TAG_SIZE: Final = 16
SEALED_CHUNK_SIZE: Final = CHUNK_SIZE + TAG_SIZE
SALT_SIZE: Final = 24
COMMITMENT_SIZE: Final = 32
HEADER_SIZE: Final = SALT_SIZE + COMMITMENT_SIZE
MAX_CHUNKS: Final = 2**38
"""Specification's limit: keeps the counter inside the low bits of the nonce that it may use."""
NONCE_SIZE: Final = 12
_INFO: Final = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\x00"


Bytes: TypeAlias = bytes | bytearray | memoryview
Places: TypeAlias = list[tuple[memoryview, memoryview]]
"""Encrypted chunks, each with the place for its plaintext."""


class MessageReader:
    """The keys of one existing message; decrypts its chunks in any order.

    One instance may be used by several threads at once; it holds no position. What reads or
    writes a message from beginning to end uses the library's own implementation instead
    (`seal`, `open_sealed`, `encryptor`): this class is what that one does not offer.
    """

    __slots__ = ("_aead", "_base")

    def __init__(self, key: Bytes, header: bytes, context: bytes) -> None:
        """Derive the message's keys from its first 56 bytes.

        Raises `IntegrityError` if key or context are not those it was made with.
        """
        if len(key) != KEY_SIZE:
            raise ValueError(f"{ALGORITHM} takes a key of {KEY_SIZE} bytes")
        if len(header) != HEADER_SIZE:
            raise IntegrityError("the encrypted data ends inside its header: it was cut off")
        salt, commitment = header[:SALT_SIZE], header[SALT_SIZE:]
        self._aead, nonce, expected = _derive(key, salt, context)
        if not hmac.compare_digest(expected, commitment):
            raise IntegrityError(
                "the encrypted data belongs to another key or another place, "
                "or its header was altered"
            )
        self._base = int.from_bytes(nonce, "big")

    def open_into(self, first: int, sealed: Bytes, plain: memoryview) -> int:
        """Decrypt consecutive chunks from number `first`; return the bytes written to `plain`.

        `sealed` is a whole number of full chunks, or ends with the last, short one. Whether a
        short chunk is where it may be is for the caller, who knows the length (`plaintext_size`).
        Raises `IntegrityError` naming the chunk; what is in `plain` must then not be used.
        """
        if len(sealed) % SEALED_CHUNK_SIZE in range(1, TAG_SIZE):
            raise IntegrityError("the encrypted data ends inside a chunk: it was cut off")
        places = cut(memoryview(sealed), plain)
        self.open_places(first, places)
        return len(sealed) - len(places) * TAG_SIZE

    def open_places(self, first: int, places: Places) -> None:
        """Decrypt consecutive chunks from number `first`, each into its own place.

        For whoever decrypts into the same buffers again and again: `cut` them once. Raises as
        `open_into` does.
        """
        if first + len(places) > MAX_CHUNKS:
            raise IntegrityError("a message has at most 2^38 chunks")
        # Names of this loop alone: it runs 65,536 times for a gigabyte, and on one core the
        # interpreter's share of that shows.
        decrypt, base, number = self._aead.decrypt_into, self._base, first
        try:
            for piece, place in places:
                decrypt((base ^ number).to_bytes(12, "big"), piece, None, place)
                number += 1
        except InvalidTag:
            raise IntegrityError(
                f"chunk {number} of the encrypted data was altered, moved, or belongs to "
                "another file"
            ) from None


def cut(sealed: memoryview, plain: memoryview) -> Places:
    """Pair each chunk of `sealed` with the place in `plain` where its plaintext goes."""
    places = []
    for number in range(-(-len(sealed) // SEALED_CHUNK_SIZE)):
        piece = sealed[number * SEALED_CHUNK_SIZE :][:SEALED_CHUNK_SIZE]
        places.append((piece, plain[number * CHUNK_SIZE :][: len(piece) - TAG_SIZE]))
    return places


def sealed_size(size: int) -> int:
    """Return the length in bytes of the message that holds `size` bytes of plaintext."""
    return HEADER_SIZE + size + (size // CHUNK_SIZE + 1) * TAG_SIZE


def plaintext_size(size: int) -> int:
    """Return the length in bytes of the plaintext in a message of `size` bytes.

    Raises `IntegrityError` for a length that no message has: it was cut off, or grew.
    """
    chunks, rest = divmod(size - HEADER_SIZE, SEALED_CHUNK_SIZE)
    if size < HEADER_SIZE or rest < TAG_SIZE or chunks >= MAX_CHUNKS:
        raise IntegrityError("the encrypted data has an impossible length: it was cut off")
    return chunks * CHUNK_SIZE + rest - TAG_SIZE


def encryptor(key: Bytes, context: bytes) -> Cobblestone256Encryptor:
    """Begin a message under a fresh random salt, to be written from beginning to end."""
    return Cobblestone256Encryptor(key, context)


def seal(key: bytes, plain: bytes, context: bytes) -> bytes:
    """Encrypt a small message whole."""
    message = Cobblestone256Encryptor(key, context)
    return message.update(plain) + message.finalize()


def seal_secret(key: Bytes, secret: memoryview, context: bytes) -> bytes:
    """Encrypt a secret shorter than a chunk.

    As `seal`, which buffers the plaintext in memory that nobody wipes; this does not.
    """
    if len(secret) >= CHUNK_SIZE:
        raise ValueError("a secret is shorter than a chunk")
    salt = os.urandom(SALT_SIZE)
    aead, nonce, commitment = _derive(key, salt, context)
    return salt + commitment + aead.encrypt(nonce, secret, None)


def open_sealed(key: Bytes, message: bytes, context: bytes) -> bytes:
    """Decrypt a small message whole; raises `IntegrityError` unless it is exactly what was made."""
    try:
        reader = Cobblestone256Decryptor(key, context)
        return reader.update(message) + reader.finalize()
    except InvalidTag:
        raise IntegrityError(
            "the encrypted data belongs to another key or another place, or it was altered"
        ) from None


def _derive(key: Bytes, salt: bytes, context: bytes) -> tuple[AESGCM, bytes, bytes]:
    """Return a message's cipher, base nonce and commitment."""
    size = KEY_SIZE + NONCE_SIZE + COMMITMENT_SIZE
    derived = HKDFExpand(SHA512(), size, _INFO + salt + context).derive(key)
    end = KEY_SIZE + NONCE_SIZE
    return AESGCM(derived[:KEY_SIZE]), derived[KEY_SIZE:end], derived[end:]
