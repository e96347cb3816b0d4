"""API keys and session tokens: made from 256 random bits, recognised by form, kept as digests.

    clst_<43 base-62 digits: 256 random bits><6 base-62 digits: CRC-32 of what comes before>

The prefix lets a secret scanner find a leaked key, and the checksum lets it, and us, drop a
mistyped one without a look-up. The checksum is no protection: the 256 bits are. The box stores
HMAC-SHA-256 under a vault key, so that a stolen database neither holds a key nor lets one guess.
"""

import hmac
import secrets
import string
import zlib

_DIGITS = string.digits + string.ascii_letters
_BODY_DIGITS = 43  # 62^43 > 2^256
_CHECKSUM_DIGITS = 6  # 62^6 > 2^32

API_KEY = "clst_"
SESSION = "clss_"


def generate(prefix: str) -> str:
    """Make a new secret of the given kind (`API_KEY` or `SESSION`)."""
    body = prefix + _base62(int.from_bytes(secrets.token_bytes(32)), _BODY_DIGITS)
    return body + _checksum(body)


def is_well_formed(secret: str, prefix: str) -> bool:
    """Whether the text can be a secret of that kind; says nothing about who holds it."""
    body, checksum = secret[:-_CHECKSUM_DIGITS], secret[-_CHECKSUM_DIGITS:]
    return (
        secret.startswith(prefix)
        and len(body) == len(prefix) + _BODY_DIGITS
        and secret.isascii()
        and checksum == _checksum(body)
    )


def digest(secret: str, key: bytes) -> bytes:
    """What the box keeps in place of the secret: 32 bytes."""
    return hmac.digest(key, secret.encode(), "sha256")


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_DIGITS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(reversed(digits))
