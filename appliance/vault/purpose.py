"""What a key is for. One key never serves two purposes."""

from enum import StrEnum


class Purpose(StrEnum):
    """The purposes. Values are stored in vault.json and bound into every ciphertext: only add."""

    DATABASE = "database"
    """The raw key of the database file."""
    CONTENT = "content"
    """Wraps the data subjects' own keys, under which prompts and answers lie."""
    MODELS = "models"
    """Wraps the keys of model files."""
    AUDIT_SIGNING = "audit-signing"
    """Wraps the log's signing keys."""
    PSEUDONYMS = "pseudonyms"
    """Makes pseudonyms that nobody outside can forge or guess."""
    API_KEYS = "api-keys"
    """Digests of API keys, so that the stored ones open nothing."""
    DIGESTS = "digests"
    """Keyed digests of prompts and answers in the log, so that short ones cannot be guessed."""
    BACKUPS = "backups"
    """Encrypts backups."""
