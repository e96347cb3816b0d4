"""Training: from a tokenizer and a seed to weights.

Contract: `train(plan, folder)` needs `tokenizer.json` in the folder, runs to the plan's last step
and returns the model. It leaves `checkpoint.pt` there every `save_every` steps and goes on from it
when called again. One JSON line per `log_every` steps goes to `training.jsonl`: step, loss, tokens
seen, seconds. Hidden matrices are trained by Muon, embedding and norms by AdamW, both by the same
schedule.
"""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

import instinct
import torch
from model import Shape, Transformer
from team import Recipe, Team

COOL_DOWN = 0.45  # share of the steps


@dataclass(frozen=True)
class Plan:
    """Everything a run depends on."""

    seed: int = 20260101
    steps: int = 6131
    tokens: int = 2048  # of a step, padding included
    batches: int = 2  # a step's tokens are computed in this many parts
    workers: int = 2
    muon_rate: float = 2e-3
    adam_rate: float = 2e-3
    warm_up: int = 100
    decay: float = 0.05
    save_every: int = 200
    log_every: int = 20


def rate(step: int, plan: Plan) -> float:
    """Factor on the learning rates: linear warm-up, constant, linear cool-down.

    The constant stretch makes the run's length a late decision: a slow machine cools down earlier.
    """
    cool_down = plan.steps * COOL_DOWN
    return min(1.0, (step + 1) / plan.warm_up, (plan.steps - step) / cool_down)


def optimizers(model: Transformer, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the hidden matrices, AdamW for what is no matrix product's operator."""
    matrices = [
        p
        for name, p in model.named_parameters()
        if p.dim() == 2 and not name.startswith("embedding")
    ]
    others = [
        p for name, p in model.named_parameters() if p.dim() != 2 or name.startswith("embedding")
    ]
    return [
        torch.optim.Muon(
            matrices, lr=plan.muon_rate, weight_decay=plan.decay, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(others, lr=plan.adam_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def train(plan: Plan, folder: Path) -> Transformer:
    """Train to the last step, from the checkpoint if there is one."""
    torch.manual_seed(plan.seed)
    model = Transformer(Shape())
    instinct.implant(model)
    tools = optimizers(model, plan)
    bases = [group["lr"] for tool in tools for group in tool.param_groups]
    step, seen, spent, average = 0, 0, 0.0, None
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        for tool, saved in zip(tools, state["tools"], strict=True):
            tool.load_state_dict(saved)
        step, seen, spent, average = state["step"], state["seen"], state["spent"], state["average"]
    recipe = Recipe(folder / "tokenizer.json", plan.seed, plan.tokens // plan.batches, plan.batches)
    model.train()
    with Team(model, recipe, plan.workers) as team:
        while step < plan.steps:
            started = time.monotonic()
            factor = rate(step, plan)
            groups = [group for tool in tools for group in tool.param_groups]
            for group, base in zip(groups, bases, strict=True):
                group["lr"] = base * factor
            loss, tokens = team.gradient(step)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for tool in tools:
                tool.step()
            step, seen, spent = step + 1, seen + tokens, spent + time.monotonic() - started
            average = loss if average is None else 0.95 * average + 0.05 * loss
            if step % plan.log_every == 0 or step == plan.steps:
                line = {
                    "step": step,
                    "loss": round(average, 4),
                    "tokens": seen,
                    "seconds": round(spent),
                }
                with (folder / "training.jsonl").open("a", encoding="utf-8") as log:
                    log.write(json.dumps(line) + "\n")
            if step % plan.save_every == 0 or step == plan.steps:
                state = {
                    "model": model.state_dict(),
                    "tools": [tool.state_dict() for tool in tools],
                }
                state |= {"step": step, "seen": seen, "spent": spent, "average": average}
                torch.save(state, folder / "checkpoint.new")
                os.replace(folder / "checkpoint.new", checkpoint)
    return model.eval()
