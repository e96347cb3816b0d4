"""`cloister policy`: read, test and compare policies before they hold."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from appliance.cli.output import JsonFlag, print_json
from appliance.shipped import POLICIES

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the policy: its file without `.yaml`.")]
Folder = Annotated[Path, typer.Option("--policies", help="Folder; default: the program's own.")]

# Hashes that a policy writes are not shown by these commands: any key will do.
_NO_KEY = bytes(32)


@app.command()
def check(name: Name, policies: Folder = POLICIES, json: JsonFlag = False) -> None:
    """Parse a policy strictly and run its own test cases; if it is refused, say at which line."""
    from appliance.screening import Screening

    screening = Screening.load(policies, name, _NO_KEY)
    cases = len(screening.document.tests)
    if json:
        print_json({"policy": screening.policy_id, "digest": screening.digest, "test_cases": cases})
    else:
        print(f"{screening.policy_id}: {cases} test cases pass (sha256 {screening.digest})")


@app.command()
def explain(name: Name, policies: Folder = POLICIES, json: JsonFlag = False) -> None:
    """Say of each span of standard input which layer, rule and policy line took it."""
    from appliance.screening import Screening

    text = sys.stdin.buffer.read().decode()
    found = Screening.load(policies, name, _NO_KEY).explain(text)
    if json:
        print_json(found)
        return
    for span in found:
        print(
            f"{span.start:6}-{span.end:<6} {span.type:24} {span.score:.2f}  {span.layer} "
            f"{span.rule}: {span.action} ({name}.yaml:{span.policy_line})"
        )


@app.command()
def diff(
    old: Annotated[str, typer.Argument(help="The policy that holds.")],
    new: Annotated[str, typer.Argument(help="The one that would take its place.")],
    policies: Folder = POLICIES,
    json: JsonFlag = False,
) -> None:
    """List what would change, the worst first: what is no longer covered."""
    from appliance.policy.compare import diff as compare
    from appliance.screening import read_policy

    changes = compare(read_policy(policies, old), read_policy(policies, new))
    if json:
        print_json(
            [
                {
                    "weight": change.weight.name.lower(),
                    "what": change.what,
                    "direction": change.direction,
                    "subject": change.subject,
                    "before": change.before,
                    "after": change.after,
                }
                for change in changes
            ]
        )
        return
    for change in changes:
        where = " ".join(part for part in (change.direction, change.subject) if part)
        print(
            f"{change.weight.name.lower():9} {change.what:28} {where:18} "
            f"{change.before} → {change.after}"
        )
