"""L1: RE2 patterns, their check digits, and the cues that make a weak one believable.

Most rules describe something that begins where a word or a number begins. One RE2 set, anchored,
is asked at each such place which of them can match there; only those are then matched one by one.
The others name what a block must hold (`Rule.needs`) and are searched for in blocks that hold it.
Either way the work is linear in the block, and a refused match hides no other: every place is
tried.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping

import re2
from ahocorasick_rs import AhoCorasick

from appliance.redaction.rule import Rule
from appliance.redaction.spans import Span
from appliance.redaction.vocabulary import plain
from appliance.redaction.window import Window

_REACH = 112
"""Longest value of an anchored rule, in characters, with room to see that it ends."""
_SET_MEMORY = 64 << 20
"""For the set's automaton. Too little would make it match nothing, so the constructor tries it."""

_RUN = re.compile(r"[^\W_]+")
_GLUED = re.compile(r"(?<=[a-z])[0-9]")
_GOES_ON = re.compile(r"[ .,\-]{0,2}[0-9]|[:.\-][0-9a-fA-F]{2}")
_CAPITALS_GO_ON = re.compile(r"[ .\-][A-Z]{0,4}[ \-]?[0-9]")
_NUMBER_GOES_ON = re.compile(r"[ .,:/\-]{1,2}[0-9A-Za-z]")


def _places(window: Window) -> tuple[list[int], list[int]]:
    """Where sure, and where unsure rules are tried.

    An ordinary word begins nothing unless a number goes with it. A word in capitals can be a code
    by itself, and a small number a value, but only where a cue says so.
    """
    text = window.text
    sure: list[int] = []
    unsure: list[int] = []
    for run in _RUN.finditer(text, window.begin, window.end):
        start, stop = run.span()
        if start == window.begin and start and text[start - 1].isalnum():
            continue
        word = run.group()
        if word.isalpha():
            capitals = word.isupper()
            if _GOES_ON.match(text, stop) or (capitals and _CAPITALS_GO_ON.match(text, stop)):
                sure.append(start)
                unsure.append(start)
            elif capitals:
                unsure.append(start)
                if len(word) > 7:
                    sure.append(start)
            continue
        unsure.append(start)
        if stop - start > 3 or not word.isdigit() or _NUMBER_GOES_ON.match(text, stop):
            sure.append(start)
        if not word.isdigit():
            glued = [found.start() for found in _GLUED.finditer(text, start + 1, stop)]
            sure.extend(glued)
            unsure.extend(glued)
    return sure, unsure


_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{2,4}[:.\-][0-9A-Fa-f]{2,4}[:.\-]")
"""A hardware address may hold no digit."""


