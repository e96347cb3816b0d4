"""All cue words at once: one Aho-Corasick pass over a window, whole words only."""

from collections.abc import Mapping

from ahocorasick_rs import AhoCorasick

Sighting = tuple[int, int]
"""Where a cue stands: start and end."""


class CueFinder:
    """Finds which groups of cues occur in a text, and where. Immutable; shared by all streams."""

    def __init__(self, groups: Mapping[str, tuple[str, ...]]) -> None:
        """`groups`: name → words and phrases, folded and lower-case."""
        by_word: dict[str, list[str]] = {}
        for group, words in groups.items():
            for word in words:
                by_word.setdefault(word, []).append(group)
        self._groups = [tuple(dict.fromkeys(names)) for names in by_word.values()]
        self._automaton = AhoCorasick(list(by_word)) if by_word else None

    def find(self, text: str) -> dict[str, list[Sighting]]:
        """Group → places, in order."""
        found: dict[str, list[Sighting]] = {}
        if self._automaton is None:
            return found
        lowered = text.lower()
        if len(lowered) != len(text):  # a letter whose small form is two: offsets must stay
            lowered = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
        size = len(lowered)
        for index, start, end in self._automaton.find_matches_as_indexes(lowered, overlapping=True):
            if start and _joined(lowered, start - 1, start):
                continue
            if end < size and _joined(lowered, end - 1, end):
                continue
            for group in self._groups[index]:
                found.setdefault(group, []).append((start, end))
        return found


def _joined(text: str, left: int, right: int) -> bool:
    """Whether two neighbouring characters belong to one word; scripts without spaces never do."""
    a, b = text[left], text[right]
    if not (a.isalpha() and b.isalpha()):
        return False
    return not (a > "\u0dff" or b > "\u0dff")
