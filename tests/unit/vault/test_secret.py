import gc
import mmap
import os
import pickle
import re
from pathlib import Path

import pytest

from appliance.vault.secret import Secret


def address(secret: Secret) -> int:
    import ctypes

    return ctypes.addressof(ctypes.c_char.from_buffer(secret.view))


def flags(secret: Secret) -> set[str]:
    """Return the kernel's flags of the mapping that holds the secret (proc(5), smaps)."""
    start = address(secret)
    inside = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(found[1], 16) <= start < int(found[2], 16)
        if inside and line.startswith("VmFlags:"):
            return set(line.split()[1:])
    raise AssertionError("the secret's memory is in no mapping")


def test_it_holds_what_was_put_in() -> None:
    full, empty = Secret.copied(b"abc"), Secret(32)
    assert full.view == b"abc"
    assert empty.view == bytes(32)


def test_a_forgotten_one_is_wiped_even_while_its_view_is_about() -> None:
    view = Secret.copied(b"abc").view
    with pytest.raises(ValueError, match="released"):
        bytes(view)


def test_random_ones_are_random() -> None:
    secrets = [Secret.random(32) for _ in range(50)]
    assert len({bytes(secret.view) for secret in secrets}) == 50


def test_the_kernel_neither_dumps_nor_forks_it() -> None:
    secret = Secret.random(32)
    found = flags(secret)
    assert "dd" in found
    assert "wf" in found
    assert ("lo" in found) == secret.locked


def test_a_forked_process_finds_zeros() -> None:
    secret = Secret.random(32)
    child = os.fork()
    if child == 0:
        os._exit(0 if bytes(secret.view) == bytes(32) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bytes(secret.view) != bytes(32)


def test_wiping_overwrites_before_it_frees(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Secret.copied(b"\xaa" * 32)
    copy = memoryview(secret._map)
    # The memory cannot be given back while something looks at it; it is zeroed all the same.
    with pytest.raises(BufferError):
        secret.wipe()
    assert bytes(copy) == bytes(mmap.PAGESIZE)
    copy.release()
    secret.wipe()


def test_wiped_twice_is_wiped() -> None:
    secret = Secret.random(32)
    secret.wipe()
    secret.wipe()
    with pytest.raises(ValueError, match="released"):
        bytes(secret.view)


def test_copying_from_a_bytearray_wipes_it() -> None:
    source = bytearray(b"secret")
    Secret.copied(source)
    assert source == bytes(6)


def test_it_shows_itself_to_nobody() -> None:
    secret = Secret.copied(b"hunter2")
    assert "hunter2" not in repr(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


@pytest.mark.parametrize("size", [0, -1, mmap.PAGESIZE + 1])
def test_impossible_sizes_are_refused_quietly(size: int) -> None:
    with pytest.raises(ValueError, match="one page"):
        Secret(size)
    gc.collect()
