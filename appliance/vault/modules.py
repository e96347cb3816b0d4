"""Which cryptographic libraries do the work, and whether they run in FIPS 140 mode.

Two are loaded: the one of the `cryptography` package (vault, files, log) and the one that SQLCipher
brings along (the database file). FIPS mode of one says nothing of the other. Without it the
algorithms are the same approved ones (AES-256-GCM, HKDF, HMAC, SHA-2, Ed25519), but they do not run
inside a validated module, which is what an auditor who asks for FIPS 140 asks for. Argon2id and
SLIP-39 are approved in neither: a box under FIPS rules unseals by a key file, a device or a TPM.
"""

import msgspec
from cryptography.hazmat.backends.openssl import backend
from cryptography.hazmat.bindings._rust import openssl
from sqlcipher3 import dbapi2


class CryptoModule(msgspec.Struct, frozen=True, kw_only=True):
    """One library."""

    used_for: str
    version: str
    fips: bool
    """Whether it refuses everything that is not approved."""


def crypto_modules() -> tuple[CryptoModule, ...]:
    """Ask the loaded libraries themselves."""
    connection = dbapi2.connect(":memory:")
    try:
        # SQLCipher answers about its library only on a connection with a key; any will do.
        connection.executescript(f"PRAGMA key = \"x'{bytes(32).hex()}'\"")
        (provider,) = connection.execute("PRAGMA cipher_provider_version").fetchone()
        (fips,) = connection.execute("PRAGMA cipher_fips_status").fetchone()
    finally:
        connection.close()
    return (
        CryptoModule(
            used_for="keys, files and log",
            version=backend.openssl_version_text(),
            fips=openssl.is_fips_enabled(),
        ),
        CryptoModule(used_for="database", version=str(provider), fips=str(fips) == "1"),
    )
