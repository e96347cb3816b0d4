"""What is under way while the log's files go from one checkpoint to the next.

The new tiles, the checkpoint and the removal of outgrown partial tiles cannot happen in one
instant. `publishing`, beside the log, says from which size to which signed checkpoint they go, so
that a reader in between, or after a crash, can tell files in transit from files that do not belong.

    cloister/publishing/v1
    from <size>
    <empty line>
    <the new checkpoint, a signed note>
"""

import msgspec

from appliance.audit.checkpoint import Checkpoint, verified_checkpoint
from appliance.audit.keys import VerifierKey
from appliance.audit.note import Note, parse_note
from appliance.audit.tiles import Tile, right_edge
from appliance.errors import IntegrityError

_MAGIC = "cloister/publishing/v1"
FILE = "publishing"


class Publication(msgspec.Struct, frozen=True):
    """A step from one checkpoint to the next. Not verified by parsing."""

    old_size: int
    note: Note

    def __str__(self) -> str:
        return f"{_MAGIC}\nfrom {self.old_size}\n\n{self.note}"

    def target(self, key: VerifierKey) -> Checkpoint:
        """The new checkpoint, which `key` must have signed. Raises IntegrityError."""
        return verified_checkpoint(self.note, key)


def parse_publication(data: bytes) -> Publication:
    """Read the file. Raises IntegrityError when it is not one, to the byte."""
    head, blank, note = data.partition(b"\n\n")
    magic, _, line = head.decode(errors="replace").partition("\n")
    digits = line.removeprefix("from ")
    if not blank or magic != _MAGIC or not digits.isdecimal() or len(digits) > 19:
        raise IntegrityError(f"The file '{FILE}' beside the log cannot be read.")
    publication = Publication(int(digits), parse_note(note))
    if str(publication).encode() != data:
        raise IntegrityError(f"The file '{FILE}' beside the log cannot be read.")
    return publication


def outgrown(old_size: int, new_size: int) -> list[Tile]:
    """The partial tiles of a log of `old_size` that one of `new_size` does not have."""
    kept = set(right_edge(new_size))
    return [tile for tile in right_edge(old_size) if tile not in kept]
