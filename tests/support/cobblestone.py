"""Cobblestone-256 written straight from the specification, slowly, to make test vectors with.

It shares nothing with the appliance's code: HKDF-Expand is spelled out over HMAC (RFC 5869, 2.3),
and one chunk is encrypted at a time. https://c2sp.org/chunked-encryption

`python -m tests.support.cobblestone` prints tests/vectors/vault/cobblestone-256.json.
"""

import base64
import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 16 * 1024


def hkdf_expand(prk: bytes, info: bytes, length: int) -> bytes:
    output = block = b""
    counter = 1
    while len(output) < length:
        block = hmac.digest(prk, block + info + bytes([counter]), "sha512")
        output += block
        counter += 1
    return output[:length]


def encrypt(key: bytes, salt: bytes, context: bytes, message: bytes) -> bytes:
    info = b"c2sp.org/chunked-encryption@v1+" + b"AEAD_AES_256_GCM" + b"\x00" + salt + context
    derived = hkdf_expand(key, info, 32 + 12 + 32)
    aead, base, commitment = AESGCM(derived[:32]), derived[32:44], derived[44:]
    result = salt + commitment
    chunks = [message[at : at + CHUNK] for at in range(0, len(message), CHUNK)]
    if not chunks or len(chunks[-1]) == CHUNK:
        chunks.append(b"")
    for number, chunk in enumerate(chunks):
        counter = number.to_bytes(12, "big")
        nonce = bytes(a ^ b for a, b in zip(base, counter, strict=True))
        result += aead.encrypt(nonce, chunk, None)
    return result


def plaintext(size: int) -> bytes:
    """Return bytes that differ in every chunk and that anybody can make again."""
    blocks = (hashlib.sha256(n.to_bytes(8, "big")).digest() for n in range(-(-size // 32)))
    return b"".join(blocks)[:size]


KEY = bytes(range(32))
SALT = bytes(range(100, 124))
CONTEXT = b"cloister test vector"
SEALED = CHUNK + 16


SIZES = (0, 1, 1024, CHUNK - 1, CHUNK, CHUNK + 1)
THREE = 2 * CHUNK + 500
LENGTH = 56 + THREE + 3 * 16

# What an attacker makes of stored messages: pieces of them, as (message, from, to), then a bit
# turned at an offset.
Piece = tuple[str, int, int]


def whole(flip: int) -> tuple[list[Piece], int]:
    return [("three chunks", 0, LENGTH)], flip


def pieces(*cuts: Piece) -> tuple[list[Piece], None]:
    return list(cuts), None


def of_three(*cuts: tuple[int, int]) -> tuple[list[Piece], None]:
    return [("three chunks", start, end) for start, end in cuts], None


FIRST, SECOND, LAST = (56, 56 + SEALED), (56 + SEALED, 56 + 2 * SEALED), (56 + 2 * SEALED, LENGTH)
HEADER = (0, 56)
DAMAGE: dict[str, tuple[list[Piece], int | None]] = {
    "a bit of the salt": whole(0),
    "a bit of the commitment": whole(24),
    "a bit of the first chunk": whole(56),
    "a bit of the first tag": whole(56 + CHUNK),
    "a bit of a middle chunk": whole(56 + SEALED + 9),
    "a bit of the last chunk": whole(56 + 2 * SEALED),
    "a bit of the last tag": whole(LENGTH - 1),
    "two chunks swapped": of_three(HEADER, SECOND, FIRST, LAST),
    "a chunk twice": of_three(HEADER, FIRST, FIRST, LAST),
    "a chunk missing": of_three(HEADER, SECOND, LAST),
    "cut after a chunk": of_three(HEADER, FIRST, SECOND),
    "cut inside a chunk": of_three((0, 56 + SEALED + 100)),
    "cut inside the last tag": of_three((0, LENGTH - 3)),
    "cut to a tag's length": of_three((0, LAST[0] + 16)),
    "cut inside the header": of_three((0, 55)),
    "header alone": of_three(HEADER),
    "nothing": of_three(),
    "a byte more": of_three((0, LENGTH), (0, 1)),
    "a chunk of another message": pieces(
        ("three chunks", 0, 56),
        ("another message", *FIRST),
        ("three chunks", SECOND[0], LENGTH),
    ),
    "the header of another message": pieces(
        ("another message", 0, 56), ("three chunks", 56, LENGTH)
    ),
    "the empty last chunk missing": pieces((f"{CHUNK} bytes", 0, 56 + SEALED)),
}


def vectors() -> dict[str, object]:
    messages = [_message(f"{size} bytes", size) for size in SIZES]
    messages.append(_message("no context", 11, context=b""))
    messages.append(_message("three chunks", THREE))
    messages.append(_message("another message", THREE, salt=bytes(24)))
    damaged = [
        {"name": name, "pieces": cuts, "flip": flip} for name, (cuts, flip) in DAMAGE.items()
    ]
    return {
        "specification": "c2sp.org/chunked-encryption, Cobblestone-256",
        "plaintext": "SHA-256 of 0, 1, 2 … as 8 bytes big-endian, joined, cut to the size",
        "messages": messages,
        "damaged": damaged,
    }


def _message(
    name: str, size: int, salt: bytes = SALT, context: bytes = CONTEXT
) -> dict[str, object]:
    message = encrypt(KEY, salt, context, plaintext(size))
    return {
        "name": name,
        "key": KEY.hex(),
        "salt": salt.hex(),
        "context": context.hex(),
        "plaintext_size": size,
        "plaintext_sha256": hashlib.sha256(plaintext(size)).hexdigest(),
        "message": base64.b64encode(message).decode(),
    }


if __name__ == "__main__":
    json.dump(vectors(), sys.stdout, indent=1)
    sys.stdout.write("\n")
