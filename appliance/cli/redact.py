"""`cloister redact`: a text through a policy, without server and model."""

import io
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance.errors import ConfigurationError
from appliance.shipped import POLICIES

if TYPE_CHECKING:
    from appliance.screening import Screening

BLOCK_CHARACTERS = 256


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One line of JSONL input; other members are ignored."""

    id: str | int
    text: str


def redact(
    policy: Annotated[str, typer.Option(help="Name of the policy.")] = "default",
    jsonl: Annotated[
        bool, typer.Option("--jsonl", help='Read {"id", "text"} lines; write spans as well.')
    ] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Write as it becomes certain, like an answer.")
    ] = False,
    policies: Annotated[
        Path, typer.Option(help="Folder of policies; default: those of the program.")
    ] = POLICIES,
) -> None:
    """Scrub standard input to standard output."""
    from appliance.screening import Screening

    # Hashes must not be comparable between runs of a command: each has a key of its own.
    screening = Screening.load(policies, policy, secrets.token_bytes(32))
    if jsonl:
        _lines(screening, stream=stream)
    elif stream:
        _stream(screening)
    else:
        redacted, _ = screening.scrub_text(sys.stdin.buffer.read().decode())
        _write(redacted)


def _lines(screening: "Screening", *, stream: bool) -> None:
    decoder = msgspec.json.Decoder(Document)
    for number, line in enumerate(sys.stdin.buffer, start=1):
        try:
            document = decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise ConfigurationError(f"line {number} is not a document: {error}") from None
        redacted, spans = screening.scrub_text(document.text)
        if stream:
            redacted = "".join(_in_blocks(screening, document.text))
        answer = {"id": document.id, "redacted": redacted, "spans": spans}
        _write(msgspec.json.encode(answer).decode() + "\n")


def _stream(screening: "Screening") -> None:
    from appliance.policy.decision import Subject

    scrubbing = screening.input_scrubber(Subject()).stream()
    # Strictly UTF-8, whatever the locale says: a byte that is no text cannot be judged.
    source = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", newline="")
    while block := source.readline(BLOCK_CHARACTERS):
        _write(scrubbing.feed(block))
    _write(scrubbing.finish())


def _in_blocks(screening: "Screening", text: str) -> list[str]:
    """Scrub a text as an answer comes: a few characters at a time."""
    from appliance.policy.decision import Subject

    scrubbing = screening.input_scrubber(Subject()).stream()
    pieces = [scrubbing.feed(text[at : at + 4]) for at in range(0, len(text), 4)]
    return [*pieces, scrubbing.finish()]


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()
