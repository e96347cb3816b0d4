from pathlib import Path

import pytest

from appliance import local_socket
from appliance.errors import ConfigurationError


def test_a_box_in_a_deep_folder_has_its_socket(tmp_path: Path) -> None:
    path = tmp_path / ("deep" * 40) / "run" / "admin.sock"
    path.parent.parent.mkdir()
    listener = local_socket.listen(path)
    with local_socket.connect(path) as asking:
        asking.sendall(b"x")
        answering, _ = listener.accept()
        assert answering.recv(1) == b"x"
        answering.close()
    listener.close()


def test_only_its_own_account_can_open_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "admin.sock"
    listener = local_socket.listen(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    listener.close()


def test_the_socket_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "run" / "admin.sock"
    living = local_socket.listen(path)
    living.listen()
    with pytest.raises(ConfigurationError, match="being served already"):
        local_socket.listen(path)
    local_socket.connect(path).close()
    living.close()


def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run" / "admin.sock"
    local_socket.listen(path).close()
    listener = local_socket.listen(path)
    with pytest.raises(ConfigurationError, match="being served already"):
        local_socket.listen(path)
    listener.close()
