"""`cloister scan`: the gate alone, over files."""

from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.output import print_json


def scan(files: Annotated[list[Path], typer.Argument(help="GGUF files.")]) -> None:
    """Say of each file whether it may come in: one JSON line each; status 1 if any may not."""
    from appliance.registry.scan import scan_file

    clean = True
    for file in files:
        report = scan_file(file)
        clean = clean and report.verdict == "clean"
        print_json(report)
    if not clean:
        raise typer.Exit(1)
