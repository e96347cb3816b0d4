"""`cloister init`, `serve`, `version`."""

import asyncio
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from appliance import __version__
from appliance.cli.output import JsonFlag, print_json

if TYPE_CHECKING:
    from appliance.assembly.founding import Founded

ConfigOption = Annotated[Path, typer.Option("--config", help="The box's cloister.toml.")]


class Profile(StrEnum):
    """What kind of box to make."""

    DEMO = "demo"
    PRODUCTION = "production"


def init(
    directory: Annotated[Path, typer.Argument(help="A new directory for the box.")],
    profile: Annotated[Profile, typer.Option(help="demo: to try it; production: to use it.")],
    port: Annotated[int | None, typer.Option(help="Where it will listen.")] = None,
    json: JsonFlag = False,
) -> None:
    """Make a new box: keys, database, log with its first entry, and for a demo its model."""
    from appliance.assembly.founding import found

    founded = asyncio.run(found(directory, profile.value, port))
    if json:
        print_json(founded)
    else:
        _print_founded(founded)


def serve(
    config: ConfigOption,
    host: Annotated[str | None, typer.Option(help="Listen here instead.")] = None,
    port: Annotated[int | None, typer.Option(help="Listen on this port instead.")] = None,
) -> None:
    """Run the box until SIGTERM or Ctrl-C."""
    import uvloop

    from appliance import settings as settings_file
    from appliance.assembly.founding import base_url
    from appliance.assembly.server import serve as run
    from appliance.telemetry import configure_logging

    configure_logging(pretty=sys.stderr.isatty())
    settings, layout = settings_file.load(config)
    given = {"host": host, "port": port}
    server = msgspec.structs.replace(
        settings.server, **{name: value for name, value in given.items() if value is not None}
    )
    settings = msgspec.structs.replace(settings, server=server)

    def announce() -> None:
        print(f"serving {base_url(settings)}  (Ctrl-C stops)", flush=True)

    uvloop.run(run(settings, layout, announce))


def doctor(config: ConfigOption, json: JsonFlag = False) -> None:
    """Say what is wrong with a box or its machine, and what to do; status 1 if anything fails."""
    from appliance.doctor import Verdict, examine

    findings = examine(config)
    if json:
        print_json(findings)
    else:
        for finding in findings:
            advice = f": {finding.advice}" if finding.advice else ""
            print(f"{finding.verdict:8} {finding.check:14} {finding.what}{advice}")
    if any(finding.verdict is Verdict.FAILURE for finding in findings):
        raise typer.Exit(1)


def version() -> None:
    """Print the version."""
    print(__version__)


def _print_founded(founded: "Founded") -> None:
    people = "\n".join(f"  {name:14} {person.password}" for name, person in founded.users.items())
    print(
        f"""
A new box. Write these down: they are shown this once.

  API key        {founded.api_key}

People (name, password):
{people}

Serve it:
  cloister serve --config {founded.config}

A first request, in another terminal:
  curl -N {founded.base_url}/chat/completions \\
    -H "Authorization: Bearer {founded.api_key}" -H "Content-Type: application/json" \\
    -d '{{"model": "demo", "stream": true, "messages": [{{"role": "user", "content":
         "Triage this note: my card 4111 1111 1111 1111 was stolen, write to ann@example.com"}}]}}'
"""
    )
