"""Batches: an endless, reproducible stream of training batches.

Contract: `Batches(tokenizer, seed).batch(step)` gives ids and targets (rows, length) for that step
and depends on the seed and the step alone, so that training can resume anywhere. A target of -100
is not learned; only what the assistant says is. Rows of one batch have similar length; every
conversation starts at position 0.
"""

from random import Random

import corpus
import tokenizing
import torch
from tokenizers import Tokenizer
from torch import Tensor

IGNORED = -100
TURNS = (1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3, 3, 3, 4, 5, 6, 8)
LONG_TURNS = (14, 20, 28)
LONG_RATE = 0.005
# The first batches are short and half of them repeat a note word for word: copying is what every
# job needs, and a model that is first shown it plainly finds it several times sooner.
LESSON_BATCHES = 400


class Batches:
    """Batch number -> tensors; holds one pool of conversations at a time."""

    def __init__(
        self, tokenizer: Tokenizer, seed: int, tokens: int, context: int, pool: int = 24
    ) -> None:
        self.tokenizer = tokenizer
        self.seed = seed
        self.tokens = tokens  # padded tokens of a batch
        self.context = context
        self.pool = pool  # batches cut from one pool of conversations, sorted by length
        self._pool_number = -1
        self._pool: list[tuple[Tensor, Tensor]] = []

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Ids and targets, both (rows, length) of int64."""
        number, index = divmod(step, self.pool)
        if number != self._pool_number:
            lesson = number * self.pool < LESSON_BATCHES
            self._pool = self._fill(Random(f"{self.seed}/{number}"), lesson)
            self._pool_number = number
        return self._pool[index]

    @staticmethod
    def _turns(random: Random) -> tuple[int, ...]:
        return LONG_TURNS if random.random() < LONG_RATE else TURNS

    def _fill(self, random: Random, lesson: bool) -> list[tuple[Tensor, Tensor]]:
        rows: list[tuple[list[int], list[bool]]] = []
        total = 0
        while total < self.pool * self.tokens * 1.1:
            turns = 1 if lesson else random.choice(self._turns(random))
            messages = corpus.conversation(random, "train", turns, 0.5 if lesson else 0.02)
            ids, spoken = tokenizing.encode_chat(self.tokenizer, messages)
            ids, spoken = ids[: self.context], spoken[: self.context]
            if any(spoken):
                rows.append((ids, spoken))
                total += len(ids)
        rows.sort(key=lambda row: len(row[0]))
        groups: list[list[tuple[list[int], list[bool]]]] = [[]]
        for row in rows:
            if groups[-1] and len(row[0]) * (len(groups[-1]) + 1) > self.tokens:
                groups.append([])
            groups[-1].append(row)
        random.shuffle(groups)
        if len(groups) < self.pool:
            raise RuntimeError("a pool came out too small")
        return [self._pad(group) for group in groups[: self.pool]]

    def _pad(self, rows: list[tuple[list[int], list[bool]]]) -> tuple[Tensor, Tensor]:
        length = max(len(ids) for ids, _ in rows) - 1
        inputs = torch.zeros(len(rows), length, dtype=torch.long)
        targets = torch.full((len(rows), length), IGNORED, dtype=torch.long)
        for number, (ids, spoken) in enumerate(rows):
            inputs[number, : len(ids) - 1] = torch.tensor(ids[:-1])
            wanted = [
                token if heard else IGNORED
                for token, heard in zip(ids[1:], spoken[1:], strict=True)
            ]
            targets[number, : len(ids) - 1] = torch.tensor(wanted)
        return inputs, targets
