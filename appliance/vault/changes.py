"""What may be done to a vault's document with its root key at hand. Pure: no files, no clock.

Each function returns another document and leaves the one it was given; signing and writing are
for the caller (`vault`). The rules that keep people from locking themselves out are here.
"""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import msgspec

from appliance.errors import ConfigurationError
from appliance.vault import document
from appliance.vault.document import Document, Slot, WrappedKey
from appliance.vault.purpose import Purpose
from appliance.vault.secret import Secret
from appliance.vault.unsealers.unsealer import Enroller

Secrets: TypeAlias = dict[tuple[Purpose, int], Secret]
"""The secrets of a vault by purpose and version."""


def secrets_of(found: Document, root: Secret) -> Secrets:
    """Unwrap every key. Raises `IntegrityError` if one is not what was put there."""
    secrets: Secrets = {}
    for key in found.keys:
        place = document.key_context(found.id, key.purpose, key.version, key.root_version)
        secrets[key.purpose, key.version] = document.unwrap(root, key.wrapped, place)
    return secrets


def with_slot(found: Document, root: Secret, way: Enroller, now: datetime) -> Document:
    """Add a way to unseal."""
    parameters, key = way.enrol()
    try:
        slot_id = os.urandom(8).hex()
        place = document.slot_context(found.id, slot_id, way.kind, found.root_version)
        slot = Slot(
            id=slot_id,
            kind=way.kind,
            created=now,
            parameters=parameters,
            algorithm="Cobblestone-256",
            root_version=found.root_version,
            wrapped=document.wrap(key, root, place),
        )
    finally:
        key.wipe()
    return msgspec.structs.replace(found, slots=(*found.slots, slot))


def without_slot(found: Document, slot_id: str) -> Document:
    """Take a way to unseal away.

    Whoever kept an older vault.json still opens the root key with it: rotate that afterwards.
    Raises `ConfigurationError` if there is no such slot, or no other.
    """
    slots = tuple(slot for slot in found.slots if slot.id != slot_id)
    if len(slots) == len(found.slots):
        raise ConfigurationError("the vault has no such way to unseal; see `cloister vault status`")
    if not slots:
        raise ConfigurationError("this is the only way to unseal the vault; add another one first")
    return msgspec.structs.replace(found, slots=slots)


def with_new_root(
    found: Document, secrets: Secrets, ways: Sequence[Enroller], now: datetime
) -> tuple[Document, Secret]:
    """Replace the root key: every key is wrapped anew, and only `ways` unseal from now on.

    Raises `ConfigurationError` if there are no ways.
    """
    if not ways:
        raise ConfigurationError("a new root key needs at least one way to unseal")
    root = Secret.random(document.SECRET_SIZE)
    version = found.root_version + 1
    keys = []
    for key in found.keys:
        place = document.key_context(found.id, key.purpose, key.version, version)
        wrapped = document.wrap(root, secrets[key.purpose, key.version], place)
        keys.append(msgspec.structs.replace(key, root_version=version, wrapped=wrapped))
    changed = msgspec.structs.replace(
        found, root_version=version, root_created=now, slots=(), keys=tuple(keys)
    )
    for way in ways:
        changed = with_slot(changed, root, way, now)
    return changed, root


def with_new_version(
    found: Document, root: Secret, purpose: Purpose, now: datetime
) -> tuple[Document, Secret]:
    """Give a purpose a new key; the one before only decrypts from now on."""
    versions = [key.version for key in found.keys if key.purpose == purpose]
    number = max(versions, default=0) + 1
    secret = Secret.random(document.SECRET_SIZE)
    keys = [
        msgspec.structs.replace(key, state="retired") if key.purpose == purpose else key
        for key in found.keys
    ]
    place = document.key_context(found.id, purpose, number, found.root_version)
    keys.append(
        WrappedKey(
            purpose=purpose,
            version=number,
            created=now,
            state="current",
            algorithm="Cobblestone-256",
            root_version=found.root_version,
            wrapped=document.wrap(root, secret, place),
        )
    )
    return msgspec.structs.replace(found, keys=tuple(keys)), secret


def without_version(found: Document, purpose: Purpose, version: int) -> Document:
    """Destroy a retired key: what is still encrypted under it is lost.

    Raises `ConfigurationError` if that version is not there, or is the current one.
    """
    keys = tuple(
        key
        for key in found.keys
        if (key.purpose, key.version, key.state) != (purpose, version, "retired")
    )
    if len(keys) == len(found.keys):
        raise ConfigurationError(f"the vault has no retired version {version} of its {purpose} key")
    return msgspec.structs.replace(found, keys=keys)


def completed(
    found: Document, root: Secret, secrets: Secrets, now: datetime
) -> tuple[Document, Secrets]:
    """Give every purpose that has no key its first one."""
    present = {key.purpose for key in found.keys}
    secrets = dict(secrets)
    for purpose in Purpose:
        if purpose not in present:
            found, secrets[purpose, 1] = with_new_version(found, root, purpose, now)
    return found, secrets
