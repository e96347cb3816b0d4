"""What a vault holds, without anything secret: purposes, versions, ages, ways to unseal."""

from datetime import datetime

import msgspec

from appliance.vault.document import Document
from appliance.vault.purpose import Purpose


class KeyStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the inventory. It says nothing secret."""

    purpose: Purpose
    version: int
    state: str
    algorithm: str
    created: datetime
    age_days: int


class SlotStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One way to unseal."""

    id: str
    kind: str
    created: datetime


class VaultStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The inventory of a vault; readable sealed or not."""

    id: str
    sealed: bool
    generation: int
    root_version: int
    root_created: datetime
    slots: tuple[SlotStatus, ...]
    keys: tuple[KeyStatus, ...]


def inventory(found: Document, now: datetime, *, sealed: bool) -> VaultStatus:
    """Draw up the inventory of a document as of `now`."""
    return VaultStatus(
        id=found.id,
        sealed=sealed,
        generation=found.generation,
        root_version=found.root_version,
        root_created=found.root_created,
        slots=tuple(
            SlotStatus(id=slot.id, kind=slot.kind, created=slot.created) for slot in found.slots
        ),
        keys=tuple(
            KeyStatus(
                purpose=key.purpose,
                version=key.version,
                state=key.state,
                algorithm=key.algorithm,
                created=key.created,
                age_days=(now - key.created).days,
            )
            for key in found.keys
        ),
    )
