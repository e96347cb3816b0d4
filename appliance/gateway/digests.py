"""Digests that the log may hold: of content keyed, of settings plain.

A digest of a prompt lets someone who has the text prove that it was this one. It is keyed, so that
someone who has only the log cannot try likely texts.
"""

import hashlib
import hmac

import msgspec


class Digests:
    """Makes keyed digests; the key is the vault's, for this purpose alone."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, content: bytes) -> str:
        """Digest a whole content."""
        return "hmac-sha256:" + hmac.digest(self._key, content, "sha256").hex()

    def running(self) -> "RunningDigest":
        """Begin a digest of content that comes in pieces."""
        return RunningDigest(self._key)


class RunningDigest:
    """A keyed digest of all text given so far."""

    def __init__(self, key: bytes) -> None:
        self._mac = hmac.new(key, digestmod="sha256")

    def update(self, text: str) -> None:
        """Take the next piece."""
        self._mac.update(text.encode())

    def text(self) -> str:
        """Return the digest as the log writes it."""
        return "hmac-sha256:" + self._mac.hexdigest()


def plain_digest(settings: msgspec.Struct) -> str:
    """Digest of a struct that holds nobody's content, such as sampling parameters."""
    return "sha256:" + hashlib.sha256(msgspec.json.encode(settings)).hexdigest()
