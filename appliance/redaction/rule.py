"""One pattern of L1: the look of a kind of identifier, its check, and what makes it believable."""

from collections.abc import Callable

import msgspec

from appliance.redaction.checks import Check


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A shape, a check and the words that explain it.

    `pattern` is RE2 over the detection copy; its first group, if it has one, is the value. A match
    counts with `score` by itself, with `cued` next to one of its cues, and with `alone` when the
    text is nothing but the value (a cell of a table, a field of a form). A score of 0 means: never.
    """

    name: str
    type: str
    pattern: str
    check: Check | None = None
    score: float = 0.3
    cued: float = 0.85
    groups: tuple[str, ...] = ()
    """Groups of `vocabulary.CUES` that explain it."""
    words: tuple[str, ...] = ()
    """Cues of its own."""
    countries: tuple[str, ...] = ()
    """ISO 3166 codes of the jurisdictions that use it; empty means everywhere."""
    loose: bool = False
    """May touch letters or digit groups on either side (the pattern says itself where it ends)."""
    trim: Callable[[str], int] | None = None
    """How much of a match is the value; 0 when nothing is."""
    needs: tuple[str, ...] = ()
    """Searched for anywhere in a block that holds one of these (in small letters). A rule without
    needs is tried where a word or number begins, together with all its like."""
    least: int = 1
    """How often the block must hold it."""
    alone: float | None = None
    """Score when the text is nothing but the value, where that is not `cued`."""


def rule(
    name: str,
    type: str,
    pattern: str,
    check: Check | None = None,
    score: float = 0.3,
    cues: str = "",
    *,
    words: str = "",
    at: str = "",
    cued: float = 0.85,
    loose: bool = False,
    needs: str = "",
    least: int = 1,
    trim: Callable[[str], int] | None = None,
    alone: float | None = None,
) -> Rule:
    """Write a rule on one line: `cues`, `needs`, `at` space-separated, `words` comma-separated."""
    return Rule(
        name=name,
        type=type,
        pattern=pattern,
        check=check,
        score=score,
        cued=max(cued, score),
        groups=tuple(cues.split()),
        words=tuple(w.strip() for w in words.split(",") if w.strip()),
        countries=tuple(at.split()),
        loose=loose,
        least=least,
        trim=trim,
        needs=tuple(needs.split()),
        alone=alone,
    )
