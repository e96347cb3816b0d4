"""Where a text can be released unread, and where a block begins that detectors must see. Pure.

A text is a sequence of *words* (runs without white space). Most words are cold: no detector could
begin or go on in them. A *block* is a run of warm words: it begins with the word that holds a
trigger (a digit, `@`, a colon, a title, a month …), goes on while words are warm or can join warm
ones (`/`, `NWBK`, `de`), and takes a few words more after a label or a title.

`cut` answers for the text from `start` on. Its answer depends on nothing but the text itself, never
on where a chunk ended: whatever cannot be decided yet is held. That is what makes scrubbing a
stream give exactly what scrubbing the whole gives.

Bounds, in characters: a word is judged on `WORD` around its trigger; a block longer than `WINDOW`
is handed out in windows, each accepting finds that begin `REACH` or more before its end; detectors
see `LEFT` before a block and `RIGHT` behind it.
"""

import re
from enum import Enum
from typing import NamedTuple

from appliance.redaction.charsets import DIGITS
from appliance.redaction.fold import fold
from appliance.redaction.vocabulary import JOINERS, LABEL_ENDS, NAME_CUES, OPENERS, STREET_ENDS

WORD = 64
WINDOW = 1024
REACH = 160
LEFT = 96
RIGHT = 40

TRIGGER = re.compile(f"[0-9@:=%&\\\\.(\\[{{A-Z{DIGITS}]")
"""Nothing begins in a text where this finds nothing, unless a block is open."""

_SPACE_OR_END = re.compile(r"\s|\Z")
_WORD = re.compile(rf"\S{{1,{WINDOW}}}")
_GAP = re.compile(r"\s+")
_LETTERS = re.compile(r"[^\W\d_]+")
_HOT = re.compile(rf"[0-9@{DIGITS}]|[:=]\S|\w\.\w|%|&#|\\u")
_JOINS = re.compile(r"[^\w\s]{1,3}\Z|[A-Z]{1,4}[.,]?\Z")
_LABEL = re.compile(r"([^\W\d_]*)[\W_]*[:=#][\"'*_\s]*\Z")
_SUSPECT = re.compile(rf"[0-9{DIGITS}](?:[ ./-]?[0-9A-Za-z{DIGITS}]){{4,}}")
_NUMBER = re.compile(r"[0-9]{1,6}[A-Za-z]?,?\Z")
_EDGE = "\"'([{<*_~`|>,;-"


class Place(Enum):
    """What `start` is: the caller hands back what the last `Cut` told it."""

    BETWEEN = 0
    """No block is open."""
    BLOCK = 1
    """A block begins here; its end was not known yet."""
    WINDOW = 2
    """A block goes on here; a window was cut."""


class Cut(NamedTuple):
    """Release up to `cold`; then, unless `end` is -1, [cold, end) is a block seen up to `right`."""

    cold: int
    end: int
    right: int
    whole: bool
    """The block ended by itself; not so when `WINDOW` cut it."""
    place: Place
    """What the next call's `start` is: `cold` without an end, or behind the block."""
    judged: int
    """Without an end: triggers before this are judged; the next call passes it as `searched`."""


def cut(text: str, start: int, final: bool, place: Place = Place.BETWEEN, searched: int = 0) -> Cut:
    """Find the first block at or behind `start`.

    `place` and `searched` are what the last `Cut` said. Without `final` the text may go on. `end`
    is -1 when there is no block, or when it is not known yet whether or where it ends: what lies
    behind `cold` is then held. `text` before `start` is only looked back on.
    """
    if place is not Place.BETWEEN:
        return _close(text, start, final, place)
    cold, judged = (len(text), len(text)) if final else _undecided(text, start)
    position = max(start, searched)
    while True:
        found = TRIGGER.search(text, position, judged)
        if found is None:
            return Cut(cold, -1, -1, False, Place.BETWEEN, judged)
        at = found.start()
        begin = _block_start(text, start, at)
        if begin >= 0:
            return _close(text, begin, final)
        position = at + 1


def _undecided(text: str, start: int) -> tuple[int, int]:
    """Where holding begins, and up to where triggers can be judged already.

    Both are the beginning of the last, perhaps unfinished, word. In a word longer than `WORD`,
    triggers with that much behind them are judged; `WORD` before the rest must stay, because a
    block opened by a later trigger begins that far before it.
    """
    size = len(text)
    begin = _word_start(text, start, size, 2 * WORD)
    return begin, max(begin, size - WORD)


def _word_start(text: str, start: int, at: int, reach: int = WORD) -> int:
    floor = max(start, at - reach)
    while at > floor and not text[at - 1].isspace():
        at -= 1
    return at


