r"""The log's signing key, which is replaced now and then and destroyed afterwards.

The ring is one file, encrypted under a secret that the vault keeps. It holds the current key's seed
and, while a change is under way, the next one's. Seeds are random and independent: neither the
vault's secret nor a later seed leads back to an earlier one.

Order of calls for a change (`epochs` says what it means): `draw` makes the next key durable; the
old key signs it into the log; a checkpoint by the new key is durable; `advance` writes the ring
without the old seed over the file. A crash in between leaves both seeds, and `Log.open` finds out
which signs. On flash memory an overwritten block may survive for a while; it is ciphertext there.

    file = "cloister/keyring/v1\n" ‖ nonce (12) ‖ AES-256-GCM(epoch u32 ‖ seed [‖ next seed])
"""

import os
import struct
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.audit.files import Files, make_directories, store, sync_directory
from appliance.audit.keys import SEED_SIZE, Ed25519Signer, VerifierKey
from appliance.errors import ConfigurationError, IntegrityError

FILE = "keyring"
_MAGIC = b"cloister/keyring/v1\n"
_EPOCH = struct.Struct(">I")
_NONCE_BYTES = 12


class Keyring:
    """A `Signer` that can be replaced. Made by `create` or `open`."""

    def __init__(self, directory: Path, name: str, secret: bytes, files: Files | None) -> None:
        self._directory = directory
        self._name = name
        # Signs nothing: it only derives what the ring is encrypted under, and the journal's key.
        self._root = Ed25519Signer.from_seed(name, secret)
        self._files = files or Files()
        self._epoch = 0
        self._seeds: list[bytes] = []

    @classmethod
    def create(
        cls, directory: Path, *, name: str, secret: bytes, files: Files | None = None
    ) -> "Keyring":
        """A ring with a first, random key in `directory`, which exists.

        `secret` is 32 bytes from the vault. Raises ConfigurationError if there is a ring already.
        """
        if (directory / FILE).exists():
            raise ConfigurationError(f"There is a keyring in {directory} already.")
        ring = cls(directory, name, secret, files)
        ring._seeds = [os.urandom(SEED_SIZE)]
        ring._store()
        return ring

    @classmethod
    def open(
        cls, directory: Path, *, name: str, secret: bytes, files: Files | None = None
    ) -> "Keyring":
        """The ring in `directory`. Raises IntegrityError if it is gone, altered or foreign."""
        ring = cls(directory, name, secret, files)
        try:
            data = (directory / FILE).read_bytes()
        except FileNotFoundError as error:
            raise IntegrityError(
                f"The log's keyring {directory / FILE} is missing. Restore it from a backup."
            ) from error
        sealed = data[len(_MAGIC) + _NONCE_BYTES :]
        nonce = data[len(_MAGIC) :][:_NONCE_BYTES]
        try:
            if not data.startswith(_MAGIC):
                raise ValueError("not a keyring")
            plain = ring._cipher().decrypt(nonce, sealed, ring._associated())
        except (InvalidTag, ValueError) as error:
            raise IntegrityError(
                f"The log's keyring {directory / FILE} was altered or belongs to another box. "
                "Restore it from a backup."
            ) from error
        ring._epoch = _EPOCH.unpack_from(plain)[0]
        seeds = plain[_EPOCH.size :]
        ring._seeds = [seeds[at : at + SEED_SIZE] for at in range(0, len(seeds), SEED_SIZE)]
        return ring

    @property
    def epoch(self) -> int:
        """How many keys there were before the current one."""
        return self._epoch

    @property
    def vkey(self) -> VerifierKey:
        """The current key's public half."""
        return self.current.vkey

    @property
    def current(self) -> Ed25519Signer:
        """Signs now."""
        return Ed25519Signer.from_seed(self._name, self._seeds[0])

    @property
    def next(self) -> Ed25519Signer | None:
        """Will sign, if a change is under way."""
        return Ed25519Signer.from_seed(self._name, self._seeds[1]) if self._seeds[1:] else None

    def sign(self, message: bytes) -> bytes:
        """A signature by the current key."""
        return self.current.sign(message)

    def derive(self, purpose: str) -> bytes:
        """A secret for one purpose, the same in every epoch."""
        return self._root.derive(purpose)

    def draw(self) -> Ed25519Signer:
        """Make the next key, durably; the one already made, if there is one. Raises OSError."""
        if not self._seeds[1:]:
            self._seeds.append(os.urandom(SEED_SIZE))
            try:
                self._store()
            except OSError:
                self._seeds.pop()
                raise
        return Ed25519Signer.from_seed(self._name, self._seeds[1])

    def advance(self) -> None:
        """Make the next key the current one and destroy the old. Raises OSError."""
        if self._seeds[1:]:
            del self._seeds[0]
            self._epoch += 1
        self._store()

    def _store(self) -> None:
        nonce = os.urandom(_NONCE_BYTES)
        plain = _EPOCH.pack(self._epoch) + b"".join(self._seeds)
        sealed = self._cipher().encrypt(nonce, plain, self._associated())
        staging = self._directory / "staging"
        make_directories(self._files, staging)
        store(self._files, staging, self._directory / FILE, _MAGIC + nonce + sealed)
        sync_directory(self._files, self._directory)

    def _cipher(self) -> AESGCM:
        # A random 96-bit nonce is safe for far more than the few writes that a ring ever sees.
        return AESGCM(self._root.derive("keyring"))

    def _associated(self) -> bytes:
        return _MAGIC + self._name.encode()
