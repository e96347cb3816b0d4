"""What a detector found, and how overlapping finds become regions to act on. Pure.

`resolve` is deterministic and errs to the safe side: spans that touch the same characters become
one region that covers all of them, so that no detector's find is left half readable because
another one won.
"""

from collections.abc import Iterable

import msgspec


class Span(msgspec.Struct, frozen=True, order=False):
    """Characters `start` to `end` (code points, end exclusive) that hold a value of `type`."""

    start: int
    end: int
    type: str
    score: float
    """How sure, 0 to 1."""
    layer: str
    """`L1` patterns, `L2` fields, `L3` dictionaries, `L4` names."""
    rule: str
    """The rule that took it, as `policy explain` prints it."""


def _rank(span: Span) -> tuple[float, int, str, str]:
    """Sort key of the span that names a region: surest, then longest, then by name."""
    return (-span.score, span.start - span.end, span.type, span.rule)


def resolve(spans: Iterable[Span]) -> list[Span]:
    """Join overlapping spans into disjoint ones, in order of position.

    Each result covers its whole group and carries the type, score, layer and rule of the group's
    surest span (ties: the longest, then the alphabetically first type). Spans that only touch stay
    apart.
    """
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    joined: list[Span] = []
    group: list[Span] = []
    end = -1
    for span in ordered:
        if group and span.start >= end:
            joined.append(_join(group, end))
            group = []
        group.append(span)
        end = span.end if len(group) == 1 else max(end, span.end)
    if group:
        joined.append(_join(group, end))
    return joined


def _join(group: list[Span], end: int) -> Span:
    if len(group) == 1:
        return group[0]
    best = min(group, key=_rank)
    return Span(group[0].start, end, best.type, best.score, best.layer, best.rule)
