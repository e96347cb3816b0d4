"""Passwords of people, kept as Argon2id hashes in PHC string format (RFC 9106).

64 MiB and 3 passes is RFC 9106's second recommended option. Checking one takes about 0.1 s of one
core on purpose, so callers check in a thread and count failures first.
"""

import os
import secrets

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

_SALT_BYTES = 16
_HASH_BYTES = 32
_PASSES = 3
_LANES = 1
_MEMORY_KIB = 64 * 1024

# Unambiguous when read from a screen and typed: no 0/O, 1/l/I.
_ALPHABET = "23456789abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ"


def generate() -> str:
    """Make a password of 20 characters, over 110 bits, in groups that a person can read aloud."""
    letters = [secrets.choice(_ALPHABET) for _ in range(20)]
    return "-".join("".join(letters[i : i + 5]) for i in range(0, 20, 5))


def hash_password(password: str) -> str:
    """Return a PHC string with salt and parameters; safe to store."""
    return Argon2id(
        salt=os.urandom(_SALT_BYTES),
        length=_HASH_BYTES,
        iterations=_PASSES,
        lanes=_LANES,
        memory_cost=_MEMORY_KIB,
    ).derive_phc_encoded(password.encode())


def matches(password: str, stored: str) -> bool:
    """Whether the password is the one that was hashed. Constant time but for the hash itself."""
    try:
        Argon2id.verify_phc_encoded(password.encode(), stored)
    except InvalidKey:
        return False
    return True
