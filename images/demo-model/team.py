"""Team: several processes compute one step's gradient together.

Contract: `with Team(model, recipe, workers) as team: loss, seen = team.gradient(step)` leaves the
mean gradient of the step in the model's parameters. Each process takes the next of the step's
small batches when it is free, so a busy core costs the step its own share and not a barrier at
every operation, as threads of one process would. The sum is taken in whatever order that gives: a
run is reproducible up to rounding. Weights lie in shared memory; only the first process may change
them, and only between two calls of `gradient`.
"""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import tokenizing
import torch
import torch.multiprocessing as processes
from batches import IGNORED, Batches
from model import Transformer
from torch import Tensor
from torch.nn import functional

PATIENCE_S = 300.0  # for a colleague; a dead one must not leave the others waiting for ever


@dataclass(frozen=True)
class Recipe:
    """What to compute gradients of."""

    vocabulary: Path
    seed: int
    tokens: int  # of one small batch
    batches: int  # small batches of a step


@dataclass(frozen=True)
class Table:
    """What the members share: weights in, gradients and counts out."""

    model: Transformer
    gradients: Tensor  # (members, parameters)
    counts: Tensor  # (members, 3): loss, learned tokens, all tokens
    step: Tensor  # (1,); negative: go home
    taken: Any  # multiprocessing counter of the step's batches
    gate: Any  # multiprocessing barrier


class Member:
    """One process at the table."""

    def __init__(self, number: int, table: Table, recipe: Recipe) -> None:
        self.number, self.table, self.recipe = number, table, recipe
        tokenizer = tokenizing.load(recipe.vocabulary)
        self.batches = Batches(tokenizer, recipe.seed, recipe.tokens, table.model.shape.context)

    def take_part(self) -> None:
        """Compute small batches of the step until none is left."""
        table, recipe = self.table, self.recipe
        counts = table.counts[self.number].zero_()
        parameters = list(table.model.parameters())
        for parameter in parameters:
            parameter.grad = None
        while True:
            with table.taken.get_lock():
                index = table.taken.value
                table.taken.value = index + 1
            if index >= recipe.batches:
                break
            inputs, targets = self.batches.batch(int(table.step[0]) * recipe.batches + index)
            wanted = targets != IGNORED
            with torch.autocast("cpu", torch.bfloat16):
                logits = table.model.logits(table.model(inputs)[wanted])
            loss = functional.cross_entropy(logits.float(), targets[wanted], reduction="sum")
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            counts += torch.tensor(
                [loss.item(), int(wanted.sum()), inputs.numel()], dtype=counts.dtype
            )
        own = table.gradients[self.number]
        if counts[2] == 0:
            own.zero_()
        else:
            torch.cat([p.grad.flatten() for p in parameters if p.grad is not None], out=own)


class Team:
    """All members; this process is number 0."""

    def __init__(self, model: Transformer, recipe: Recipe, workers: int) -> None:
        torch.set_num_threads(1)
        context: Any = processes.get_context("spawn")
        size = sum(p.numel() for p in model.parameters())
        self.table = Table(
            model=model.share_memory(),
            gradients=_shared(torch.zeros(workers, size)),
            counts=_shared(torch.zeros(workers, 3, dtype=torch.float64)),
            step=_shared(torch.zeros(1, dtype=torch.long)),
            taken=context.Value("l", 0),
            gate=context.Barrier(workers),
        )
        self.member = Member(0, self.table, recipe)
        self.others = [
            context.Process(target=_work, args=(number, self.table, recipe), daemon=True)
            for number in range(1, workers)
        ]

    def __enter__(self) -> Self:
        for process in self.others:
            process.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.table.step[0] = -1
            self.table.gate.wait(PATIENCE_S)
        else:
            self.table.gate.abort()
        for process in self.others:
            process.join()

    def gradient(self, step: int) -> tuple[float, int]:
        """Mean loss over the learned tokens, and how many tokens were read."""
        table = self.table
        table.step[0], table.taken.value = step, 0
        table.gate.wait(PATIENCE_S)
        self.member.take_part()
        table.gate.wait(PATIENCE_S)
        loss, learned, seen = table.counts.sum(0).tolist()
        total, start = table.gradients.sum(0).div_(learned), 0
        for parameter in table.model.parameters():
            parameter.grad = total[start : start + parameter.numel()].view_as(parameter)
            start += parameter.numel()
        return loss / learned, int(seen)


def _shared(tensor: Tensor) -> Tensor:
    tensor.share_memory_()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return tensor


def _work(number: int, table: Table, recipe: Recipe) -> None:
    torch.set_num_threads(1)
    member = Member(number, table, recipe)
    while True:
        table.gate.wait(PATIENCE_S)
        if table.step[0] < 0:
            return
        member.take_part()
        table.gate.wait(PATIENCE_S)
