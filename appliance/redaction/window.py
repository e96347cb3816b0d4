"""What a detector sees: one block of a text, what stands around it, and the cues in sight.

A detector is handed a `Window` and returns spans in offsets of `Window.raw`. It may report finds
anywhere in the window; those that do not begin inside the block are dropped by the scrubber.
"""

import re
from functools import cached_property
from typing import Protocol

from appliance.redaction.cues import CueFinder, Sightings
from appliance.redaction.fold import Folded, fold
from appliance.redaction.spans import Span

_NO_DIGITS = re.compile(r"[^0-9]+")


class Detector(Protocol):
    """Finds values. Stateless between windows; linear in the window; raising means blocking."""

    def find(self, window: "Window") -> list[Span]:
        """Every find in the window, overlapping or not, in offsets of `window.raw`."""
        ...


class Window:
    """A block with its surroundings, folded once for all detectors."""

    def __init__(self, raw: str, begin: int, end: int, *, alone: bool, cues: CueFinder) -> None:
        self.raw = raw
        self.alone = alone
        """The text is nothing but this block: a cell of a table, a field of a form."""
        self.folded: Folded = fold(raw)
        self.text = self.folded.text
        self.begin = self.folded.index(begin)
        """Where the block begins in `text`."""
        self.end = self.folded.index(end)
        self._cues = cues

    @cached_property
    def haystack(self) -> bytes | str:
        """`text` for RE2: bytes where offsets are the same, which spares it the translation."""
        return self.text.encode("ascii") if self.text.isascii() else self.text

    @cached_property
    def digits(self) -> int:
        """How many digits stand in the block and behind it."""
        return len(_NO_DIGITS.sub("", self.text[self.begin :]))

    @cached_property
    def sightings(self) -> Sightings:
        """The cues and field labels in `text`."""
        return self._cues.find(self.text)

    def cued(self, groups: tuple[str, ...], start: int, end: int, *, tight: bool) -> bool:
        """Whether a cue of one of `groups` explains the value at [start, end) of `text`.

        A cue may stand up to 60 characters before or 36 behind; a `tight` one directly before, with
        no other digit in between, or within 16 characters behind.
        """
        sightings = self.sightings.groups
        for group in groups:
            for cue_start, cue_end in sightings.get(group, ()):
                if cue_end <= start:
                    gap = start - cue_end
                    if gap > (40 if tight else 60):
                        continue
                    if tight and any(c.isdigit() for c in self.text[cue_end:start]):
                        continue
                    return True
                if cue_start >= end and cue_start - end <= (16 if tight else 36):
                    if tight and any(c.isdigit() for c in self.text[end:cue_start]):
                        continue
                    return True
        return False

    def only(self, start: int, end: int) -> bool:
        """Whether the text is nothing but the value at [start, end), quotes and points aside."""
        return self.alone and end - start >= len(self.text.strip()) - 2

    def span(self, start: int, end: int, type: str, score: float, layer: str, rule: str) -> Span:
        """A span over [start, end) of `text`, in offsets of `raw`."""
        raw_start, raw_end = self.folded.origin(start, end)
        return Span(raw_start, raw_end, type, score, layer, rule)

    def free(self, start: int, end: int) -> bool:
        """Whether the stretch is a number of its own, not a part of a longer one.

        A letter or digit on either side makes it a part; so does a digit behind one of `-./:`.
        """
        text = self.text
        if start > 0:
            before = text[start - 1]
            if before.isalnum() or before == "_":
                return False
            if before in "-./:" and start > 1 and text[start - 2].isdigit():
                return False
        if end < len(text):
            after = text[end]
            if after.isalnum() or after == "_":
                return False
            if after in "-./:" and end + 1 < len(text) and text[end + 1].isdigit():
                return False
        return True