class _StartSet:
    """Rules that are tried together where a word or number begins."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)
        options = re2.Options()
        options.max_mem = _SET_MEMORY
        compiled = re2.Set.MatchSet(options)
        for rule in self.rules:
            compiled.Add(rule.pattern)
        canary = compiled.Add("canary")
        compiled.Compile()
        if canary not in (compiled.Match("canary") or ()):
            raise ValueError("the patterns do not fit into the memory of their automaton")
        self.match = compiled.Match


class PatternDetector:
    """Applies `rules` to windows; finds below `floor` are not reported."""

    def __init__(self, rules: Iterable[Rule], floor: float = 0.5) -> None:
        rules = tuple(rules)
        self._floor = floor
        anchored = [rule for rule in rules if not rule.needs]
        self._sure = _StartSet(rule for rule in anchored if rule.score >= floor)
        self._unsure = _StartSet(rule for rule in anchored if rule.score < floor)
        """Rules that need a cue, or a text that is nothing but the value."""
        self._compiled = {rule.name: re2.compile(rule.pattern) for rule in rules}
        self._groups = {rule.name: (*rule.groups, f"rule:{rule.name}") for rule in rules}
        by_need: dict[str, list[Rule]] = {}
        for rule in rules:
            for need in rule.needs:
                by_need.setdefault(need, []).append(rule)
        self._by_need = by_need
        self._needs = AhoCorasick(list(by_need)).find_matches_as_strings if by_need else None
        self._explained = {name for groups in self._groups.values() for name in groups}

    @staticmethod
    def cues(rules: Iterable[Rule]) -> Mapping[str, tuple[str, ...]]:
        """The cue groups that `rules` bring along themselves, for the `CueFinder`."""
        return {
            f"rule:{rule.name}": tuple(form for word in rule.words for form in plain(word))
            for rule in rules
            if rule.words
        }

    def find(self, window: Window) -> list[Span]:
        """Finds of every rule, in offsets of `window.raw`."""
        spans: list[Span] = []
        explained = not self._explained.isdisjoint(window.sightings.groups)
        numbers = window.digits or _HEXADECIMAL.search(window.text, window.begin)
        if numbers or explained:
            sure, unsure = _places(window)
            if numbers:
                self._match_at(sure, self._sure, window, spans)
            if explained or window.alone:
                self._match_at(unsure, self._unsure, window, spans)
        if self._needs is not None:
            block = window.text[max(0, window.begin - 1) :].lower()
            tried: set[str] = set()
            for need, times in Counter(self._needs(block, overlapping=True)).items():
                for rule in self._by_need[need]:
                    if times >= rule.least and rule.name not in tried:
                        tried.add(rule.name)
                        self._search(rule, window, spans)
        return spans

    def _match_at(
        self, places: list[int], rules: _StartSet, window: Window, out: list[Span]
    ) -> None:
        haystack, match_set = window.haystack, rules.match
        sighted = window.sightings.groups
        eligible: dict[int, bool] = {len(rules.rules): False}
        for place in places:
            for index in match_set(haystack[place : place + _REACH]) or ():
                wanted = eligible.get(index)
                if wanted is None:
                    rule = rules.rules[index]
                    wanted = eligible[index] = (
                        rule.score >= self._floor
                        or window.alone
                        or any(group in sighted for group in self._groups[rule.name])
                    )
                if wanted:
                    self._match(rules.rules[index], window, place, out)

    def _match(self, rule: Rule, window: Window, place: int, out: list[Span]) -> None:
        pattern = self._compiled[rule.name]
        match = pattern.match(window.haystack, place, min(len(window.text), place + _REACH))
        if match is None:
            return
        start, end = _extent(match, pattern.groups)
        if rule.trim is not None:
            end = start + rule.trim(window.text[start:end])
        score = self._judge(rule, window, start, end) if start < end else 0.0
        if score:
            out.append(window.span(start, end, rule.type, score, "L1", rule.name))

    def _search(self, rule: Rule, window: Window, out: list[Span]) -> None:
        pattern = self._compiled[rule.name]
        position = max(0, window.begin - 1)
        for match in pattern.finditer(window.haystack, position):
            start, end = _extent(match, pattern.groups)
            if start >= window.end:
                return
            if start >= window.begin:
                score = self._judge(rule, window, start, end)
                if score:
                    out.append(window.span(start, end, rule.type, score, "L1", rule.name))

    def _judge(self, rule: Rule, window: Window, start: int, end: int) -> float:
        """The score of a match; 0 when below the floor, part of another word, or refused."""
        if not rule.loose and not window.free(start, end):
            return 0.0
        score = rule.score
        if rule.cued > score and window.cued(self._groups[rule.name], start, end, tight=not score):
            score = rule.cued
        elif window.only(start, end):
            score = max(score, rule.cued if rule.alone is None else rule.alone)
        if score < self._floor:
            return 0.0
        if rule.check is not None and not rule.check(window.text[start:end]):
            return 0.0
        return score


def _extent(match: "re2._Match", groups: int) -> tuple[int, int]:
    start, end = match.span(1 if groups else 0)
    if start < 0:
        start, end = match.span()
    return int(start), int(end)
