"""Scrubs text, whole or in chunks: the one place where finds become changes.

`Scrubber` is immutable and shared; it holds compiled detectors and what to do with each type.
`scrub(text)` handles a whole text; `stream()` gives the state of one channel (one choice's content,
its reasoning, one tool call's arguments). Call `feed` for each chunk and `finish` once:

    stream = scrubber.stream()
    out = "".join(stream.feed(chunk) for chunk in chunks) + stream.finish()

Whatever the chunks, `out` equals `scrub("".join(chunks)).text`: `scrub` is a stream fed once, and
the segmentation (`segment`) decides by the text alone. Held is only what a
detector could still extend.

A value that goes on behind a whole window is dropped up to the next white space (a private key, up
to its end line): at the bound, redact. A detector that raises or takes longer than `BUDGET_S`
seconds for one block ends the text with `DetectorFailed`, and a type whose action is `block` with
`Blocked`. After either, or after `finish`, a stream is dead and gives nothing more.
"""

import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec

from appliance.errors import ApplianceError
from appliance.redaction.actions import Action, render
from appliance.redaction.allowlist import AllowList
from appliance.redaction.cues import CueFinder
from appliance.redaction.segment import LEFT, REACH, TRIGGER, WINDOW, WORD, Cut, Place, cut
from appliance.redaction.spans import Span, resolve
from appliance.redaction.vocabulary import EXPLAINERS
from appliance.redaction.window import Detector, Window

BUDGET_S = 2.0
"""Far above what a window of `WINDOW` characters takes (well under a millisecond)."""

_SPACE = re.compile(r"\s")
_KEY_END = re.compile(r"-----END [A-Z ]{0,30}-----")
_LONG = 96
_KEY_TAIL = 48
_KEY_LIMIT = 16_384
_JSON_NUMBER = re.compile(r"\":\s*\Z")


_SMALL = re.compile(r"[(<>~]?[0-9]{1,4}(?:[.,][0-9]{1,2})?(?:[%),.;:]{0,2}|[.]\))")
_NOT_LETTERS = re.compile(r"[^a-z]+")


def _idle(text: str, found: Cut) -> bool:
    """Whether a block is one small number that nothing around could make a value: most are.

    No rule takes so few digits without a cue or label; those stand within 60 characters before.
    What stands behind is not asked, for such a block is never given more than itself to look at.
    """
    if found.right - found.cold > 9 or _SMALL.fullmatch(text, found.cold, found.right) is None:
        return False
    before = text[max(0, found.cold - 64) : found.cold]
    if not before.isascii():
        return False
    return EXPLAINERS.isdisjoint(_NOT_LETTERS.split(before.lower()))


class Blocked(ApplianceError):  # noqa: N818  (the name of the ending, like `Refused`)
    """The text holds what policy forbids altogether. Carries types, never values."""

    def __init__(self, types: Sequence[str]) -> None:
        self.types = tuple(types)
        names = ", ".join(self.types)
        super().__init__(
            f"policy does not allow text that holds {names}; take it out and try again"
        )


class DetectorFailed(Blocked):
    """A detector raised or took too long, so nobody knows what the text holds."""

    def __init__(self, detector: str) -> None:
        ApplianceError.__init__(
            self,
            f"the text could not be checked for personal data ({detector} failed) and stays here; "
            "ask the operator to run `cloister doctor`",
        )
        self.types = ()
        self.detector = detector


class Treatment(msgspec.Struct, frozen=True):
    """What happens to values of one type found with at least `min_score`."""

    action: Action
    min_score: float = 0.5


class Finding(msgspec.Struct, frozen=True):
    """How often a type was found, by which layer, and what was done. Holds no values."""

    type: str
    layer: str
    action: Action
    count: int


class Scrubbed(msgspec.Struct, frozen=True):
    """A scrubbed text; `spans` are offsets of the original, in code points."""

    text: str
    spans: tuple[Span, ...]
    findings: tuple[Finding, ...]


