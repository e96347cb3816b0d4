"""Values behind base64: a run of its letters is decoded, and what it says is looked at as a text.

Only the standard and the URL-safe alphabets, and only what decodes to printable UTF-8. The find
covers the whole run, for a part of it would decode to something else. (Escapes of JSON, URLs and
HTML are undone by `fold`.)
"""

import base64
import binascii
import re
from collections.abc import Sequence

from appliance.redaction.cues import CueFinder
from appliance.redaction.spans import Span
from appliance.redaction.window import Detector, Window

_RUN = re.compile(r"[A-Za-z0-9+/_\-]{12,}={0,2}")
_URL_SAFE = str.maketrans("-_", "+/")


class EncodedDetector:
    """Applies `detectors` to what base64 runs of a window say."""

    def __init__(self, detectors: Sequence[Detector], cues: CueFinder) -> None:
        self._detectors = tuple(detectors)
        self._cues = cues

    def find(self, window: Window) -> list[Span]:
        """Runs that hide a value, under the type of the surest find in them."""
        spans: list[Span] = []
        for run in _RUN.finditer(window.text):
            start, end = run.span()
            if end <= window.begin or start >= window.end:
                continue
            # A run that begins before the window can be out of step: try every phase.
            for phase in range(4) if start == 0 else range(1):
                inner = self._surest(run.group()[phase:])
                if inner is not None:
                    place = max(start, window.begin)
                    rule = f"base64:{inner.rule}"
                    spans.append(
                        window.span(place, end, inner.type, inner.score, inner.layer, rule)
                    )
                    break
        return spans

    def _surest(self, run: str) -> Span | None:
        body = run.rstrip("=").translate(_URL_SAFE)
        if len(body) % 4 == 1:
            body = body[:-1]
        try:
            raw = base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
            text = raw.decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if not all(c.isprintable() or c in "\r\n\t" for c in text):
            return None
        window = Window(text, 0, len(text), alone=True, cues=self._cues)
        found = [span for detector in self._detectors for span in detector.find(window)]
        return max(found, key=lambda span: (span.score, span.type), default=None)
