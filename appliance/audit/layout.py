"""Where the parts of a log lie under its directory."""

from pathlib import Path

import msgspec


class Layout(msgspec.Struct, frozen=True):
    """Paths under `root`, the box's `audit` directory."""

    root: Path

    @property
    def log(self) -> Path:
        """What is verified: `checkpoint` and `tile/` (C2SP tlog-tiles)."""
        return self.root / "log"

    @property
    def vkey(self) -> Path:
        """The first verifier key."""
        return self.root / "log.vkey"

    @property
    def journal(self) -> Path:
        """Segments of the journal."""
        return self.root / "journal"

    @property
    def staging(self) -> Path:
        """Where files are written before they are renamed into place."""
        return self.root / "staging"

    @property
    def lock(self) -> Path:
        """Locked by the one process that writes."""
        return self.root / "lock"
