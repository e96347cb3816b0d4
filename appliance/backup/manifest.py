"""The first member of a backup: what the backup is of, and which models lie in which archive."""

from datetime import datetime
from typing import Final, Literal

import msgspec
import rfc8785

from appliance.errors import IntegrityError

NAME: Final = "manifest.json"


class Manifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a backup is of."""

    format: Literal["cloister-backup/1"] = "cloister-backup/1"
    id: str
    """The archive's."""
    box: str
    """The box's name: the origin of its log."""
    created: datetime
    vault_generation: int
    log_size: int
    log_root: str
    """Root hash of the log at that size, in hex: what the restored log must continue."""
    weights: dict[str, str]
    """File id of each stored model → id of the archive that holds its weights."""


def encode(manifest: Manifest) -> bytes:
    """Return the member's bytes (RFC 8785)."""
    return rfc8785.dumps(msgspec.to_builtins(manifest))


def decode(content: bytes) -> Manifest:
    """Read the member's bytes; raises `IntegrityError` if they are none."""
    try:
        return msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError:
        raise IntegrityError(
            "the manifest of this backup cannot be read: use the version of cloister that made it"
        ) from None
