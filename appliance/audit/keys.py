"""Keys that sign notes: the verifier key as text, and who may sign.

Format: C2SP signed-note, sections "Signatures" and "Verifier keys". A key is known by its name and
a 4-byte id; the id is a handle, not a hash to rely on, since the reader was given the whole public
key beforehand. Two kinds are read: 0x01 signs a note's text, 0x04 is a witness's timestamped
cosignature (C2SP tlog-cosignature). Everything else is refused.
"""

import base64
import binascii
from enum import IntEnum
from hashlib import sha256
from typing import Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from appliance.errors import ConfigurationError

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


class KeyKind(IntEnum):
    """Signature type identifier bytes of C2SP signed-note."""

    ED25519 = 0x01
    COSIGNATURE = 0x04


class VerifierKey(msgspec.Struct, frozen=True):
    """A public key under a name; `str()` is the vkey text that people hand on."""

    name: str
    public: bytes
    """32 bytes, RFC 8032."""
    kind: KeyKind = KeyKind.ED25519

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that stand in front of each signature by this key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def accepts(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over exactly `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def check_name(name: str) -> str:
    """Return `name` if it may name a key (and be an origin), else raise ConfigurationError."""
    if not name or "+" in name or any(char.isspace() or ord(char) < 0x20 for char in name):
        raise ConfigurationError(
            "The name of a log or witness must not be empty nor hold spaces or '+'. "
            "Use something like 'box1.hospital.example/log'."
        )
    return name


def parse_verifier_key(text: str) -> VerifierKey:
    """Read a vkey. Raises ConfigurationError with what is wrong."""
    problem = "The verifier key cannot be read: "
    advice = ". Compare it with the one printed when the box was set up."
    name, _, rest = text.strip().partition("+")
    key_id, _, material = rest.partition("+")
    raw = decode_base64(material)
    if raw is None or not key_id:
        raise ConfigurationError(problem + "it is not NAME+ID+BASE64" + advice)
    if len(raw) != 1 + PUBLIC_SIZE or raw[0] not in tuple(KeyKind):
        raise ConfigurationError(problem + "it is not an Ed25519 key" + advice)
    key = VerifierKey(check_name(name), raw[1:], KeyKind(raw[0]))
    if key.key_id.hex() != key_id:
        raise ConfigurationError(problem + "its id does not belong to it" + advice)
    return key


def decode_base64(text: str) -> bytes | None:
    """Decode canonical standard base64; None for anything that would not be encoded back so.

    Python ignores stray trailing bits, which would give one signature several spellings.
    """
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if base64.b64encode(raw).decode() == text else None


class Signer(Protocol):
    """Holds a log's private key. The audit room never sees the seed after it made one of these."""

    @property
    def vkey(self) -> VerifierKey:
        """The public half."""
        ...

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        ...

    def derive(self, purpose: str) -> bytes:
        """A 32-byte secret for one purpose, different for each, that says nothing of the key."""
        ...


class Ed25519Signer:
    """Signs with a seed in memory."""

    def __init__(self, vkey: VerifierKey, private: Ed25519PrivateKey, seed: bytes) -> None:
        self._vkey = vkey
        self._private = private
        self._seed = seed

    @classmethod
    def from_seed(cls, name: str, seed: bytes) -> "Ed25519Signer":
        """The signer whose key is RFC 8032's for `seed`, 32 secret random bytes."""
        if len(seed) != SEED_SIZE:
            raise ConfigurationError("The audit signing key must be 32 bytes; unseal it again.")
        private = Ed25519PrivateKey.from_private_bytes(seed)
        public = private.public_key().public_bytes_raw()
        return cls(VerifierKey(check_name(name), public), private, seed)

    @property
    def vkey(self) -> VerifierKey:
        """The public half."""
        return self._vkey

    def sign(self, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes."""
        return self._private.sign(message)

    def derive(self, purpose: str) -> bytes:
        """HKDF-Expand (RFC 5869) of the seed, which is uniform already, so nothing to extract.

        RFC 8032 hashes the bare seed with SHA-512; HMAC-SHA-256 over a label shares no output
        with that.
        """
        info = b"cloister/audit/" + purpose.encode()
        return HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(self._seed)
