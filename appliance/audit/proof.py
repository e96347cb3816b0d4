"""Proofs as files that stand on their own: inclusion (C2SP tlog-proof) and consistency.

A consistency proof is written as the body of a C2SP tlog-witness add-checkpoint request, so that a
witness can be handed the same file: `old <size>`, the hashes, an empty line, the new checkpoint.
"""

import base64
from collections.abc import Sequence

import msgspec

from appliance.audit import merkle
from appliance.audit.checkpoint import parse_checkpoint
from appliance.audit.keys import decode_base64
from appliance.audit.note import Note, parse_note
from appliance.audit.reader import LogReader
from appliance.errors import ConfigurationError, IntegrityError

_MAGIC = "c2sp.org/tlog-proof@v1"


class InclusionProof(msgspec.Struct, frozen=True):
    """That an entry is in a log. Not verified by parsing."""

    index: int
    path: tuple[bytes, ...]
    note: Note
    extra: bytes = b""
    """Opaque, and not to be trusted."""

    def __str__(self) -> str:
        extra = f"extra {base64.b64encode(self.extra).decode()}\n" if self.extra else ""
        return f"{_MAGIC}\n{extra}index {self.index}\n{_lines(self.path)}\n{self.note}"

    def holds_for(self, entry: bytes) -> bool:
        """Whether the path leads from `entry` to the root in the note, whoever signed that."""
        checkpoint = parse_checkpoint(self.note.text)
        return merkle.verify_inclusion(
            self.index, checkpoint.size, merkle.leaf_hash(entry), self.path, checkpoint.root
        )


class ConsistencyProof(msgspec.Struct, frozen=True):
    """That a log went on from an older size without rewriting it. Not verified by parsing."""

    old_size: int
    path: tuple[bytes, ...]
    note: Note

    def __str__(self) -> str:
        return f"old {self.old_size}\n{_lines(self.path)}\n{self.note}"

    def holds_for(self, old_root: bytes) -> bool:
        """Whether the path leads from the old root to the one in the note, whoever signed that."""
        checkpoint = parse_checkpoint(self.note.text)
        if self.old_size == 0:
            return not self.path
        return merkle.verify_consistency(
            self.old_size, checkpoint.size, old_root, checkpoint.root, self.path
        )


def prove_entry(reader: LogReader, note: Note, index: int) -> InclusionProof:
    """The proof that entry `index` is in the log as `note` has it. Raises ConfigurationError."""
    if not 0 <= index < reader.size:
        raise ConfigurationError(
            f"The log has no entry {index} under a checkpoint: it has {reader.size}, from 0 on."
        )
    return InclusionProof(index, tuple(reader.inclusion_proof(index)), note)


def prove_growth(reader: LogReader, note: Note, old_size: int) -> ConsistencyProof:
    """The proof that the log as `note` has it begins with that of `old_size` entries."""
    if not 0 <= old_size <= reader.size:
        raise ConfigurationError(f"The log has {reader.size} entries, it never had {old_size}.")
    path = tuple(reader.consistency_proof(old_size)) if old_size else ()
    return ConsistencyProof(old_size, path, note)


def parse_inclusion_proof(data: bytes) -> InclusionProof:
    """Read a tlog-proof. Raises IntegrityError when it is not one, to the byte."""
    lines, note = _split(data)
    if not lines or lines.pop(0) != _MAGIC:
        raise IntegrityError("The file is not a tlog-proof.")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = _decode(lines.pop(0).removeprefix("extra "))
    index = _number(lines, "index ")
    return InclusionProof(index, tuple(_decode(line) for line in lines), note, extra)


def parse_consistency_proof(data: bytes) -> ConsistencyProof:
    """Read a consistency proof. Raises IntegrityError when it is not one, to the byte."""
    lines, note = _split(data)
    old_size = _number(lines, "old ")
    return ConsistencyProof(old_size, tuple(_decode(line) for line in lines), note)


def _lines(path: Sequence[bytes]) -> str:
    return "".join(f"{base64.b64encode(node).decode()}\n" for node in path)


def _split(data: bytes) -> tuple[list[str], Note]:
    head, blank, rest = data.partition(b"\n\n")
    if not blank:
        raise IntegrityError("The proof has no checkpoint.")
    return head.decode(errors="replace").split("\n"), parse_note(rest)


def _number(lines: list[str], name: str) -> int:
    line = lines.pop(0) if lines else ""
    digits = line.removeprefix(name)
    if not line.startswith(name) or not digits.isascii() or not digits.isdigit():
        raise IntegrityError("The proof does not say what it proves.")
    if len(digits) > 19 or str(int(digits)) != digits:
        raise IntegrityError("The proof does not say what it proves.")
    return int(digits)


def _decode(text: str) -> bytes:
    raw = decode_base64(text)
    if raw is None:
        raise IntegrityError("The proof holds malformed base64.")
    return raw
