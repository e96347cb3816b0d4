"""All cue words and field labels at once: one Aho-Corasick pass over a window, whole words only."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick


class Sightings(NamedTuple):
    """What stands where in a window's text."""

    groups: dict[str, list[tuple[int, int]]]
    """Group of cues → places (start, end), in order."""
    labels: dict[int, tuple[int, str]]
    """End of a field label → its start and phrase; the longest where several end."""


class CueFinder:
    """Finds which groups of cues and which labels occur in a text. Immutable and shared."""

    def __init__(self, groups: Mapping[str, tuple[str, ...]], labels: Iterable[str] = ()) -> None:
        """`groups`: name → words and phrases; all are folded and in small letters."""
        by_word: dict[str, list[str]] = {label: [] for label in labels}
        self._is_label = frozenset(by_word)
        for group, words in groups.items():
            for word in words:
                by_word.setdefault(word, []).append(group)
        self._words = list(by_word)
        self._groups = [tuple(dict.fromkeys(names)) for names in by_word.values()]
        self._automaton = AhoCorasick(self._words) if by_word else None

    def find(self, text: str) -> Sightings:
        """Every cue and label in `text`."""
        groups: dict[str, list[tuple[int, int]]] = {}
        labels: dict[int, tuple[int, str]] = {}
        if self._automaton is None:
            return Sightings(groups, labels)
        lowered = text.lower()
        if len(lowered) != len(text):  # a letter whose small form is two: offsets must stay
            lowered = "".join(c if len(c.lower()) != 1 else c.lower() for c in text)
        size = len(lowered)
        for index, start, end in self._automaton.find_matches_as_indexes(lowered, overlapping=True):
            if start and _joined(lowered[start - 1], lowered[start]):
                continue
            if end < size and _joined(lowered[end - 1], lowered[end]):
                continue
            for group in self._groups[index]:
                groups.setdefault(group, []).append((start, end))
            word = self._words[index]
            if word in self._is_label:
                known = labels.get(end)
                if known is None or start < known[0]:
                    labels[end] = (start, word)
        return Sightings(groups, labels)


def _joined(a: str, b: str) -> bool:
    """Whether two neighbours belong to one word; scripts without spaces never do."""
    return a.isalpha() and b.isalpha() and a <= "\u0dff" and b <= "\u0dff"
