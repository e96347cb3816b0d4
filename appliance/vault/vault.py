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
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

import msgspec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.errors import IntegrityError, SealedError
from appliance.vault import document, envelope
from appliance.vault.document import Document, Slot, WrappedKey, context
from appliance.vault.durable import make_directory, write_file
from appliance.vault.inventory import VaultStatus, inventory
from appliance.vault.purpose import Purpose
from appliance.vault.secret import Secret
from appliance.vault.unsealers.unsealer import Unsealer

Secrets: TypeAlias = dict[tuple[Purpose, int], Secret]


def _now() -> datetime:
    return datetime.now(UTC)


class Vault:
    """An opened vault. Its methods may be called from several threads."""

    def __init__(
        self,
        found: Document,
        secrets: Secrets,
        clock: Callable[[], datetime],
    ) -> None:
        self._document = found
        self._secrets = secrets
        self._clock = clock

    @classmethod
    def create(
        cls, directory: Path, unsealer: Unsealer, *, clock: Callable[[], datetime] = _now
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
            slot = _new_slot(empty, root, unsealer, now)
            made, secrets = _completed(msgspec.structs.replace(empty, slots=(slot,)), root, {}, now)
            made = document.signed(made, root)
            write_file(path, document.encode(made), replace=False)
        finally:
            root.wipe()
        return cls(made, secrets, clock)

    @classmethod
    def unseal(
        cls, directory: Path, unsealer: Unsealer, *, clock: Callable[[], datetime] = _now
    ) -> "Vault":
        """Open the vault in `directory/vault.json`.

        A purpose that this version of cloister has and the vault has not gets its key now.
        Raises `SealedError` if the unsealer does not open it, `IntegrityError` if the file is
        not as it was written.
        """
        found = _read(directory)
        root = _root(found, unsealer)
        try:
            document.check(found, root)
            secrets = _unwrapped(found, root)
            complete, secrets = _completed(found, root, secrets, clock())
            if complete is not found:
                complete = document.signed(
                    msgspec.structs.replace(complete, generation=found.generation + 1), root
                )
                path = directory / document.FILE_NAME
                write_file(path, document.encode(complete), replace=True)
        finally:
            root.wipe()
        return cls(complete, secrets, clock)

    @property
    def sealed(self) -> bool:
        """Whether the secrets are forgotten."""
        return not self._secrets

    def seal(self) -> None:
        """Forget every secret. What was handed out by `key` is for its holders to forget."""
        secrets, self._secrets = self._secrets, {}
        for secret in secrets.values():
            secret.wipe()

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

    def _wrapping(self, purpose: Purpose, version: int) -> bytes:
        return self._derived(purpose, version, context("cloister-wrap/1", purpose), 32)

    def _derived(self, purpose: Purpose, version: int | None, info: bytes, length: int) -> bytes:
        if not self._secrets:
            raise SealedError("the vault is sealed; unseal it with `cloister vault unseal`")
        number = self.version(purpose) if version is None else version
        secret = self._secrets.get((purpose, number))
        if secret is None:
            raise IntegrityError(
                f"version {number} of the {purpose} key is not in this vault: what it encrypted "
                "belongs to another box, or the key was destroyed"
            )
        return HKDFExpand(SHA256(), length, info).derive(secret.view)


def inspect(directory: Path, *, clock: Callable[[], datetime] = _now) -> VaultStatus:
    """Return the inventory of a sealed vault. Without the root key nothing in it is proven."""
    return inventory(_read(directory), clock(), sealed=True)


def _read(directory: Path) -> Document:
    path = directory / document.FILE_NAME
    try:
        return document.decode(path.read_bytes())
    except FileNotFoundError:
        raise SealedError(f"there is no vault at {path}; make a box with `cloister init`") from None
    except OSError as error:
        raise SealedError(f"the vault {path} cannot be read: {error.strerror}") from None


def _root(found: Document, unsealer: Unsealer) -> Secret:
    """Open the first slot that the unsealer opens."""
    slots = [slot for slot in found.slots if slot.kind == unsealer.kind]
    if not slots:
        kinds = ", ".join(sorted({slot.kind for slot in found.slots}))
        raise SealedError(f"this vault is not unsealed by {unsealer.kind}, but by: {kinds}")
    for slot in slots:
        key = unsealer.recover(slot.parameters)
        try:
            place = document.slot_context(found.id, slot.id, slot.kind, slot.root_version)
            return document.unwrap(key, slot.wrapped, place)
        except IntegrityError:
            continue
        finally:
            key.wipe()
    raise SealedError(
        f"this {unsealer.kind} does not open this vault: it is wrong, or belongs to another box"
    )


def _new_slot(found: Document, root: Secret, unsealer: Unsealer, now: datetime) -> Slot:
    parameters, key = unsealer.enrol()
    try:
        slot_id = os.urandom(8).hex()
        place = document.slot_context(found.id, slot_id, unsealer.kind, found.root_version)
        return Slot(
            id=slot_id,
            kind=unsealer.kind,
            created=now,
            parameters=parameters,
            algorithm="Cobblestone-256",
            root_version=found.root_version,
            wrapped=document.wrap(key, root, place),
        )
    finally:
        key.wipe()


def _unwrapped(found: Document, root: Secret) -> Secrets:
    secrets = {}
    for key in found.keys:
        place = document.key_context(found.id, key.purpose, key.version, key.root_version)
        secrets[key.purpose, key.version] = document.unwrap(root, key.wrapped, place)
    return secrets


def _completed(
    found: Document, root: Secret, secrets: Secrets, now: datetime
) -> tuple[Document, Secrets]:
    """Give every purpose that has no key its first one."""
    missing = [purpose for purpose in Purpose if not any(k.purpose == purpose for k in found.keys)]
    if not missing:
        return found, secrets
    keys, secrets = list(found.keys), dict(secrets)
    for purpose in missing:
        secret = Secret.random(document.SECRET_SIZE)
        place = document.key_context(found.id, purpose, 1, found.root_version)
        secrets[purpose, 1] = secret
        keys.append(
            WrappedKey(
                purpose=purpose,
                version=1,
                created=now,
                state="current",
                algorithm="Cobblestone-256",
                root_version=found.root_version,
                wrapped=document.wrap(root, secret, place),
            )
        )
    return msgspec.structs.replace(found, keys=tuple(keys)), secrets


def _current(found: Document, purpose: Purpose) -> WrappedKey:
    for key in found.keys:
        if key.purpose == purpose and key.state == "current":
            return key
    raise IntegrityError(f"the vault has no current {purpose} key; restore it from a backup")
