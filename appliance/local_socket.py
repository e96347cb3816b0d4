"""The box's own Unix socket: only its system account can open it.

A socket's address holds 107 bytes at most (unix(7)), and a box may lie deeper than that. So the
folder is opened first and the socket addressed below that descriptor.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.errors import ConfigurationError


def listen(path: Path) -> socket.socket:
    """Open the socket with mode 0600; one that a dead server left is replaced.

    Raises:
        ConfigurationError: a living server has it.
    """
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        connect(path).close()
    except (FileNotFoundError, ConnectionRefusedError):
        path.unlink(missing_ok=True)
    else:
        raise ConfigurationError("this box is being served already; stop that server first")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _address(path) as address:
        listener.bind(address)
    path.chmod(0o600)
    # At once, so that whoever asks in between waits instead of taking the server for dead.
    listener.listen()
    return listener


def connect(path: Path) -> socket.socket:
    """Connect to a served box.

    Raises:
        FileNotFoundError, ConnectionRefusedError: it is not being served.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


@contextmanager
def _address(path: Path) -> Iterator[str]:
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
