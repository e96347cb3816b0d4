"""Checkpoints to the house's syslog (RFC 5424), through the local daemon's Unix socket.

The box itself opens no connection to anywhere: the daemon beside it forwards, over TLS (RFC 5425)
if the house wants that.
"""

import base64
import os
import socket
from pathlib import Path

from appliance.audit.checkpoint import parse_checkpoint
from appliance.audit.clock import format_utc
from appliance.audit.note import Note
from appliance.errors import UnavailableError

SOCKET = Path("/dev/log")
# Facility 13, log audit; severity 5, notice (RFC 5424 section 6.2.1).
_PRIORITY = 13 * 8 + 5
# "Example" enterprise number of RFC 5612: the house has none of its own.
_ENTERPRISE = 32473
_TIMEOUT_S = 5.0


def syslog_message(note: Note, now_ns: int) -> bytes:
    """A checkpoint as one RFC 5424 message; its structured data holds what verifies."""
    checkpoint = parse_checkpoint(note.text)
    root = base64.b64encode(checkpoint.root).decode()
    signature = base64.b64encode(note.signatures[0].key_id + note.signatures[0].signature).decode()
    values = {"origin": checkpoint.origin, "size": checkpoint.size, "root": root}
    data = " ".join(
        f'{name}="{_escape(str(value))}"'
        for name, value in {**values, "signature": signature}.items()
    )
    host = socket.gethostname() or "-"
    header = f"<{_PRIORITY}>1 {format_utc(now_ns)} {host} cloister {os.getpid()} checkpoint"
    return f"{header} [checkpoint@{_ENTERPRISE} {data}] {checkpoint.size} entries".encode()


def _escape(value: str) -> str:
    for char in '\\"]':
        value = value.replace(char, "\\" + char)
    return value


def send_to_syslog(note: Note, now_ns: int, path: Path = SOCKET) -> None:
    """Hand a checkpoint to the daemon that listens on `path`.

    A datagram says nothing of its arrival: count on it only as far as you trust the daemon.
    Raises UnavailableError if nobody listens.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_TIMEOUT_S)
            channel.connect(str(path))
            channel.send(syslog_message(note, now_ns))
    except OSError as error:
        raise UnavailableError(
            f"The checkpoint cannot be sent to syslog at {path}: {error.strerror}. Check that the "
            "syslog daemon runs."
        ) from error
