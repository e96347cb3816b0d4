"""Speaks to a box that is being served, over its own Unix socket.

The socket is the system account's alone (0600), so no credential is sent. Commands that change a
box go this way, so that one process writes the log and every change takes effect at once.
"""

import http.client
from pathlib import Path
from typing import Literal

import msgspec

from appliance import local_socket
from appliance.errors import ApplianceError, ConfigurationError
from appliance.settings import load

_SECONDS = 120.0


class _Answer(msgspec.Struct):
    error: dict[str, object] | None = None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("box", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = local_socket.connect(self._path)
        self.sock.settimeout(_SECONDS)


def ask(
    config: Path, method: Literal["GET", "POST", "DELETE"], path: str, body: object = None
) -> dict[str, object]:
    """Send one request to the box of `config` and return its answer.

    Raises:
        ConfigurationError: the box is not being served.
        ApplianceError: it refused; the text is its own.
    """
    _, layout = load(config)
    connection = _UnixConnection(layout.socket)
    try:
        connection.request(method, path, None if body is None else msgspec.json.encode(body))
        response = connection.getresponse()
        content = response.read()
    except (FileNotFoundError, ConnectionRefusedError):
        raise ConfigurationError(
            f"the box is not being served; start it with `cloister serve --config {config}`"
        ) from None
    except OSError as error:
        raise ApplianceError(f"the box does not answer on {layout.socket}: {error}") from None
    finally:
        connection.close()
    if response.status >= 400:
        refusal = msgspec.json.decode(content, type=_Answer).error or {}
        raise ApplianceError(str(refusal.get("message", f"refused with {response.status}")))
    answer: dict[str, object] = msgspec.json.decode(content, type=dict[str, object])
    return answer
