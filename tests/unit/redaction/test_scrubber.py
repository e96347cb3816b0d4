"""The scrubber with simulated detectors: what happens when one fails, hangs or lies."""

import re

import pytest

from appliance.errors import ApplianceError
from appliance.redaction.actions import Action, digest, render
from appliance.redaction.cues import CueFinder
from appliance.redaction.scrubber import Blocked, DetectorFailed, Scrubber, Treatment
from appliance.redaction.spans import Span
from appliance.redaction.window import Detector, Window

KEY = bytes(32)


class Finds:
    """Finds a word wherever it stands."""

    def __init__(self, word: str) -> None:
        self.word = word

    def find(self, window: Window) -> list[Span]:
        places = re.finditer(re.escape(self.word), window.raw)
        return [Span(*place.span(), "X", 0.9, "L3", "word") for place in places]


class Raises:
    def find(self, window: Window) -> list[Span]:
        raise RuntimeError("secret 4111 inside")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Hangs:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def find(self, window: Window) -> list[Span]:
        self.clock.now += 60
        return []


def scrubber(*detectors: Detector, action: Action = Action.REPLACE, **more: object) -> Scrubber:
    return Scrubber(detectors, {"X": Treatment(action)}, CueFinder({}), key=KEY, **more)  # type: ignore[arg-type]


def test_a_detector_that_raises_blocks_the_text() -> None:
    with pytest.raises(DetectorFailed) as caught:
        scrubber(Raises()).scrub("number 12345678 here")
    assert "4111" not in str(caught.value)
    assert isinstance(caught.value, Blocked)


def test_a_detector_that_raises_kills_the_stream_and_what_it_held() -> None:
    stream = scrubber(Raises()).stream()
    assert stream.feed("safe words 12345678") == "safe words "
    with pytest.raises(ApplianceError):
        stream.finish()
    assert stream.held == 0
    with pytest.raises(ValueError, match="ended"):
        stream.feed("more")


def test_a_detector_that_takes_too_long_blocks_the_text() -> None:
    clock = Clock()
    with pytest.raises(DetectorFailed):
        scrubber(Hangs(clock), clock=clock).scrub("number 12345678 here")


def test_a_find_below_the_score_or_outside_the_block_is_ignored() -> None:
    class Low:
        def find(self, window: Window) -> list[Span]:
            return [
                Span(0, len(window.raw), "X", 0.4, "L1", "low"),
                Span(0, 3, "X", 0.9, "L1", "before"),
            ]

    assert scrubber(Low()).scrub("the number 12 stays").text == "the number 12 stays"


def test_a_type_without_treatment_is_left_alone() -> None:
    class Other:
        def find(self, window: Window) -> list[Span]:
            return [Span(0, len(window.raw), "Y", 0.9, "L1", "other")]

    assert scrubber(Other()).scrub("12345 is here").text == "12345 is here"


def test_findings_count_and_hold_no_values() -> None:
    scrubbed = scrubber(Finds("a1")).scrub("a1 x a1")
    assert [(f.type, f.layer, f.action, f.count) for f in scrubbed.findings] == [
        ("X", "L3", Action.REPLACE, 2)
    ]
    assert "a1" not in repr(scrubbed.findings)


def test_hash_needs_a_key_and_tells_equal_values_by_it() -> None:
    with pytest.raises(ValueError, match="key"):
        Scrubber([], {"X": Treatment(Action.HASH)}, CueFinder({}))
    assert digest(KEY, "X", "4111 1111") == digest(KEY, "X", "4111-1111")
    assert digest(KEY, "X", "4111") != digest(b"\1" * 32, "X", "4111")
    assert not any(c.isdigit() for c in digest(KEY, "X", "4111"))


@pytest.mark.parametrize(
    ("type", "value", "shown"),
    [
        ("DATE_OF_BIRTH", "3 March 1961", "1961"),
        ("DATE_OF_BIRTH", "03/03/61", "[DATE_OF_BIRTH]"),
        ("AGE", "92", "90 or over"),
        ("AGE", "61", "61"),
        ("ZIP_CODE", "90210-1234", "902**"),
        ("ZIP_CODE", "03601", "000**"),
        ("ZIP_CODE", "SW1A 1AA", "[ZIP_CODE]"),
        ("PERSON", "Ana", "[PERSON]"),
    ],
)
def test_generalising_keeps_what_safe_harbor_allows(type: str, value: str, shown: str) -> None:
    assert render(Action.GENERALISE, type, value, b"") == shown


def test_masking_keeps_four_of_a_long_value_and_none_of_a_short_one() -> None:
    assert render(Action.MASK, "X", "4111 1111 1111 1234", b"") == "**** **** **** 1234"
    assert render(Action.MASK, "X", "1234", b"") == "****"
