r"""A small secret encrypted under a purpose's key, as it is stored by other rooms. Bytes alone.

    cloister-wrap/1 Cobblestone-256 VERSION\n ‖ message

The line names format, algorithm and key version; the message's context names the purpose, the
version and what the secret is called, so an envelope opens nowhere but where it was put.
"""

from typing import Final

from appliance.errors import IntegrityError
from appliance.vault import chunked
from appliance.vault.document import context
from appliance.vault.purpose import Purpose

_TAG: Final = "cloister-wrap/1"


def seal(key: bytes, purpose: Purpose, version: int, name: str, secret: bytes) -> bytes:
    """Encrypt `secret` under the wrapping key of a purpose's version."""
    header = f"{_TAG} {chunked.ALGORITHM} {version}\n".encode()
    return header + chunked.seal_secret(key, memoryview(secret), _context(purpose, version, name))


def version(envelope: bytes) -> int:
    """Return the key version that an envelope needs; raises `IntegrityError` if it is none."""
    return _parse(envelope)[0]


def open_sealed(key: bytes, purpose: Purpose, name: str, envelope: bytes) -> bytes:
    """Decrypt an envelope; raises `IntegrityError` unless it is exactly what was made for this."""
    number, message = _parse(envelope)
    return chunked.open_sealed(key, message, _context(purpose, number, name))


def _context(purpose: Purpose, number: int, name: str) -> bytes:
    return context(_TAG, purpose, str(number), name)


def _parse(envelope: bytes) -> tuple[int, bytes]:
    line, _, message = envelope.partition(b"\n")
    words = line.split(b" ")
    if len(words) != 3 or words[0] != _TAG.encode():
        raise IntegrityError("this is not a wrapped secret of cloister")
    if words[1] != chunked.ALGORITHM.encode():
        raise IntegrityError("this secret was wrapped with an algorithm unknown here")
    if not words[2].isdigit() or len(words[2]) > 9:
        raise IntegrityError("this wrapped secret names no version of its key")
    return int(words[2]), message
