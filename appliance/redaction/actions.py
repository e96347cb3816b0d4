"""What is done with a value that was found: the text that stands in its place.

`replace` is the default: `[TYPE]`. `mask` keeps the last four characters of a long value. `hash`
writes a keyed digest, so that equal values can be told to be equal by someone without the key.
`generalise` keeps what HIPAA §164.514(b)(2) allows: the year of a date, the first three digits
of an American post code, "90 or over" for an age; other values are replaced. `block` abandons
the text. `allow` leaves the value: the type is then not looked at.
"""

import hmac
import re
from enum import StrEnum
from hashlib import sha256

_YEAR = re.compile(r"(?<!\d)(1[89]\d{2}|20\d{2})(?!\d)")
_RESTRICTED_ZIP = frozenset(
    [
        "036",
        "059",
        "063",
        "102",
        "203",
        "556",
        "692",
        "790",
        "821",
        "823",
        "830",
        "831",
        "878",
        "879",
        "884",
        "890",
        "893",
    ]
)
"""Areas of 20,000 people or fewer (Census 2000; OCR guidance of 2012 on §164.514(b))."""
_TO_LETTERS = str.maketrans("0123456789", "ghijklmnop")


class Action(StrEnum):
    """What a policy can have done with a value."""

    ALLOW = "allow"
    REPLACE = "replace"
    MASK = "mask"
    HASH = "hash"
    GENERALISE = "generalise"
    BLOCK = "block"


def placeholder(type: str) -> str:
    """What stands for a value of `type`."""
    return f"[{type}]"


def render(action: Action, type: str, value: str, key: bytes) -> str:
    """The text in place of `value`. `key` is used by `hash` alone and must not be empty there."""
    if action is Action.MASK:
        return _mask(value)
    if action is Action.HASH:
        return f"[{type}:{digest(key, type, value)}]"
    if action is Action.GENERALISE:
        return _generalise(type, value)
    return placeholder(type)


def digest(key: bytes, type: str, value: str) -> str:
    """Ten letters of HMAC-SHA256 over the value: the same however it was spaced."""
    plain = "".join(c for c in value if c.isalnum()).lower()
    mac = hmac.new(key, f"{type}\0{plain}".encode(), sha256).hexdigest()
    return mac[:10].translate(_TO_LETTERS)


def _mask(value: str) -> str:
    shown = 4 if sum(c.isalnum() for c in value) >= 8 else 0
    out: list[str] = []
    for c in reversed(value):
        if c.isalnum() and shown:
            out.append(c)
            shown -= 1
        else:
            out.append("*" if not c.isspace() and c not in "-./" else c)
    return "".join(reversed(out))


def _generalise(type: str, value: str) -> str:
    if type in ("DATE_OF_BIRTH", "DATE_TIME"):
        year = _YEAR.search(value)
        return year.group() if year else placeholder(type)
    if type == "AGE":
        digits = "".join(c for c in value if c.isdigit())
        return "90 or over" if digits and int(digits) > 89 else value
    if type == "ZIP_CODE":
        digits = "".join(c for c in value if c.isdigit())
        if len(digits) in (5, 9):
            return ("000" if digits[:3] in _RESTRICTED_ZIP else digits[:3]) + "**"
    return placeholder(type)
