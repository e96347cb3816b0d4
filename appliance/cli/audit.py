"""`cloister audit`: the log, for those who hold it against what it claims."""

from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.output import JsonFlag, print_json
from appliance.errors import ConfigurationError

app = typer.Typer(no_args_is_help=True)


@app.command()
def verify(
    directory: Annotated[Path, typer.Argument(help="The log: DIR/audit/log.")],
    key: Annotated[
        Path | None, typer.Option(help="Public key; default: log.vkey beside the directory.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="An older checkpoint that the log must continue.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Check every byte of the log against its signed checkpoint; needs the public key alone."""
    from appliance.audit.verify import verify_directory

    vkey = _read(key or directory.resolve().parent / "log.vkey").decode(errors="replace")
    older = None if checkpoint is None else _read(checkpoint)
    report = verify_directory(directory, vkey, older=older)
    if json:
        print_json({"sound": report.sound, "report": report})
    else:
        typer.echo(str(report), err=not report.sound)
    if not report.sound:
        raise typer.Exit(1)


@app.callback()
def audit() -> None:
    """Verify the audit log."""


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