class Scrubber:
    """Detectors and treatments, ready to use; safe to share between threads and streams."""

    def __init__(
        self,
        detectors: Sequence[Detector],
        treatments: Mapping[str, Treatment],
        cues: CueFinder,
        *,
        key: bytes = b"",
        report_only: bool = False,
        allow: AllowList | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`key` (32 bytes) is needed for `hash`. `report_only` finds and changes nothing."""
        self.detectors = tuple(detectors)
        self.treatments = {t: x for t, x in treatments.items() if x.action is not Action.ALLOW}
        self.cues = cues
        self.key = key
        self.report_only = report_only
        self.allow = allow or None
        self.clock = clock
        if not key and any(x.action is Action.HASH for x in self.treatments.values()):
            raise ValueError("the action `hash` needs a key")

    def stream(self) -> "Stream":
        """The state for one channel."""
        return Stream(self)

    def scrub(self, text: str) -> Scrubbed:
        """Scrub a whole text. Raises `Blocked` or `DetectorFailed`."""
        stream = Stream(self)
        out = stream.feed(text) + stream.finish()
        return Scrubbed(out, stream.spans, stream.findings)


class Stream:
    """One text on its way through a scrubber."""

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._left = ""
        """The last `LEFT` characters that were dealt with, unscrubbed: only looked back on."""
        self._held = ""
        self._offset = 0
        """Code points of the original before `_held`."""
        self._warm = False
        """`_held` holds a trigger that is not judged yet, or an open block."""
        self._place = Place.BETWEEN
        self._searched = 0
        self._patience = 0
        """Not worth a look before so much is held: a long block is read again at each look."""
        self._blank = True
        """Only white space so far."""
        self._swallow = 0
        """Dropping up to white space (1), or up to the end of a private key (its length so far)."""
        self._spans: list[Span] = []
        self._counts: Counter[tuple[str, str, Action]] = Counter()
        self._dead = False

    @property
    def held(self) -> int:
        """How many characters are held back now."""
        return len(self._held)

    @property
    def spans(self) -> tuple[Span, ...]:
        """Everything acted on so far, in offsets of the original."""
        return tuple(self._spans)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Counts by type, layer and action, in order of type."""
        return tuple(
            Finding(type, layer, action, count)
            for (type, layer, action), count in sorted(self._counts.items())
        )

    def feed(self, chunk: str) -> str:
        """Take the next chunk; give what is ready. Raises `Blocked` or `DetectorFailed`."""
        if self._dead:
            raise ValueError("the stream has ended")
        held = self._held + chunk
        if len(held) < self._patience:
            self._held = held
            return ""
        if self._warm or self._swallow or TRIGGER.search(chunk) is not None:
            return self._drain(held, final=False)
        # Nothing can begin here: everything but the last, perhaps unfinished, word is ready.
        if not held or held[-1].isspace():
            ready = len(held)
        else:
            ready = max(len(held) - len(held.rsplit(None, 1)[-1]), len(held) - 2 * WORD)
        if not ready:
            self._held = held
            return ""
        out = held[:ready]
        self._held = held[ready:]
        self._searched = 0
        self._pass(out)
        return out

    def finish(self) -> str:
        """The rest, once the text has ended."""
        if self._dead:
            raise ValueError("the stream has ended")
        out = self._drain(self._held, final=True) if self._held else ""
        self._dead = True
        return out

    def _pass(self, text: str) -> None:
        """Note that `text` of the original is dealt with."""
        self._offset += len(text)
        if self._blank and not text.isspace():
            self._blank = False
        self._left = (self._left + text)[-LEFT:] if len(text) < LEFT else text[-LEFT:]

    def _drain(self, held: str, *, final: bool) -> str:
        try:
            return self._advance(held, final=final)
        except BaseException:
            self._dead = True
            self._held = self._left = ""
            raise

    def _advance(self, held: str, *, final: bool) -> str:
        text = self._left + held
        start = position = len(self._left)
        base = self._offset - start
        out: list[str] = []
        searched = start + self._searched
        while True:
            if self._swallow:
                position = self._drop(text, position, base, final=final)
                if self._swallow:
                    break
            found = cut(text, position, final, self._place, searched)
            if found.cold > position:
                out.append(text[position : found.cold])
                if self._blank and not out[-1].isspace():
                    self._blank = False
            if found.end < 0:
                position = found.cold
                self._place = found.place
                searched = max(found.judged, position)
                break
            position = self._block(text, found, base, out, final=final)
            self._place = found.place
            self._blank = False
        self._left = text[max(0, position - LEFT) : position]
        self._held = text[position:]
        self._offset = base + position
        self._searched = max(0, searched - position)
        size = len(self._held)
        opened = self._place is not Place.BETWEEN
        self._patience = size + size // 6 if opened and size > _LONG else 0
        self._warm = opened or TRIGGER.search(self._held) is not None
        return "".join(out)

    def _block(self, text: str, found: Cut, base: int, out: list[str], *, final: bool) -> int:
        """Scrub one block into `out`; where to go on."""
        scrubber = self._scrubber
        if _idle(text, found):
            out.append(text[found.cold : found.end])
            return found.end
        origin = max(0, found.cold - LEFT)
        rest = len(text) - found.end
        alone = (
            self._blank and found.whole and final and rest <= 12 and not text[found.end :].strip()
        )
        window = Window(
            text[origin : found.right],
            found.cold - origin,
            found.end - origin,
            alone=alone,
            cues=scrubber.cues,
        )
        limit = found.end if found.whole else found.cold + WINDOW - REACH
        regions = self._detect(window, found.cold - origin, limit - origin)
        position = found.cold
        for region in regions:
            start, end = region.start + origin, region.end + origin
            out.append(text[position:start])
            out.append(self._treat(text, start, end, region))
            self._spans.append(msgspec.structs.replace(region, start=base + start, end=base + end))
            position = end
            if scrubber.report_only:
                continue
            if region.type == "PRIVATE_KEY" and _KEY_END.search(text, start, end) is None:
                self._swallow = 2
            elif end == found.right:
                self._swallow = 1
        behind = max(limit, position)
        out.append(text[position:behind])
        return behind

    def _detect(self, window: Window, begin: int, limit: int) -> list[Span]:
        """Disjoint regions to act on that begin in [begin, limit) of the window's text."""
        scrubber = self._scrubber
        spans: list[Span] = []
        deadline = scrubber.clock() + BUDGET_S
        for detector in scrubber.detectors:
            name = type(detector).__name__
            try:
                found = detector.find(window)
            except Exception as error:
                raise DetectorFailed(name) from error
            if scrubber.clock() > deadline:
                raise DetectorFailed(name)
            for span in found:
                treatment = scrubber.treatments.get(span.type)
                if (
                    treatment is not None
                    and span.score >= treatment.min_score
                    and begin <= span.start < limit
                    and span.start < span.end
                    and not (
                        scrubber.allow
                        and scrubber.allow.allows(span.type, window.raw[span.start : span.end])
                    )
                ):
                    spans.append(span)
        if not spans:
            return []
        blocked = {s.type for s in spans if scrubber.treatments[s.type].action is Action.BLOCK}
        if blocked and not scrubber.report_only:
            raise Blocked(sorted(blocked))
        return resolve(spans)

    def _treat(self, text: str, start: int, end: int, region: Span) -> str:
        scrubber = self._scrubber
        action = scrubber.treatments[region.type].action
        self._counts[region.type, region.layer, action] += 1
        value = text[start:end]
        if scrubber.report_only:
            return value
        shown = render(action, region.type, value, scrubber.key)
        if (
            value.isdigit()
            and not shown.isdigit()
            and _JSON_NUMBER.search(text, max(0, start - 8), start)
        ):
            return f'"{shown}"'
        return shown

    def _drop(self, text: str, position: int, base: int, *, final: bool) -> int:
        """Drop what a value that was longer than its window still goes on with."""
        if self._swallow == 1:
            space = _SPACE.search(text, position)
            end = space.start() if space else len(text)
            if space or final:
                self._swallow = 0
        else:
            ended = _KEY_END.search(text, max(0, position - _KEY_TAIL))
            end = ended.end() if ended else len(text)
            self._swallow += end - position
            if ended or final or self._swallow > _KEY_LIMIT:
                self._swallow = 0
        if self._spans and end > position:
            self._spans[-1] = msgspec.structs.replace(self._spans[-1], end=base + end)
        return end
