"""Against a machine that is simulated: a program that behaves as systemd-creds(1) does.

It binds a credential to a machine's secret, embeds the credential's name, and complains on stderr.
"""

import stat
import sys
from pathlib import Path

import pytest

from appliance.errors import IntegrityError, SealedError
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.host_credential import HostCredential
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault

PROGRAM = """#!{python}
import base64, os, sys
from cryptography.fernet import Fernet, InvalidToken
machine = Fernet(open({machine!r}, "rb").read())
verb, name, *rest = sys.argv[1:]
name = name.removeprefix("--name=").encode()
def read(path):
    return sys.stdin.buffer.read() if path == "-" else open(path, "rb").read()
if verb == "encrypt":
    sys.stdout.buffer.write(machine.encrypt(name + b":" + read(rest[1])))
else:
    try:
        found, _, secret = machine.decrypt(read(rest[0])).partition(b":")
    except InvalidToken:
        sys.exit("Decryption failed")
    if found != name:
        sys.exit("Embedded credential name does not match, refusing.")
    sys.stdout.buffer.write(secret)
"""


class Machine:
    """A machine with a secret that never leaves it."""

    def __init__(self, directory: Path) -> None:
        from cryptography.fernet import Fernet

        directory.mkdir()
        secret = directory / "machine.secret"
        secret.write_bytes(Fernet.generate_key())
        self.program = directory / "systemd-creds"
        self.program.write_text(PROGRAM.format(python=sys.executable, machine=str(secret)))
        self.program.chmod(0o700)


@pytest.fixture(autouse=True)
def _no_service_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def credential(machine: Machine, path: Path) -> HostCredential:
    return HostCredential(path, program=str(machine.program))


def test_the_machine_opens_the_vault_and_another_does_not(tmp_path: Path) -> None:
    ours, other = Machine(tmp_path / "ours"), Machine(tmp_path / "other")
    path = tmp_path / "unseal.cred"
    Vault.create(tmp_path / "keys", credential(ours, path))
    Vault.unseal(tmp_path / "keys", credential(ours, path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SealedError, match=r"another machine.*Decryption failed"):
        Vault.unseal(tmp_path / "keys", credential(other, path))


def test_the_machine_for_restarts_and_a_key_for_the_day_it_is_gone(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    path, safe = tmp_path / "unseal.cred", KeyFile(tmp_path / "safe.key")
    vault = Vault.create(tmp_path / "keys", safe)
    vault.add_way(safe, credential(machine, path))
    for way in (safe, credential(machine, path)):
        Vault.unseal(tmp_path / "keys", way)
    machine.program.unlink()
    with pytest.raises(SealedError, match="not on this machine"):
        Vault.unseal(tmp_path / "keys", credential(machine, path))
    Vault.unseal(tmp_path / "keys", safe)


def test_a_service_without_privileges_gets_the_key_from_its_manager(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(tmp_path / "machine")
    path = tmp_path / "unseal.cred"
    way = credential(machine, path)
    made = Vault.create(tmp_path / "keys", way)
    # As systemd does with LoadCredentialEncrypted=.
    handed = tmp_path / "credentials"
    handed.mkdir()
    secret = way.recover({})
    (handed / "cloister-unseal").write_bytes(bytes(secret.view))
    machine.program.unlink()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(handed))
    found = Vault.unseal(tmp_path / "keys", way)
    assert found.key(Purpose.DATABASE) == made.key(Purpose.DATABASE)


def test_a_service_with_other_credentials_asks_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = credential(Machine(tmp_path / "machine"), tmp_path / "unseal.cred")
    made = Vault.create(tmp_path / "keys", way)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    found = Vault.unseal(tmp_path / "keys", way)
    assert found.key(Purpose.DATABASE) == made.key(Purpose.DATABASE)


def test_what_is_no_key_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cloister-unseal").write_bytes(b"short")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(IntegrityError, match="not a key"):
        HostCredential(tmp_path / "x").recover({})


def test_an_existing_credential_is_not_overwritten(tmp_path: Path) -> None:
    way = credential(Machine(tmp_path / "machine"), tmp_path / "unseal.cred")
    way.enrol()
    before = (tmp_path / "unseal.cred").read_bytes()
    with pytest.raises(SealedError, match="not overwritten"):
        way.enrol()
    assert (tmp_path / "unseal.cred").read_bytes() == before


def test_a_machine_that_encrypts_nothing_leaves_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "machine")
    machine.program.write_text("#!/bin/sh\necho no TPM here >&2\nexit 1\n")
    with pytest.raises(SealedError, match="no TPM here"):
        credential(machine, tmp_path / "unseal.cred").enrol()
    assert not (tmp_path / "unseal.cred").exists()


def test_the_key_is_never_an_argument(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    machine = Machine(tmp_path / "machine")
    real = machine.program.rename(machine.program.with_name("real"))
    machine.program.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nenv >> {seen}\nexec {real} "$@"\n')
    machine.program.chmod(0o700)
    way = credential(machine, tmp_path / "unseal.cred")
    _, secret = way.enrol()
    way.recover({})
    content = seen.read_bytes()
    assert b"encrypt" in content
    assert b"decrypt" in content
    assert bytes(secret.view) not in content
    assert secret.view.hex().encode() not in content