def _block_start(text: str, start: int, at: int) -> int:
    """Where the block opened by the trigger character at `at` begins; -1 if it opens none."""
    character = text[at]
    if character.isascii() and character.isalpha():
        if at > 0 and (text[at - 1].isalpha() or text[at - 1] == "_"):
            return -1
        match = _LETTERS.match(text, at, at + WORD)
        word = match.group() if match else character
        behind = at + len(word)
        if word.lower() in OPENERS or (len(word) <= 4 and word.isupper() and _alone(text, behind)):
            return _word_start(text, start, at)
        if _name_may_follow(text, at):
            return _word_start(text, start, at)
        if len(word) > 4 and word.lower().endswith(STREET_ENDS):
            return _word_start(text, start, at)
        return -1
    if character in "([{":
        inside = at > 0 and text[at - 1].isalnum()
        return _word_start(text, start, at) if inside else -1
    if character == ".":
        following = text[at + 1 : at + 2]
        if not following or not (following.isalnum() or following == "@"):
            return -1
        return _word_start(text, start, at)
    if character in ":=":
        begin = _word_start(text, start, at)
        following = text[at + 1 : at + 2]
        if following and not following.isspace() and following not in "\"'*_":
            return begin
        word = _letters_before(text, begin, at)
        return begin if word in LABEL_ENDS else -1
    return _word_start(text, start, at)


def _name_may_follow(text: str, at: int) -> bool:
    """Whether the word before the capital at `at`, a comma or line end aside, announces a name."""
    floor = max(0, at - 24)
    end = at
    while end > floor and (text[end - 1].isspace() or text[end - 1] == ","):
        end -= 1
    begin = end
    while begin > floor and text[begin - 1].isalpha():
        begin -= 1
    if begin in (end, floor) or end == at:
        return False
    word = text[begin:end].lower()
    return (word if word.isascii() else fold(word).text.lower()) in NAME_CUES


def _alone(text: str, behind: int) -> bool:
    """Whether a short word in capitals ends at `behind`: a space, hyphen or the end follows."""
    return behind >= len(text) or text[behind].isspace() or text[behind] in "-."


def _letters_before(text: str, floor: int, at: int) -> str:
    while at > floor and not text[at - 1].isalpha():
        at -= 1
    end = at
    while at > floor and text[at - 1].isalpha():
        at -= 1
    word = text[at:end]
    return (word if word.isascii() else fold(word).text).lower()


def _held(begin: int, place: Place) -> Cut:
    """A block is open at `begin`, and its end is not known yet."""
    return Cut(begin, -1, -1, False, place, begin)


def _close(text: str, begin: int, final: bool, place: Place = Place.BLOCK) -> Cut:  # noqa: PLR0912  (one decision per line)
    """Find the end of the block that begins at `begin`."""
    size = len(text)
    limit = begin + WINDOW
    end = position = begin
    taken = chain = 0
    while True:
        match = _WORD.match(text, position)
        if match is None:
            if position >= size and not final:
                return _held(begin, place)
            break  # an open block met white space: its window ended with a word
        if match.end() >= limit:
            return _window(begin, limit, size, final, place)
        if match.end() == size and not final:
            return _held(begin, place)
        word = match.group()
        warm, more = _warmth(word)
        warm = warm or (position == begin and place is Place.BLOCK)
        if position == begin and place is Place.BLOCK and word[0].isupper():
            chain = 4  # of a name
        elif _NUMBER.match(word) is not None:
            chain = 5  # of a street behind its number
        elif chain:
            chain -= 1
            warm = warm or word[0].isupper()
        if more:
            taken = max(taken, more)
        elif not warm:
            if not taken:
                break
            taken -= 1
            if word[-1] in ";|" or (word[-1] == "," and taken < 4):
                taken = 0
        end = match.end()
        gap = _GAP.match(text, end)
        if gap is None:
            break
        if gap.end() == size and not final:
            if gap.end() - gap.start() > 12:
                break
            return _held(begin, place)
        blank = gap.group()
        lines = blank.count("\n")
        if len(blank) > 12 or lines > 2 or (lines and taken and not more):
            break
        position = gap.end()
    if end == begin:
        if begin >= size:
            return Cut(size, -1, -1, True, Place.BETWEEN, size)
        end = begin + 1
    return _with_right(text, begin, end, final, place)


def _window(begin: int, limit: int, size: int, final: bool, place: Place) -> Cut:
    if size < limit + RIGHT and not final:
        return _held(begin, place)
    return Cut(begin, limit, min(size, limit + RIGHT), False, Place.WINDOW, 0)


def _with_right(text: str, begin: int, end: int, final: bool, place: Place) -> Cut:
    """Wait for what follows only where a number could be explained by the words behind it."""
    size = len(text)
    right = min(size, end + RIGHT)
    if not _SUSPECT.search(text, begin, end):
        return Cut(begin, end, end, True, Place.BETWEEN, 0)
    if right < end + RIGHT and not final:
        return _held(begin, place)
    return Cut(begin, end, right, True, Place.BETWEEN, 0)


def _warmth(word: str) -> tuple[bool, int]:
    """Whether a whole word is warm, and how many cold words it takes along behind it."""
    if not word.isascii():
        word = fold(word).text.strip() or word
    label = _LABEL.search(word)
    if label is not None and label.group(1).lower() in LABEL_ENDS:
        return True, LABEL_ENDS[label.group(1).lower()]
    bare = word.strip(_EDGE).rstrip(".")
    lowered = bare.lower()
    opened = OPENERS.get(lowered)
    if opened is not None:
        return True, opened
    if _HOT.search(word):
        return True, 0
    return _JOINS.match(word) is not None or lowered in JOINERS, 0
