"""One writer: a lock on a file, held for as long as the log is open."""

import fcntl
import os
from pathlib import Path

from appliance.errors import ConfigurationError, UnavailableError


class WriterLock:
    """Taken when made. The kernel gives it free when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError as error:
            raise ConfigurationError(
                f"There is no audit log in {path.parent}. Run 'cloister init' first."
            ) from error
        except OSError as error:
            raise UnavailableError(
                f"The audit log in {path.parent} cannot be opened for writing: {error.strerror}."
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._descriptor)
            raise UnavailableError(
                f"The audit log in {path.parent} is open in another process. Use the running "
                "service's API, or stop it first."
            ) from error

    def release(self) -> None:
        """Give the lock free."""
        os.close(self._descriptor)
