"""The vault of a box: unseals it, keeps the purposes' secrets while it is open, forgets them.

Promises
- No secret leaves `vault.json` unencrypted; in memory secrets lie in locked pages (`secret`).
- The root key is in memory only inside a call that was given an unsealer.
- A write of `vault.json` is durable and whole, or did not happen.

Order: `create` once, then at every start `unseal` → `key`/`derive`/`wrap`/`unwrap` … → `seal`.

A purpose's secret is never used itself: `key`, `derive` and `wrap` each use a key derived from it
(HKDF-Expand, SHA-256) for that use alone, so that handing out one tells nothing about another.
"""

import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.errors import IntegrityError, SealedError
from appliance.vault import changes, custody, document, envelope
from appliance.vault.changes import Secrets
from appliance.vault.document import Document, WrappedKey, context
from appliance.vault.durable import make_directory, write_file
from appliance.vault.inventory import VaultStatus, inventory
from appliance.vault.purpose import Purpose
from appliance.vault.secret import Secret
from appliance.vault.unsealers.unsealer import Enroller, Opener

_SEALED: Final = "the vault is sealed; unseal it with `cloister vault unseal`"


def _now() -> datetime:
    return datetime.now(UTC)


class Vault:
    """An opened vault. Its methods may be called from several threads."""

    def __init__(
        self, directory: Path, found: Document, secrets: Secrets, clock: Callable[[], datetime]
    ) -> None:
        self._directory = directory
        self._document = found
        self._secrets = secrets
        self._using = threading.Lock()
        self._clock = clock

    @classmethod
    def create(
        cls, directory: Path, unsealer: Enroller, *, clock: Callable[[], datetime] = _now
    ) -> "Vault":
        """Make a new vault in `directory/vault.json` with one way to unseal, and leave it open.

        Raises `SealedError` if there is one already.
        """
        make_directory(directory)
        path = directory / document.FILE_NAME
        if path.exists():
            raise SealedError(f"{path} exists already; a box has one vault")
        now = clock()
        root = Secret.random(document.SECRET_SIZE)
        try:
            empty = Document(
                format="cloister-vault/1",
                id=os.urandom(16).hex(),
                generation=1,
                root_version=1,
                root_created=now,
                slots=(),
                keys=(),
            )
            made = changes.with_slot(empty, root, unsealer, now)
            made, secrets = changes.completed(made, root, {}, now)
            made = document.signed(made, root)
            write_file(path, document.encode(made), replace=False)
        finally:
            root.wipe()
        return cls(directory, made, secrets, clock)

    @classmethod
    def unseal(
        cls, directory: Path, unsealer: Opener, *, clock: Callable[[], datetime] = _now
    ) -> "Vault":
        """Open the vault in `directory/vault.json`.

        A purpose that this version of cloister has and the vault has not gets its key now.
        Raises `SealedError` if the unsealer does not open it, `IntegrityError` if the file is
        not as it was written.
        """
        vault = cls(directory, custody.read(directory), {}, clock)
        vault.refresh(unsealer)
        return vault

    def refresh(self, opener: Opener) -> None:
        """Read vault.json again: another process may have changed it."""
        secrets: Secrets = {}

        def complete(found: Document, root: Secret) -> tuple[Document, Secret]:
            secrets.update(changes.secrets_of(found, root))
            changed, added = changes.completed(found, root, secrets, self._clock())
            secrets.update(added)
            return changed, root

        found = custody.change(self._directory, opener, complete)
        with self._using:
            self._document = found
            self._replace(secrets)

    @property
    def sealed(self) -> bool:
        """Whether the secrets are forgotten."""
        return not self._secrets

    def seal(self) -> None:
        """Forget every secret. What was handed out by `key` is for its holders to forget."""
        with self._using:
            self._replace({})

    def version(self, purpose: Purpose) -> int:
        """Return the version of a purpose's key that encrypts now."""
        return _current(self._document, purpose).version

    def key(self, purpose: Purpose, *, version: int | None = None) -> bytes:
        """Return a purpose's key, 32 bytes; the current version's unless one is named.

        Raises `SealedError` if sealed.
        """
        return self._derived(purpose, version, context("cloister-key/1", purpose), 32)

    def derive(
        self, purpose: Purpose, info: bytes, length: int = 32, *, version: int | None = None
    ) -> bytes:
        """Return `length` bytes that only this purpose's key yields for `info` (HKDF-Expand).

        Raises `SealedError` if sealed.
        """
        return self._derived(purpose, version, context("cloister-derive/1", purpose) + info, length)

    def wrap(self, purpose: Purpose, name: str, secret: bytes) -> bytes:
        """Encrypt a small secret that only opens under the same purpose and name.

        Raises `SealedError` if sealed.
        """
        number = self.version(purpose)
        return envelope.seal(self._wrapping(purpose, number), purpose, number, name, secret)

    def unwrap(self, purpose: Purpose, name: str, wrapped: bytes) -> bytes:
        """Decrypt what `wrap` made.

        Raises `IntegrityError` if it was altered or made for another purpose or name, or if its
        key is gone; `SealedError` if sealed.
        """
        key = self._wrapping(purpose, envelope.version(wrapped))
        return envelope.open_sealed(key, purpose, name, wrapped)

    def status(self) -> VaultStatus:
        """Return the inventory."""
        return inventory(self._document, self._clock(), sealed=self.sealed)

    def versions(self, purpose: Purpose) -> tuple[int, ...]:
        """Return all versions of a purpose's key that are there, the current one last."""
        return tuple(sorted(key.version for key in self._document.keys if key.purpose == purpose))

    # What follows needs the root key, and so an opener: whoever may do it has to unseal again.

    def add_way(self, opener: Opener, way: Enroller) -> None:
        """Add a way to unseal."""
        self._change(
            opener, lambda found, root: (changes.with_slot(found, root, way, self._clock()), root)
        )

    def remove_way(self, opener: Opener, slot_id: str) -> None:
        """Take a way to unseal away; rotate the root key too if it fell into other hands.

        Raises `ConfigurationError` if it is not there or is the last.
        """
        self._change(opener, lambda found, root: (changes.without_slot(found, slot_id), root))

    def rotate_root(self, opener: Opener, ways: Sequence[Enroller]) -> None:
        """Replace the root key. Every old way to unseal ends; `ways` are set up in their place."""

        def renew(found: Document, root: Secret) -> tuple[Document, Secret]:
            return changes.with_new_root(
                found, changes.secrets_of(found, root), ways, self._clock()
            )

        self._change(opener, renew)

    def rotate(self, purpose: Purpose, opener: Opener) -> int:
        """Give a purpose a new key and return its version; older ones still decrypt.

        What was encrypted under an older version is for its room to encrypt anew, after which
        `destroy` ends that version. `rotation` does all three, and goes on after a crash.
        """
        made: Secrets = {}

        def renew(found: Document, root: Secret) -> tuple[Document, Secret]:
            changed, secret = changes.with_new_version(found, root, purpose, self._clock())
            made[purpose, changed.keys[-1].version] = secret
            return changed, root

        self._change(opener, renew, made)
        return self.version(purpose)

    def destroy(self, purpose: Purpose, version: int, opener: Opener) -> None:
        """Destroy a retired key: nothing it encrypted can be read any more, by anyone.

        Raises `ConfigurationError` if that version is not there or still current.
        """
        self._change(
            opener,
            lambda found, root: (changes.without_version(found, purpose, version), root),
        )
        with self._using:
            gone = self._secrets.pop((purpose, version), None)
            if gone is not None:
                gone.wipe()

    def _change(
        self,
        opener: Opener,
        step: Callable[[Document, Secret], tuple[Document, Secret]],
        made: Secrets | None = None,
    ) -> None:
        if self.sealed:
            raise SealedError(_SEALED)
        found = custody.change(self._directory, opener, step)
        with self._using:
            # The new secrets are there before the document names them as current.
            self._secrets.update(made or {})
            self._document = found

    def _replace(self, secrets: Secrets) -> None:
        old, self._secrets = self._secrets, secrets
        for secret in old.values():
            secret.wipe()

    def _wrapping(self, purpose: Purpose, version: int) -> bytes:
        return self._derived(purpose, version, context("cloister-wrap/1", purpose), 32)

    def _derived(self, purpose: Purpose, version: int | None, info: bytes, length: int) -> bytes:
        number = self.version(purpose) if version is None else version
        # A secret must not be wiped by another thread in the middle: what came out would be
        # derived from zeros.
        with self._using:
            if not self._secrets:
                raise SealedError(_SEALED)
            secret = self._secrets.get((purpose, number))
            if secret is not None:
                return HKDFExpand(SHA256(), length, info).derive(secret.view)
        raise IntegrityError(
            f"version {number} of the {purpose} key is not in this vault: what it encrypted "
            "belongs to another box, or the key was destroyed"
        )


def inspect(directory: Path, *, clock: Callable[[], datetime] = _now) -> VaultStatus:
    """Return the inventory of a sealed vault. Without the root key nothing in it is proven."""
    return inventory(custody.read(directory), clock(), sealed=True)


def _current(found: Document, purpose: Purpose) -> WrappedKey:
    for key in found.keys:
        if key.purpose == purpose and key.state == "current":
            return key
    raise IntegrityError(f"the vault has no current {purpose} key; restore it from a backup")
