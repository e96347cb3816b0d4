"""From tokens to text that may leave: UTF-8 across tokens, stop strings across tokens.

Contract: `TextStream.feed` takes the bytes of one token and gives the text that became final with
it; `finish` gives what was held back. Their concatenation depends on the bytes alone, never on how
tokens cut them. Text is final when its characters are whole and it can no longer be part of a stop
string. Of several stop strings the one that is complete first counts, and of those that are
complete at the same character the longest; it and everything after it never leave. Pure.
"""

import codecs
from collections.abc import Sequence
from typing import Final


class TextStream:
    """The text of one sequence."""

    __slots__ = ("_decoder", "_held", "_stops", "_tail", "released", "stopped")

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decoder: Final = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops: Final = tuple(stop for stop in stops if stop)
        self._held = ""
        self._tail = False
        """Bytes of an unfinished character are pending in the decoder."""
        self.released = 0
        """Characters given out."""
        self.stopped = False
        """A stop string is complete; nothing more will come."""

    def feed(self, piece: bytes, text: str | None = None) -> str:
        """Take one token's bytes, and their text if they are whole characters by themselves."""
        if self.stopped:
            return ""
        if text is None or self._tail:
            text = self._decoder.decode(piece)
            self._tail = bool(self._decoder.getstate()[0])
        if self._stops:
            text = self._search(self._held + text)
        self.released += len(text)
        return text

    def finish(self) -> str:
        """The end: held text cannot become a stop string any more."""
        if self.stopped:
            return ""
        text = self._held + self._decoder.decode(b"", final=True)
        self._held = ""
        self._tail = False
        # The last replacement character may complete a stop string.
        text = self._search(text) + self._held if self._stops else text
        self._held = ""
        self.released += len(text)
        return text

    def _search(self, text: str) -> str:
        """Cut at the stop string that is complete first; hold back what may become one."""
        found: tuple[int, int] | None = None
        for stop in self._stops:
            start = text.find(stop)
            if start >= 0 and (found is None or (start + len(stop), start) < found):
                found = (start + len(stop), start)
        if found is not None:
            self.stopped = True
            self._held = ""
            return text[: found[1]]
        hold = max(_overlap(text, stop) for stop in self._stops)
        cut = len(text) - hold
        self._held = text[cut:]
        return text[:cut]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with, short of the whole of it."""
    first = stop[0]
    at = text.find(first, max(0, len(text) - len(stop) + 1))
    while at >= 0:
        if stop.startswith(text[at:]):
            return len(text) - at
        at = text.find(first, at + 1)
    return 0
