"""One version of a model, as the rest of the house speaks of it."""

from datetime import datetime
from enum import StrEnum

import msgspec


class State(StrEnum):
    """Where a version stands on its way. Values are stored: only add."""

    REGISTERED = "registered"
    """In the store, waiting for approval."""
    APPROVED = "approved"
    """May serve, and does not."""
    ACTIVE = "active"
    """Serves its alias; one at most does."""
    RETIRED = "retired"
    """Served once, or was refused; kept for the record."""


class ModelDetails(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a model file. Lies in the encrypted database alone."""

    name: str = ""
    architecture: str = ""
    parameters: int = 0
    quantization: str = ""
    context_length: int = 0
    licence: str = ""


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of weights in the encrypted store."""

    file_id: str
    """Random; the name of its folder. It says nothing of the model."""
    digest: str
    """SHA-256 of the plaintext, in hex: the identity of the weights."""
    size: int
    """Bytes of plaintext."""


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A file of weights under an alias, and its state."""

    id: str
    alias: str
    """The name that callers use as `model`."""
    file: StoredFile
    details: ModelDetails
    state: State
    created: datetime
    changed: datetime
    """When the state changed last."""
