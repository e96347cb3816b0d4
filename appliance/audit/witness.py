"""The witness on the officer's laptop: remembers a checkpoint, and cosigns what continues it.

A witness never goes back and never takes sides: once it has cosigned a log of some size, it cosigns
another one only with a proof that it begins with the first. Its memory is durable before the
cosignature leaves it.

Order: `create` once; `open`; then `witness` with what the box hands over (`ConsistencyProof` from
`size_of` on, and the entries that changed the log's key). The first checkpoint of a log is taken
on faith: verify the whole log before.
"""

import os
import time
from hashlib import sha256
from pathlib import Path

from appliance.audit.checkpoint import Checkpoint, parse_checkpoint, verified_checkpoint
from appliance.audit.cosignature import Cosigner
from appliance.audit.epochs import Epochs
from appliance.audit.files import Files, make_directories, store, sync_directory
from appliance.audit.keys import SEED_SIZE, VerifierKey
from appliance.audit.merkle import EMPTY_ROOT
from appliance.audit.note import Note, parse_note
from appliance.audit.proof import ConsistencyProof
from appliance.errors import ConfigurationError, IntegrityError

_KEY = "witness.key"
_NAME = "witness.name"


class Witness:
    """A witness in one directory. Made by `create` or `open`."""

    def __init__(self, directory: Path, cosigner: Cosigner) -> None:
        self._directory = directory
        self._cosigner = cosigner
        self._files = Files()

    @classmethod
    def create(cls, directory: Path, name: str) -> "Witness":
        """Make a witness with a random key. Raises ConfigurationError if there is one."""
        if (directory / _KEY).exists():
            raise ConfigurationError(f"There is a witness in {directory} already.")
        seed = os.urandom(SEED_SIZE)
        cosigner = Cosigner(name, seed)
        make_directories(Files(), directory / "staging")
        for file, data in ((_NAME, name.encode()), (_KEY, seed)):
            store(Files(), directory / "staging", directory / file, data)
        sync_directory(Files(), directory)
        return cls(directory, cosigner)

    @classmethod
    def open(cls, directory: Path) -> "Witness":
        """The witness in `directory`. Raises ConfigurationError if there is none."""
        try:
            name = (directory / _NAME).read_text(encoding="utf-8")
            return cls(directory, Cosigner(name, (directory / _KEY).read_bytes()))
        except FileNotFoundError as error:
            raise ConfigurationError(f"There is no witness in {directory}.") from error

    @property
    def vkey(self) -> VerifierKey:
        """The key by which its cosignatures are known."""
        return self._cosigner.vkey

    def size_of(self, origin: str) -> int:
        """Entries of the log that were witnessed so far: ask the box for a proof from there."""
        return self._last(origin).size

    def witness(self, proof: ConsistencyProof, epochs: Epochs, now: int | None = None) -> Note:
        """The checkpoint in `proof`, cosigned. `epochs` are the log's keys; `now` in seconds.

        Raises IntegrityError if the log is not the continuation of the one witnessed before: keep
        both checkpoints, they are the evidence.
        """
        claimed = parse_checkpoint(proof.note.text)
        checkpoint = verified_checkpoint(proof.note, epochs.key_for(claimed.size))
        last = self._last(checkpoint.origin)
        if checkpoint.size < last.size:
            raise IntegrityError(
                f"The log has {checkpoint.size} entries, and had {last.size} when it was witnessed "
                "last: it was cut off or put back. Keep this checkpoint as evidence."
            )
        if proof.old_size != last.size:
            raise ConfigurationError(f"Ask the box for a proof from entry {last.size} on.")
        if not proof.holds_for(last.root):
            raise IntegrityError(
                f"The log does not begin with the {last.size} entries witnessed before: its past "
                "was rewritten. Keep this checkpoint as evidence."
            )
        cosigned = self._cosigner.cosign(proof.note, int(time.time()) if now is None else now)
        path = self._memory(checkpoint.origin)
        store(self._files, self._directory / "staging", path, str(cosigned).encode())
        sync_directory(self._files, self._directory)
        return cosigned

    def _last(self, origin: str) -> Checkpoint:
        try:
            note = parse_note(self._memory(origin).read_bytes())
        except FileNotFoundError:
            return Checkpoint(origin, 0, EMPTY_ROOT)
        return parse_checkpoint(note.text)

    def _memory(self, origin: str) -> Path:
        return self._directory / f"{sha256(origin.encode()).hexdigest()[:32]}.checkpoint"
