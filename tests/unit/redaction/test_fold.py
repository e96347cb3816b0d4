"""The detection copy: what is folded, and that every place of it leads back to the original."""

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.redaction.charsets import DIGITS
from appliance.redaction.fold import fold
from appliance.redaction.segment import TRIGGER


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        ("plain text, 42", "plain text, 42"),
        ("４２ ｗｉｄｅ＠ｘ", "42 wide@x"),
        ("①②③ ❶ 𝟛", "123 1 3"),
        ("٤٢ and ४२", "42 and 42"),
        ("z\u200be\u2060r\ufeffo", "zero"),
        ("so\u00adft", "soft"),
        ("\u202e1234\u202c", "1234"),
        ("Müller é ñ", "Muller e n"),
        ("Пасcпорт аnа", "Пaccпopт ana"),
        ("4💳1💳1", "411"),
        ("a💳1", "a 1"),
        ("\\u0041\\x42%43&#68;&#x45;", "ABCDE"),
        ("a\\nb", "a b"),
        ("1–2—3−4", "1-2-3-4"),
        ("‘x’ “y”", "'x' \"y\""),
        ("1\u00a02\u202f3", "1 2 3"),
        ("4\x001\x7f1", "411"),
    ],
)
def test_what_a_reader_sees_is_what_detectors_see(text: str, copy: str) -> None:
    assert fold(text).text == copy


@given(st.text())
def test_every_place_leads_back_to_the_original(text: str) -> None:
    folded = fold(text)
    last = 0
    for place in range(len(folded.text)):
        start, end = folded.origin(place, place + 1)
        assert 0 <= start < end <= len(text)
        assert start >= last or text[start:end] == text[last:end]
        last = start
        assert folded.index(start) <= place


@given(st.text())
def test_folding_twice_changes_nothing_but_escapes(text: str) -> None:
    once = fold(text).text
    if not any(c in once for c in "\\%&"):
        assert fold(once).text == once


def test_whatever_folds_to_a_digit_or_an_at_sign_is_a_trigger() -> None:
    missing = []
    for code in range(128, sys.maxunicode + 1):
        if 0xD800 <= code < 0xE000:
            continue
        character = chr(code)
        if unicodedata.category(character) == "Cn":
            continue
        folded = fold(character).text
        if any(c in "0123456789@" for c in folded) and TRIGGER.search(character) is None:
            missing.append(f"U+{code:04X}")
    assert missing == []
    assert DIGITS.isprintable()
