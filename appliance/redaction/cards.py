"""Payment card numbers (PAN): ISO/IEC 7812 issuer ranges and Luhn, however the digits are spaced.

A number is looked for in runs of digit groups. It is believed where the groups are those that
people write (one block, 4-4-4-4, 4-6-5, all groups of one size, single spaced-out digits), and
in any grouping next to a word such as "card".
"""

import re
from functools import cache

from appliance.redaction.spans import Span
from appliance.redaction.window import Window

_GROUP = re.compile(r"[0-9]+")
_GAP = re.compile(r"(?:[\s.\-_/*,:|~`'\"+]|</?[a-z]{1,6}>){1,6}")
_TIDY = frozenset(
    {
        (4, 4, 4, 4),
        (4, 6, 5),
        (4, 6, 4),
        (4, 4, 4, 4, 3),
        (4, 4, 4, 1),
        (4, 5, 6),
        (8, 8),
        (6, 13),
        (4, 4, 5),
        (4, 4, 4, 3),
    }
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


@cache
def lengths(lead: str) -> tuple[int, ...]:
    """How many digits a PAN that begins with the four digits `lead` can have; none: no issuer."""
    four = int(lead)
    two, first = four // 100, lead[0]
    if first == "4":
        return (13, 16, 19)
    if two in (34, 37):
        return (15,)
    if two in (30, 36, 38, 39):
        return (14, 15, 16, 17, 18, 19)
    if two == 35:
        return (16, 17, 18, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return (16,)
    if four in (1800, 2131) or first == "1":
        return (15,)
    if two in (81, 82) or four == 9792:
        return (16,)
    if first == "6" or two in (50, 56, 57, 58):
        return (12, 13, 14, 15, 16, 17, 18, 19)
    return ()


class CardDetector:
    """Finds card numbers."""

    def find(self, window: Window) -> list[Span]:
        """Card numbers in the window."""
        if window.digits < 12:
            return []
        text = window.text
        spans: list[Span] = []
        run: list[tuple[int, int]] = []
        for match in _GROUP.finditer(text, window.begin):
            if run:
                gap = text[run[-1][1] : match.start()]
                if len(gap) > 12 or _GAP.fullmatch(gap) is None:
                    self._search(run, window, spans)
                    run = []
            run.append(match.span())
        self._search(run, window, spans)
        return spans

    def _search(self, run: list[tuple[int, int]], window: Window, out: list[Span]) -> None:
        text = window.text
        digits = "".join(text[start:end] for start, end in run)
        if len(digits) < 12:
            return
        ends: dict[int, int] = {}
        begins: list[int] = []
        seen = 0
        for number, (start, end) in enumerate(run):
            begins.append(seen)
            seen += end - start
            ends[seen] = number
        sums = _luhn_sums(digits)
        first = 0
        while first < len(run) and run[first][0] < window.end:
            begin = begins[first]
            lead = digits[begin : begin + 4]
            following = first + 1
            for length in lengths(lead) if len(lead) == 4 else ():
                last = ends.get(begin + length)
                if last is None or not _luhn(sums, begin, begin + length):
                    continue
                score = self._judge(run, first, last, length, window)
                if score and len(set(digits[begin : begin + length])) > 1:
                    start, end = run[first][0], run[last][1]
                    out.append(window.span(start, end, "CREDIT_CARD", score, "L1", "pan"))
                    following = last + 1
            first = following

    def _judge(
        self, run: list[tuple[int, int]], first: int, last: int, count: int, window: Window
    ) -> float:
        text = window.text
        start, end = run[first][0], run[last][1]
        if start and text[start - 1].isalpha() and text[start - 1].isupper():
            return 0.0
        if end < len(text) and text[end].isalpha() and text[end].isupper():
            return 0.0
        cued = window.cued(("card", "cvv"), start, end, tight=False)
        if last - first > 4 and not cued:
            # Of so many groups only evenly spaced ones are believed, and only a whole row of them.
            size = run[first][1] - start
            around = (run[i] for i in (first - 1, last + 1) if 0 <= i < len(run))
            if any(e - s == size for s, e in around):
                return 0.0
        sizes = tuple(e - s for s, e in run[first : last + 1])
        if len(sizes) == 1:
            return 0.95 if count >= 14 or cued or window.only(start, end) else 0.45
        gaps = {text[run[i][1] : run[i + 1][0]] for i in range(first, last)}
        gaps = {gap[0] if gap[0] in "<*`" else gap for gap in gaps}
        if sizes in _TIDY and (len(gaps) <= 2 or cued):
            return 0.9
        even = len(gaps) == 1
        if even and count == 16 and not any(size % 4 for size in sizes):
            return 0.9
        if even and count >= 14 and len(set(sizes)) == 1:
            # Evenly spaced digits are a number of their own only if the row ends with them.
            around = (run[i] for i in (first - 1, last + 1) if 0 <= i < len(run))
            if all(e - s != sizes[0] for s, e in around):
                return 0.9
        return 0.8 if cued else 0.0


_Sums = tuple[list[int], list[int]]
"""Running Luhn sums: with every odd, and with every even place doubled."""


def _luhn_sums(digits: str) -> _Sums:
    plain, other = [0], [0]
    a = b = 0
    for place, c in enumerate(digits):
        single, double = ord(c) - 48, _DOUBLED[ord(c) - 48]
        if place % 2:
            single, double = double, single
        a += single
        b += double
        plain.append(a)
        other.append(b)
    return plain, other


def _luhn(sums: _Sums, begin: int, end: int) -> bool:
    """ISO/IEC 7812-1 Annex B over digits [begin, end), in constant time."""
    running = sums[(end - 1) % 2]
    return (running[end] - running[begin]) % 10 == 0
