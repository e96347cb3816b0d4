"""`cloister redact`: a text through a policy, without server and model."""

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """One line of JSONL input; other members are ignored."""

    id: str | int
    text: str


def redact(
    policy: Annotated[str, typer.Option(help="Name of a policy, or path of its file.")] = "default",
    jsonl: Annotated[bool, typer.Option("--jsonl", help='Lines of {"id", "text"}.')] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Scrub as it comes in, like a model's answer.")
    ] = False,
    policies: Annotated[
        Path | None, typer.Option(help="Folder of policies; default: those of the program.")
    ] = None,
) -> None:
    """Scrub standard input to standard output."""
    from appliance.policy.library import POLICIES
    from appliance.screening import Screening

    screening = Screening.load(policies or POLICIES, policy)
    if jsonl:
        _redact_lines(screening, sys.stdin.buffer)
    elif stream:
        _redact_stream(screening)
    else:
        text = sys.stdin.buffer.read().decode("utf-8", errors="strict")
        sys.stdout.write(screening.scrub_text(text).text)
