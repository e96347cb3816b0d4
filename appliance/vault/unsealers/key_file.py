"""Unsealing by a key file: 32 random bytes in hex, readable by their owner alone.

It protects against a stolen disk only if it lies on another one. For demos it lies in the box, and
`cloister doctor` says so.

The file is one line, `cloister-unseal-key-1:` and 64 hex digits.
"""

import os
import stat
from pathlib import Path
from typing import Final

from appliance.errors import IntegrityError, SealedError
from appliance.vault.document import SECRET_SIZE, Parameters
from appliance.vault.durable import write_file
from appliance.vault.secret import Secret

_PREFIX: Final = b"cloister-unseal-key-1:"
_LENGTH: Final = len(_PREFIX) + 2 * SECRET_SIZE + 1


class KeyFile:
    """A key file at a path."""

    kind: Final = "key-file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def enrol(self) -> tuple[Parameters, Secret]:
        """Create the file, which must not exist: an existing one may open another vault."""
        secret = Secret.random(SECRET_SIZE)
        try:
            content = _PREFIX + secret.view.hex().encode() + b"\n"
            write_file(self._path, content, replace=False)
        except FileExistsError:
            secret.wipe()
            raise SealedError(
                f"{self._path} exists already and is not overwritten; choose another path, or "
                "remove it if no vault needs it"
            ) from None
        except OSError as error:
            secret.wipe()
            raise SealedError(
                f"the key file {self._path} cannot be written: {error.strerror}"
            ) from None
        return {}, secret

    def recover(self, parameters: Parameters) -> Secret:
        """Read the file. Raises `SealedError` if it is not there or others may read it."""
        content = self._read()
        if len(content) != _LENGTH or not content.startswith(_PREFIX):
            raise IntegrityError(f"{self._path} is not a key file of cloister")
        try:
            secret = bytearray.fromhex(content[len(_PREFIX) : -1].decode("ascii"))
        except ValueError:
            raise IntegrityError(f"{self._path} is not a key file of cloister") from None
        finally:
            content[:] = bytes(len(content))
        return Secret.copied(secret)

    def _read(self) -> bytearray:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise SealedError(
                f"the key file {self._path} is not there; mount the medium that holds it, or "
                "unseal another way"
            ) from None
        except OSError as error:
            raise SealedError(
                f"the key file {self._path} cannot be read: {error.strerror}"
            ) from None
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise SealedError(f"{self._path} is not a regular file")
            if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SealedError(
                    f"others than its owner may read the key file {self._path}; treat it as "
                    f"known, or run: chmod 600 {self._path}"
                )
            content = bytearray(_LENGTH + 1)
            return content[: os.preadv(descriptor, [content], 0)]
        finally:
            os.close(descriptor)
