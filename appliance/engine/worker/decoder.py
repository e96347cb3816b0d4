"""The KV cache and the computation over it: a thin, typed layer over llama.cpp's context.

Contract: `fill` lays a plan's pieces into the batch, `decode` computes them and says how it went,
`logits` gives the rows that were asked for, in the order of the pieces. `keep`, `copy` and `clear`
change which tokens lie in the KV cache under a slot. Return codes (`include/llama.h`,
`llama_decode`) are `Outcome`s; after anything but `DONE` the cache holds what it held before, or
`truncate` brings it back there.
"""

import ctypes
from collections.abc import Sequence as Pieces
from enum import Enum

import numpy as np
import numpy.ctypeslib
import numpy.typing as npt

from appliance.engine.worker.binding import llama
from appliance.engine.worker.plan import Clear, Piece, Place


class Outcome(Enum):
    """How a `llama_decode` ended."""

    DONE = 0
    NO_SLOT = 1
    """No room in the KV cache for the batch: give up something and plan anew."""
    ABORTED = 2
    """Interrupted; part of the batch may lie in the cache."""
    INVALID = -1
    """The batch makes no sense; nothing was computed."""
    FATAL = -2
    """Allocation or computation failed; part of the batch may lie in the cache."""


def outcome_of(code: int) -> Outcome:
    """The meaning of a return code of `llama_decode`."""
    return Outcome(code) if code in (0, 1, 2, -1) else Outcome.FATAL


class Decoder:
    """One llama.cpp context and the batch that is computed on it."""

    def __init__(self, context: int, *, batch_tokens: int, slots: int, vocabulary: int) -> None:
        self.context = context
        self._memory = llama.llama_get_memory(context)
        self._vocabulary = vocabulary
        self._slots = slots
        self._token = np.zeros(batch_tokens, np.int32)
        self._position = np.zeros(batch_tokens, np.int32)
        self._sequence = np.zeros(batch_tokens, np.int32)
        self._wanted = np.zeros(batch_tokens, np.int8)
        self._one = np.ones(batch_tokens, np.int32)
        # llama.cpp wants, per token, a pointer to its list of sequence ids; ours have one each.
        self._pointers = self._sequence.ctypes.data + 4 * np.arange(batch_tokens, dtype=np.uint64)
        self._batch = llama.llama_batch()
        for name, array in (
            ("token", self._token),
            ("pos", self._position),
            ("n_seq_id", self._one),
            ("seq_id", self._pointers),
            ("logits", self._wanted),
        ):
            kind = type(getattr(self._batch, name))
            setattr(self._batch, name, ctypes.cast(array.ctypes.data, kind))
        self._rows: npt.NDArray[np.float32] = np.zeros((0, vocabulary), np.float32)
        self._rows_at = 0

    def apply(self, changes: Pieces[Clear | Place]) -> list[int]:
        """Carry out a plan's changes to the KV cache.

        Returns the slots whose cells could not be kept (recurrent and some sliding-window caches
        cannot be cut); they are empty now.
        """
        lost = []
        for change in changes:
            if isinstance(change, Clear):
                self.clear(change.slot)
                continue
            if change.source is not None:
                self.clear(change.slot)
                llama.llama_memory_seq_cp(self._memory, change.source, change.slot, -1, -1)
            if not self.truncate(change.slot, change.keep):
                self.clear(change.slot)
                lost.append(change.slot)
        return lost

    def clear(self, slot: int) -> None:
        """Empty a slot; this never fails."""
        llama.llama_memory_seq_rm(self._memory, slot, -1, -1)

    def truncate(self, slot: int, length: int) -> bool:
        """Cut a slot to its first `length` tokens; false if this cache cannot be cut."""
        return bool(llama.llama_memory_seq_rm(self._memory, slot, length, -1))

    def fill(self, pieces: Pieces[Piece]) -> Pieces[int]:
        """Lay the pieces into the batch; returns the batch row of each piece's last token."""
        count = len(pieces)
        total = sum([piece.length for piece in pieces])
        self._batch.n_tokens = total
        if total == count and all(piece.samples for piece in pieces):
            # The common step: everybody decodes.
            self._token[:count] = [piece.sequence.tokens[-1] for piece in pieces]
            self._position[:count] = [piece.start for piece in pieces]
            self._sequence[:count] = [piece.sequence.slot for piece in pieces]
            self._wanted[:count] = 1
            return range(count)
        at, last = 0, []
        for sequence, start, length, samples in pieces:
            end = at + length
            self._token[at:end] = sequence.tokens[start : start + length]
            self._position[at:end] = np.arange(start, start + length)
            self._sequence[at:end] = sequence.slot
            self._wanted[at:end] = 0
            self._wanted[end - 1] = samples
            last.append(end - 1)
            at = end
        return last

    def decode(self) -> Outcome:
        """Compute the batch."""
        code = llama.llama_decode(self.context, self._batch)
        return Outcome.DONE if code == 0 else outcome_of(code)

    def logits(self, rows: int) -> npt.NDArray[np.float32]:
        """The wanted logits of the last step: shape (rows, vocabulary), writable, in batch order.

        Valid until the next step.
        """
        address = ctypes.addressof(llama.llama_get_logits(self.context).contents)
        if address != self._rows_at or rows > len(self._rows):
            pointer = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
            self._rows = numpy.ctypeslib.as_array(pointer, (rows, self._vocabulary))
            self._rows_at = address
        return self._rows[:rows]

    def restore(self, pieces: Pieces[Piece]) -> list[int]:
        """After a broken step: cut every slot back to where it was; returns those now empty."""
        lost = []
        for piece in pieces:
            if not self.truncate(piece.sequence.slot, piece.start):
                self.clear(piece.sequence.slot)
                lost.append(piece.sequence.slot)
        return lost
