"""What every event type is built on."""

from typing import ClassVar

import msgspec

OK = "ok"
REFUSED = "refused"
FAILED = "failed"


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all; never logged itself."""

    action: ClassVar[str] = ""

    @property
    def subject(self) -> str:
        """What it was done to, `kind:id`; empty for the box as a whole."""
        return ""

    @property
    def outcome(self) -> str:
        """How it went."""
        return OK
