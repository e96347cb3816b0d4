"""Canaries: words of prompts, keys, and the model itself are found in no file and no output."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from tests.support.box import ROOT, Box

CANARIES = ["xanthippe", "quokkafjord", "Zwölfboxer", "kumquatsalve"]
MODEL = ROOT / "images" / "demo-model" / "cloister-demo.gguf"


def files_of(box: Box) -> Iterator[tuple[str, bytes]]:
    for path in sorted(box.directory.rglob("*")):
        if path.is_file():
            yield str(path), path.read_bytes()
    yield "output", box.output.read_bytes()
    yield from deleted_but_open(box)


def deleted_but_open(box: Box) -> Iterator[tuple[str, bytes]]:
    """Files that a process holds open after they lost their name, other than sealed memory."""
    for link in Path(f"/proc/{box.pid}/fd").iterdir():
        try:
            target = str(link.readlink())
            if target.endswith(" (deleted)") and not target.startswith("/memfd:"):
                yield target, link.read_bytes()
        except OSError:
            continue


def strings_of_the_model() -> list[bytes]:
    """Metadata strings that say which model it is, and stretches of its weights."""
    data = MODEL.read_bytes()
    name = re.search(rb"general\.name.{12}([\x20-\x7e]{4,60})", data, re.DOTALL)
    assert name is not None
    weights = [data[at : at + 24] for at in range(len(data) // 2, len(data), len(data) // 20)]
    return [name[1], b"general.architecture", b"tokenizer.ggml", *weights]


def test_nothing_readable_is_left_anywhere(own_box: Box) -> None:
    own_box.start()
    for canary in CANARIES:
        own_box.complete(f"The patient {canary} has a fever", max_tokens=8)
        body = {"model": "demo", "messages": [{"role": "user", "content": f"Who is {canary}?"}]}
        own_box.post("/v1/chat/completions", {**body, "max_tokens": 8})
        own_box.post("/v1/chat/completions", {**body, "temperature": f"{canary}"})
        own_box.post("/v1/chat/completions", {**body, "model": canary})
        own_box.post("/v1/chat/completions", b"{" + canary.encode())
        own_box.post("/v1/chat/completions", {**body, canary: 1})
        fields = {"user": canary, "stop": [canary], "metadata": {canary: canary}}
        own_box.post("/v1/chat/completions", {**body, "max_tokens": 4, **fields})
        own_box.get(f"/v1/models/{quote(canary)}", own_box.api_key)
    sought = [canary.encode() for canary in CANARIES]
    sought += [canary.lower().encode() for canary in CANARIES]
    sought += strings_of_the_model()
    sought += [own_box.api_key.encode()]
    sought += [user["password"].encode() for user in own_box.users.values()]
    found = {
        (name, needle) for name, content in files_of(own_box) for needle in sought
        if needle in content
    }  # fmt: skip
    own_box.stop()
    found |= {
        (name, needle) for path in own_box.directory.rglob("*") if path.is_file()
        for name, content in [(str(path), path.read_bytes())] for needle in sought
        if needle in content
    }  # fmt: skip
    assert not found


def test_file_names_do_not_tell_which_model_it_is(own_box: Box) -> None:
    names = " ".join(
        str(path.relative_to(own_box.directory)) for path in own_box.directory.rglob("*")
    )
    assert "gguf" not in names
    assert "demo" not in names


def test_no_secret_stands_in_environment_or_command_line(own_box: Box) -> None:
    own_box.start()
    unseal_key = (own_box.directory / "keys/unseal.key").read_text().strip().rpartition(":")[2]
    for pid in [own_box.pid, *own_box.workers()]:
        shown = b""
        for name in ("cmdline", "environ"):
            try:
                shown += Path(f"/proc/{pid}/{name}").read_bytes()
            except PermissionError:
                continue  # not dumpable: even its own user may not look
        assert unseal_key.encode() not in shown
        assert own_box.api_key.encode() not in shown


def test_the_worker_holds_no_file_of_the_box(own_box: Box) -> None:
    own_box.start()
    own_box.complete("The patient", max_tokens=4)
    for pid in own_box.workers():
        targets = [str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert not any(str(own_box.directory) in target for target in targets), targets
