"""Card: README.md, the model card, from what was measured.

Contract: `write(work, model, out)` fills card-template.md from the figures training, parity and
evaluation left in the work folder and from the file itself. No number in the card is typed by
hand.
"""

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any


def digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(work: Path, model: Path, out: Path) -> None:
    """Fill the card's template."""
    facts = _read(work / "facts.json")
    plan, shape, evaluation, parity = (
        facts["plan"],
        facts["shape"],
        _read(work / "evaluation.json"),
        _read(work / "parity.json"),
    )
    last = json.loads((work / "training.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    values = {
        **{f"plan_{name}": value for name, value in plan.items()},
        **shape,
        "head_width": shape["width"] // shape["heads"],
        "parameters": f"{facts['parameters']:,}",
        "steps": last["step"],
        "tokens": f"{last['tokens'] / 1e6:.1f}",
        "minutes": round(last["seconds"] / 60),
        "loss": last["loss"],
        "texts": parity["texts"],
        "prompts": parity["prompts"],
        "correlation": parity["worst_correlation"],
        "evaluation_seed": evaluation["seed"],
        "longest": evaluation["longest_prompt_tokens"],
        "rates": _table(evaluation["rates"]),
        "bytes": f"{model.stat().st_size:,}",
        "sha256": digest(model),
    }
    template = Template(Path(__file__).with_name("card-template.md").read_text(encoding="utf-8"))
    out.write_text(template.substitute(values), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _table(rates: dict[str, dict[str, float]]) -> str:
    rows = [f"| {name} | {rate['rate']:.3f} | {rate['of']} |" for name, rate in rates.items()]
    return "\n".join(["| measure | rate | of |", "|---|---|---|", *rows])
