"""Key epochs: each signing key names the next, and is then destroyed.

The first key is in `log.vkey`. An entry `log.epoch_started` ends an epoch: in it the old key signs
how many entries there were, their root hash, and the key that signs from this entry on. Whoever
steals today's key can therefore sign a different tomorrow, but no different yesterday: for that the
tree under an old key's statement would have to change, and that key is gone.

The statement that is signed, each line ended by a newline:

    cloister/epoch/v1
    <origin>
    <epoch: 1 for the first key after that in log.vkey>
    <entries before this one>
    <base64 root hash of those>
    <the new verifier key>

Its first line keeps it from passing for a checkpoint, whose first line is the origin.
"""

import base64

import msgspec

from appliance.audit.entries import Entry, event_of
from appliance.audit.events import KeyEpochStarted
from appliance.audit.keys import Signer, VerifierKey, decode_base64, parse_verifier_key
from appliance.errors import ConfigurationError, IntegrityError

_MAGIC = "cloister/epoch/v1"


def _statement(origin: str, epoch: int, size: int, root: str, vkey: str) -> bytes:
    return f"{_MAGIC}\n{origin}\n{epoch}\n{size}\n{root}\n{vkey}\n".encode()


def end_epoch(old: Signer, new: VerifierKey, epoch: int, size: int, root: bytes) -> KeyEpochStarted:
    """The event by which `old` hands over to `new` after `size` entries; `epoch` is the new one."""
    encoded = base64.b64encode(root).decode()
    signature = old.sign(_statement(old.vkey.name, epoch, size, encoded, str(new)))
    return KeyEpochStarted(
        epoch=epoch,
        vkey=str(new),
        size=size,
        root=encoded,
        signature=base64.b64encode(signature).decode(),
    )


class Epoch(msgspec.Struct, frozen=True):
    """One key and the first entry it signs for."""

    key: VerifierKey
    first: int


class Epochs:
    """The chain of keys, from the first one on, as the entries of a log tell it."""

    def __init__(self, first: VerifierKey) -> None:
        self._epochs = [Epoch(first, 0)]

    @property
    def current(self) -> VerifierKey:
        """The key that signs now."""
        return self._epochs[-1].key

    @property
    def count(self) -> int:
        """How many keys there were so far."""
        return len(self._epochs)

    def follow(self, entry: Entry, index: int, root: bytes | None) -> None:
        """Take in entry `index`, a `log.epoch_started`, of a log whose root before it is `root`.

        Without a root (None) the statement's own is believed: for readers who trust the tree for
        another reason. Raises IntegrityError if the entry does not continue the chain.
        """
        event = event_of(entry)
        if not isinstance(event, KeyEpochStarted):
            raise IntegrityError("the entry is no change of keys")
        signature = decode_base64(event.signature)
        message = _statement(self.current.name, event.epoch, event.size, event.root, event.vkey)
        if signature is None or not self.current.accepts(message, signature):
            raise IntegrityError("the change of keys is not signed by the key before")
        known = root is None or event.root == base64.b64encode(root).decode()
        if event.epoch != self.count or event.size != index or not known:
            raise IntegrityError("the change of keys is not about the entries before it")
        try:
            key = parse_verifier_key(event.vkey)
        except ConfigurationError as error:
            raise IntegrityError("the change of keys names no key") from error
        if key.name != self.current.name or str(key) != event.vkey:
            raise IntegrityError("the change of keys names a key of another log")
        self._epochs.append(Epoch(key, index))

    def key_for(self, size: int) -> VerifierKey:
        """The key that signs checkpoints of `size` entries."""
        begun = (epoch.key for epoch in reversed(self._epochs) if epoch.first < size)
        return next(begun, self._epochs[0].key)
