"""vault.json: every wrapped key of a box, and the ways to unseal it. The format, without I/O.

    unseal key ──opens──► slot: root key ──opens──► keys: one secret per purpose and version

A *slot* is one way to unseal: it holds the root key, encrypted under an unseal key that a key
file, a passphrase, shares or a device yields. Slots are independent: any one opens the vault.

Each wrapped key is a Cobblestone-256 message (`chunked`) in base64; its context names the vault,
its place and its version, so that no message opens anywhere but where it was put. The whole
document carries an HMAC-SHA-256 under a key derived from the root key: nothing in it, not even a
date, can be changed without the root key. `generation` counts writes: an older document put back
shows a smaller number than the log knows.

`format` names this version. Fields are only ever added, with defaults; a golden file in
tests/vectors/vault is read and written byte for byte.
"""

import base64
import binascii
import hmac
from datetime import datetime
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
import rfc8785
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.errors import IntegrityError
from appliance.vault import chunked
from appliance.vault.purpose import Purpose
from appliance.vault.secret import Secret

FORMAT: Final = "cloister-vault/1"
FILE_NAME: Final = "vault.json"
SECRET_SIZE: Final = chunked.KEY_SIZE

Parameters: TypeAlias = dict[str, str | int]
"""What an unsealer stores in the clear to find its key again: salts, costs, identifiers."""
Version: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


class Slot(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to unseal."""

    id: str
    kind: str
    created: datetime
    parameters: Parameters
    algorithm: Literal["Cobblestone-256"]
    root_version: Version
    wrapped: str
    """The root key under this slot's unseal key."""


class WrappedKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One version of one purpose's secret, under the root key."""

    purpose: Purpose
    version: Version
    created: datetime
    state: Literal["current", "retired"]
    """`current` encrypts and decrypts; `retired` only decrypts, until nothing needs it."""
    algorithm: Literal["Cobblestone-256"]
    root_version: Version
    wrapped: str


class Document(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    format: Literal["cloister-vault/1"]
    id: str
    generation: Version
    root_version: Version
    root_created: datetime
    slots: tuple[Slot, ...]
    keys: tuple[WrappedKey, ...]
    mac_algorithm: Literal["HMAC-SHA-256"] = "HMAC-SHA-256"
    mac: str = ""


def context(*parts: str) -> bytes:
    """Join names into one unambiguous byte string: each ends with a zero byte, and has none."""
    if any("\x00" in part for part in parts):
        raise ValueError("a name has no zero byte")
    return "".join(part + "\x00" for part in parts).encode()


def slot_context(document_id: str, slot_id: str, kind: str, root_version: int) -> bytes:
    """Say what a slot's message is."""
    return context(FORMAT, "slot", document_id, slot_id, kind, str(root_version))


def key_context(document_id: str, purpose: Purpose, version: int, root_version: int) -> bytes:
    """Say what a wrapped key's message is."""
    return context(FORMAT, "key", document_id, purpose, str(version), str(root_version))


def wrap(key: Secret, secret: Secret, place: bytes) -> str:
    """Encrypt one secret under another."""
    return base64.b64encode(chunked.seal_secret(key.view, secret.view, place)).decode()


def unwrap(key: Secret, wrapped: str, place: bytes) -> Secret:
    """Decrypt a secret straight into memory of its own.

    Raises `IntegrityError` if `key` or `place` are not those it was made with.
    """
    try:
        message = base64.b64decode(wrapped, validate=True)
    except binascii.Error:
        raise IntegrityError("a wrapped key in vault.json is not base64") from None
    if chunked.plaintext_size(len(message)) != SECRET_SIZE:
        raise IntegrityError("a wrapped key in vault.json has another length")
    reader = chunked.MessageReader(key.view, message[: chunked.HEADER_SIZE], place)
    secret = Secret(SECRET_SIZE)
    try:
        reader.open_into(0, message[chunked.HEADER_SIZE :], secret.view)
    except BaseException:
        secret.wipe()
        raise
    return secret


def signed(document: Document, root: Secret) -> Document:
    """Return the document with its MAC."""
    return msgspec.structs.replace(document, mac=_mac(document, root))


def check(document: Document, root: Secret) -> None:
    """Raise `IntegrityError` unless the document is as the holder of the root key wrote it."""
    if not hmac.compare_digest(_mac(document, root), document.mac):
        raise IntegrityError(
            "vault.json was altered after it was written; restore it from a backup"
        )


def encode(document: Document) -> bytes:
    """Return the file's bytes: canonical JSON (RFC 8785), indented for reading, and a newline."""
    return msgspec.json.format(rfc8785.dumps(msgspec.to_builtins(document)), indent=2) + b"\n"


def decode(content: bytes) -> Document:
    """Read the file's bytes; raises `IntegrityError` for anything that is not this format."""
    try:
        return msgspec.json.decode(content, type=Document)
    except msgspec.MsgspecError as error:
        raise IntegrityError(
            f"vault.json cannot be read ({error}); restore it from a backup, or use the version "
            "of cloister that wrote it"
        ) from None


def _mac(document: Document, root: Secret) -> str:
    key = HKDFExpand(SHA256(), 32, context(FORMAT, "document")).derive(root.view)
    content = msgspec.to_builtins(msgspec.structs.replace(document, mac=""))
    return hmac.digest(key, rfc8785.dumps(content), "sha256").hex()
