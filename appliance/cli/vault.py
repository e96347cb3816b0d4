"""`cloister vault`: status, unseal, seal."""

import typer

from appliance.cli.box import ConfigOption
from appliance.cli.local import ask
from appliance.cli.output import JsonFlag, print_json

app = typer.Typer(no_args_is_help=True)


@app.command()
def status(config: ConfigOption, json: JsonFlag = False) -> None:
    """Print the inventory of keys: purpose, version, age; no key itself."""
    from appliance import settings
    from appliance.vault.vault import inspect

    _, layout = settings.load(config)
    found = inspect(layout.keys)
    if json:
        print_json(found)
        return
    for key in found.keys:
        print(f"{key.purpose:16} version {key.version}  {key.state}  since {key.created:%Y-%m-%d}")


@app.command()
def unseal(config: ConfigOption) -> None:
    """Have a served box unseal itself, for example after its key medium was put in."""
    ask(config, "POST", "/admin/v1/vault/unseal")
    print("unsealed")


@app.command()
def seal(config: ConfigOption) -> None:
    """Have a served box forget its keys; it refuses everything until it is unsealed."""
    ask(config, "POST", "/admin/v1/vault/seal")
    print("sealed")
