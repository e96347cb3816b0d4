"""What an attacker finds who reads a whole process: its memory, its environment, its command line.

The process under attack is a child; the test, which knows the secrets, reads all of its memory.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.vault import changes, custody
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault

CHILD = """
import gc, sys
from pathlib import Path
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.vault import Vault

def say(word):
    sys.stdout.write(word + "\\n")
    sys.stdout.flush()
    sys.stdin.readline()

directory = Path(sys.argv[1])
vault = Vault.unseal(directory, KeyFile(directory / "unseal.key"))
for purpose in Purpose:
    vault.derive(purpose, b"info")
    vault.unwrap(purpose, "a", vault.wrap(purpose, "a", b"secret"))
gc.collect()
say("open")
vault.rotate(Purpose.MODELS, KeyFile(directory / "unseal.key"))
gc.collect()
say("rotated")
vault.seal()
gc.collect()
say("sealed")
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    Vault.create(tmp_path / "keys", KeyFile(tmp_path / "keys" / "unseal.key")).seal()
    return tmp_path / "keys"


@contextmanager
def child(directory: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.communicate("", timeout=30)


def reach(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    if word != "open":
        process.stdin.write("\n")
        process.stdin.flush()
    assert process.stdout.readline().strip() == word


def memory(process: subprocess.Popen[str]) -> Iterator[bytes]:
    """Yield every writable mapping of a process (proc(5): maps, mem)."""
    with open(f"/proc/{process.pid}/mem", "rb", buffering=0) as source:
        for line in Path(f"/proc/{process.pid}/maps").read_text().splitlines():
            span, permissions = line.split()[:2]
            if not permissions.startswith("rw") or "[v" in line:
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            source.seek(start)
            yield source.read(end - start)


def copies(process: subprocess.Popen[str], secrets: dict[str, bytes]) -> dict[str, int]:
    found = dict.fromkeys(secrets, 0)
    for area in memory(process):
        for name, secret in secrets.items():
            found[name] += area.count(secret) + area.count(secret.hex().encode())
    return found


def secrets_of(directory: Path) -> dict[str, bytes]:
    opener = KeyFile(directory / "unseal.key")
    unseal_key = opener.recover({})
    with custody.opened(directory, opener) as (found, root):
        secrets = {"root key": bytes(root.view), "unseal key": bytes(unseal_key.view)}
        for (purpose, version), secret in changes.secrets_of(found, root).items():
            secrets[f"{purpose.value} {version}"] = bytes(secret.view)
    return secrets


def test_an_open_vault_holds_each_secret_once_and_a_sealed_one_none(directory: Path) -> None:
    secrets = secrets_of(directory)
    purposes = {f"{purpose.value} 1" for purpose in Purpose}
    with child(directory) as process:
        reach(process, "open")
        assert copies(process, secrets) == {name: int(name in purposes) for name in secrets}
        reach(process, "rotated")
        later = secrets | secrets_of(directory)
        purposes.add("models 2")
        assert copies(process, later) == {name: int(name in purposes) for name in later}
        reach(process, "sealed")
        assert set(copies(process, later).values()) == {0}


def test_no_secret_is_in_the_environment_or_on_the_command_line(directory: Path) -> None:
    secrets = secrets_of(directory)
    with child(directory) as process:
        reach(process, "open")
        for name in ("environ", "cmdline"):
            content = Path(f"/proc/{process.pid}/{name}").read_bytes()
            for secret in secrets.values():
                assert secret not in content
                assert secret.hex().encode() not in content


def test_the_search_itself_finds_what_is_there(directory: Path) -> None:
    with child(directory) as process:
        reach(process, "open")
        assert copies(process, {"marker": b"import gc, sys\nfrom pathlib"})["marker"] > 0
