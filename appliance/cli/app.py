"""All commands under one name."""

import typer

from appliance.cli import access, audit, box, gate, policy, redact, vault

app = typer.Typer(
    help="Cloister: an air-gapped inference appliance.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("init")(box.init)
app.command("serve")(box.serve)
app.command("doctor")(box.doctor)
app.command("version")(box.version)
app.command("redact")(redact.redact)
app.command("scan")(gate.scan)
app.add_typer(audit.app, name="audit", help="Verify the audit log.")
app.add_typer(vault.app, name="vault", help="Seal, unseal and look at the vault.")
app.add_typer(access.app, name="access", help="API keys of applications.")
app.add_typer(policy.app, name="policy", help="Read, test and compare policies.")
