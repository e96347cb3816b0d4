"""`cloister access`: API keys of a box that is being served."""

from typing import Annotated
from urllib.parse import quote

import typer

from appliance.cli.box import ConfigOption
from appliance.cli.local import ask
from appliance.cli.output import JsonFlag, print_json

app = typer.Typer(no_args_is_help=True)


@app.command("create-key")
def create_key(
    name: Annotated[str, typer.Argument(help="What it is for, such as `cardiology portal`.")],
    config: ConfigOption,
    model: Annotated[
        list[str] | None, typer.Option(help="A model that it may use; repeat; default: all.")
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Make an API key and print it, this once."""
    body = {"name": name, "models": model or None}
    answer = ask(config, "POST", "/admin/v1/keys", body)
    if json:
        print_json(answer)
    else:
        print(f"{answer['api_key']}\n(id {answer['id']}; shown this once)")


@app.command("list-keys")
def list_keys(config: ConfigOption, json: JsonFlag = False) -> None:
    """List all keys ever made, without the keys themselves."""
    keys = ask(config, "GET", "/admin/v1/keys")["keys"]
    assert isinstance(keys, list)
    if json:
        print_json(keys)
        return
    for key in keys:
        state = "revoked" if key["revoked"] else "valid"
        models = ", ".join(key["models"]) if key["models"] is not None else "all models"
        print(f"{key['id']}  {state:8}  {key['name']}  ({models})")


@app.command("revoke-key")
def revoke_key(
    key_id: Annotated[str, typer.Argument(help="The key's id, from `list-keys`.")],
    config: ConfigOption,
    json: JsonFlag = False,
) -> None:
    """End a key at once."""
    answer = ask(config, "DELETE", f"/admin/v1/keys/{quote(key_id, safe='')}")
    if json:
        print_json(answer)
    else:
        print(f"revoked {answer['id']}")
