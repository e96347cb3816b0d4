"""Payment card numbers (PAN): ISO/IEC 7812 issuer ranges and Luhn, however the digits are spaced.

A number is looked for in runs of digit groups. It is believed where the groups are those that
people write (one block, 4-4-4-4, 4-6-5, all groups of one size, single spaced-out digits), and
in any grouping next to a word such as "card".
"""

import re

from appliance.redaction.checks import luhn
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
_LONGEST = 19


def issuer(digits: str) -> bool:
    """Whether a PAN of this length begins in a range that issuers use."""
    size = len(digits)
    two, four = int(digits[:2]), int(digits[:4])
    first = digits[0]
    if first == "4":
        return size in (13, 16, 19)
    if two in (34, 37):
        return size == 15
    if two in (30, 36, 38, 39):
        return 14 <= size <= 19
    if two == 35:
        return 16 <= size <= 19
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return size == 16
    if four in (1800, 2131):
        return size == 15
    if first == "1":
        return size == 15
    if two in (81, 82) or four == 9792:
        return size == 16
    return (first == "6" or two in (50, 56, 57, 58)) and 12 <= size <= 19


class CardDetector:
    """Finds card numbers."""

    def find(self, window: Window) -> list[Span]:
        """Card numbers in the window."""
        text = window.text
        if window.digits < 12:
            return []
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
        if sum(end - start for start, end in run) < 12:
            return
        text = window.text
        first = 0
        while first < len(run) and run[first][0] < window.end:
            found = 0
            digits = ""
            for last in range(first, len(run)):
                digits += text[run[last][0] : run[last][1]]
                if len(digits) > _LONGEST:
                    break
                if len(digits) >= 12:
                    score = self._judge(run, first, last, digits, window)
                    if score:
                        start, end = run[first][0], run[last][1]
                        out.append(window.span(start, end, "CREDIT_CARD", score, "L1", "pan"))
                        found = last + 1 - first
            first += found or 1

    def _judge(
        self, run: list[tuple[int, int]], first: int, last: int, digits: str, window: Window
    ) -> float:
        if not issuer(digits) or not luhn(digits):
            return 0.0
        text = window.text
        start, end = run[first][0], run[last][1]
        if start and text[start - 1].isalpha() and text[start - 1].isupper():
            return 0.0
        if end < len(text) and text[end].isalpha() and text[end].isupper():
            return 0.0
        cued = window.cued(("card", "cvv"), start, end, tight=False)
        sizes = tuple(e - s for s, e in run[first : last + 1])
        if len(sizes) == 1:
            return 0.95 if len(digits) >= 14 or cued or window.only(start, end) else 0.45
        gaps = {text[run[i][1] : run[i + 1][0]] for i in range(first, last)}
        gaps = {gap[0] if gap[0] in "<*`" else gap for gap in gaps}
        tidy = sizes in _TIDY and (len(gaps) <= 2 or cued)
        if len(digits) == 16 and not any(size % 4 for size in sizes) and len(gaps) == 1:
            tidy = True
        if not tidy and len(set(sizes)) == 1 and len(gaps) == 1:
            # Evenly spaced digits are a number of their own only if the row ends with them.
            around = [run[i][1] - run[i][0] for i in (first - 1, last + 1) if 0 <= i < len(run)]
            tidy = sizes[0] not in around and len(digits) >= 14
        if tidy:
            return 0.9
        return 0.8 if cued else 0.0
