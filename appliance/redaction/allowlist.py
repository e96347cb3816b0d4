"""Values that a policy says are not personal data here: a switchboard, a public address."""

from collections.abc import Iterable

import re2

from appliance.redaction.fold import fold


def _plain(value: str) -> str:
    return " ".join(fold(value).text.lower().split())


class AllowList:
    """Terms and patterns, compared with a whole found value. Terms ignore case and spacing."""

    def __init__(
        self, entries: Iterable[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = ()
    ) -> None:
        """`entries`: (terms, RE2 patterns, types); no types means any type."""
        self._entries = [
            (frozenset(map(_plain, terms)), [re2.compile(p) for p in patterns], frozenset(types))
            for terms, patterns, types in entries
        ]

    def allows(self, type: str, value: str) -> bool:
        """Whether `value`, found as `type`, is to be left alone."""
        for terms, patterns, types in self._entries:
            if types and type not in types:
                continue
            if terms and _plain(value) in terms:
                return True
            if any(pattern.fullmatch(value) is not None for pattern in patterns):
                return True
        return False

    def __bool__(self) -> bool:
        return bool(self._entries)
