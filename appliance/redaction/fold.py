"""L0, the detection copy: what a reader sees, in plain letters, with a way back to the original.

`fold` undoes what hides a value from a pattern and not from a person: compatibility forms
(full-width, circled, mathematical digits and letters; Unicode NFKD), combining marks, format
characters (zero-width, soft hyphen, directional marks), Cyrillic and Greek letters that look Latin
(the common part of Unicode's `confusables.txt`, UTS 39), digits of every script, typographic
dashes, quotes and spaces, pictures between digits, and the escapes of JSON, URLs and HTML.

Case and length of everything else stay. `origin(start, end)` turns offsets of the copy back into
offsets of the original that cover every character which went into that stretch. Pure.
"""

import re
import unicodedata

_ESCAPE = re.compile(
    r"\\u([0-9A-Fa-f]{4})|\\x([0-9A-Fa-f]{2})|%([2-7][0-9A-Fa-f])|&#(\d{1,6});|&#[xX]([0-9A-Fa-f]{1,5});"
    r"|(\\[nrt])|(&(?:nbsp|amp|commat|period|colon);)"
)
_ENTITIES = {"&nbsp;": " ", "&amp;": "&", "&commat;": "@", "&period;": ".", "&colon;": ":"}

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")

_CONFUSABLES = str.maketrans(
    "АВЕЅІЈКМНОРСТУХѴаеѕіјорсухѵԁɡһӏԛԝΑΒΕΖΗΙΚΜΝΟΡΤΥΧοανρυıłŁøØđĐ",
    "ABESIJKMHOPCTYXVaesijopcyxvdghlqwABEZHIKMNOPTYXoavpuilLoOdD",
)
_TYPOGRAPHY = str.maketrans(
    {
        "‘": "'", "’": "'", "‚": "'", "‛": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"',
        "−": "-", "⁃": "-", "•": " ", "·": " ", "∙": " ", "⋅": " ", "∕": "/", "⁄": "/",
        "。": ".", "․": ".", "∶": ":", "ː": ":", "꞉": ":",
    }
)  # fmt: skip
_PICTURE = "\ufffc"
"""Stands in the first pass for a symbol; the second pass knows its neighbours and decides."""

_cache: dict[str, str] = {}
_CACHE_LIMIT = 8192


class Folded:
    """The detection copy `text` of an original, and where each of its characters came from."""

    __slots__ = ("_ends", "_starts", "text")

    def __init__(self, text: str, starts: list[int] | None, ends: list[int] | None) -> None:
        self.text = text
        self._starts = starts
        self._ends = ends

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Original offsets of the copy's non-empty stretch [start, end)."""
        if self._starts is None or self._ends is None:
            return start, end
        return self._starts[start], self._ends[end - 1]

    def index(self, offset: int) -> int:
        """First place of the copy that came from the original's `offset` or later."""
        if self._starts is None:
            return offset
        low, high = 0, len(self._starts)
        while low < high:
            middle = (low + high) // 2
            if self._starts[middle] < offset:
                low = middle + 1
            else:
                high = middle
        return low


def _fold_character(character: str) -> str:
    decimal = unicodedata.digit(character, None)
    if decimal is not None:
        return str(decimal)
    out = []
    for part in unicodedata.normalize("NFKD", character.translate(_TYPOGRAPHY)):
        kind = unicodedata.category(part)
        if part.isascii():
            # The control characters left are tab and line ends; the rest hides or draws nothing.
            out.append(part if kind != "Cc" or part in "\t\n\r\v\f" else "")
        elif kind in ("Mn", "Me", "Cf", "Cc", "Co", "Cn"):
            continue
        elif kind == "Pd":
            out.append("-")
        elif kind[0] == "Z":
            out.append("\n" if part in "\u2028\u2029" else " ")
        elif kind in ("So", "Sk"):
            out.append(_PICTURE)
        else:
            out.append(part.translate(_CONFUSABLES).translate(_TYPOGRAPHY))
    return "".join(out)


def _fold_cached(character: str) -> str:
    folded = _cache.get(character)
    if folded is None:
        if len(_cache) >= _CACHE_LIMIT:
            _cache.clear()
        folded = _cache[character] = _fold_character(character)
    return folded


def _unescape(match: re.Match[str]) -> str:
    unit, byte, percent, decimal, hexadecimal, control, entity = match.groups()
    if control is not None:
        return " "
    if entity is not None:
        return _ENTITIES[entity]
    code = int(decimal) if decimal else int(unit or byte or percent or hexadecimal, 16)
    return chr(code) if code < 0xD800 or 0xE000 <= code <= 0x10FFFF else " "


def fold(text: str) -> Folded:
    """The detection copy of `text`. Cost: nothing for plain ASCII, one pass otherwise."""
    escaped = "\\" in text or "%" in text or "&" in text
    if not escaped and text.isascii() and (text.isprintable() or not _CONTROL.search(text)):
        return Folded(text, None, None)
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    position = 0
    matches = _ESCAPE.finditer(text) if escaped else iter(())
    for match in matches:
        _fold_plain(text, position, match.start(), pieces, starts, ends)
        folded = "".join(map(_fold_cached, _unescape(match)))
        pieces.extend(folded)
        starts.extend([match.start()] * len(folded))
        ends.extend([match.end()] * len(folded))
        position = match.end()
    _fold_plain(text, position, len(text), pieces, starts, ends)
    if _PICTURE in pieces:
        pieces, starts, ends = _settle_pictures(pieces, starts, ends)
    return Folded("".join(pieces), starts, ends)


def _fold_plain(
    text: str, start: int, end: int, pieces: list[str], starts: list[int], ends: list[int]
) -> None:
    for offset in range(start, end):
        character = text[offset]
        folded = character if "\x1f" < character < "\x7f" else _fold_cached(character)
        if len(folded) == 1:
            pieces.append(folded)
            starts.append(offset)
            ends.append(offset + 1)
        else:
            pieces.extend(folded)
            starts.extend([offset] * len(folded))
            ends.extend([offset + 1] * len(folded))


def _settle_pictures(
    pieces: list[str], starts: list[int], ends: list[int]
) -> tuple[list[str], list[int], list[int]]:
    """A picture between two digits or two letters splits a value: drop it. Elsewhere: a space."""
    kept: list[int] = []
    for place, piece in enumerate(pieces):
        if piece != _PICTURE:
            kept.append(place)
            continue
        before = pieces[kept[-1]] if kept else " "
        after = next((p for p in pieces[place + 1 : place + 9] if p != _PICTURE), " ")
        if not (before.isdigit() and after.isdigit()) and not (
            before.isalpha() and after.isalpha()
        ):
            pieces[place] = " "
            kept.append(place)
    return [pieces[k] for k in kept], [starts[k] for k in kept], [ends[k] for k in kept]
