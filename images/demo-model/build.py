"""Build the demo model: tokenizer, training, export, parity, evaluation, card, in this order.

Contract: `python build.py` (in an environment with images/locks/train.txt) leaves
`cloister-demo.gguf` and `README.md` beside this file and fails loudly at the first step whose
promise does not hold. Training goes on from the checkpoint in the work folder if there is one.
Parity and evaluation run through llama.cpp under the appliance's interpreter (`--runtime`).
`--export-only` skips training and uses the checkpoint as it stands.
"""

import argparse
import json
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import card
import export
import reference
import tokenizing
import torch
import training
from model import Shape, Transformer

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LIMIT_BYTES = 16 * 1000 * 1000


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--work", type=Path, default=ROOT / "build" / "demo-model", help="checkpoints and logs"
    )
    parser.add_argument("--out", type=Path, default=HERE / "cloister-demo.gguf")
    parser.add_argument(
        "--runtime",
        type=Path,
        default=ROOT / ".venv" / "bin" / "python",
        help="interpreter with llama-cpp-python",
    )
    parser.add_argument("--steps", type=int, default=training.Plan.steps)
    parser.add_argument("--workers", type=int, default=training.Plan.workers)
    parser.add_argument("--cases", type=int, default=200, help="evaluation cases of each kind")
    parser.add_argument("--export-only", action="store_true")
    return parser.parse_args()


def main() -> None:
    """All steps in order."""
    chosen = arguments()
    chosen.work.mkdir(parents=True, exist_ok=True)
    plan = replace(training.Plan(), steps=chosen.steps, workers=chosen.workers)
    vocabulary = chosen.work / "tokenizer.json"
    tokenizer = (
        tokenizing.load(vocabulary)
        if vocabulary.exists()
        else tokenizing.train(vocabulary, plan.seed)
    )
    if chosen.export_only:
        model = Transformer(Shape())
        model.load_state_dict(torch.load(chosen.work / "checkpoint.pt", weights_only=True)["model"])
        model.eval()
    else:
        model = training.train(plan, chosen.work)
    export.write(model, tokenizer, chosen.out)
    if chosen.out.stat().st_size > LIMIT_BYTES:
        raise SystemExit(f"{chosen.out.name} is larger than {LIMIT_BYTES} bytes")
    reference.write(model, tokenizer, chosen.work / "reference.json", plan.seed + 1)
    parity = _under(
        chosen.runtime, "parity.py", str(chosen.out), str(chosen.work / "reference.json")
    )
    (chosen.work / "parity.json").write_text(parity, encoding="utf-8")
    _under(
        chosen.runtime,
        "evaluation.py",
        str(chosen.out),
        str(chosen.work / "evaluation.json"),
        str(chosen.cases),
    )
    facts = {
        "plan": asdict(plan),
        "shape": asdict(model.shape),
        "parameters": sum(p.numel() for p in model.parameters()),
    }
    (chosen.work / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    card.write(chosen.work, chosen.out, HERE / "README.md")


def _under(interpreter: Path, script: str, *args: str) -> str:
    # The interpreter is the caller's own choice and the scripts lie beside this file.
    done = subprocess.run(  # noqa: S603
        [str(interpreter), str(HERE / script), *args],
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode:
        raise SystemExit(f"{script} failed with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
