"""Instinct: initial weights with which an untrained model already repeats what it has seen.

Contract: `implant(model)` overwrites part of a freshly initialised model, before training, with
the two-step "induction" circuit (Elhage et al. 2021, "A Mathematical Framework for Transformer
Circuits"): in the first block two heads look one token back and note which token stood there; in
the second block heads look for places whose noted token is the one at hand, and vote for the
token that stands there. Every job of this model is mostly copying, and finding this circuit by
gradient alone costs a small model most of its training. All of it stays trainable, and nothing in
it knows any text.

The stream's width is divided: the first half of a token's embedding tells which token it is, the
second half is almost free, and its last dimension holds the same constant for every token, on
which position-only attention rests.
"""

import math

import torch
from model import Attention, Block, Transformer

CONSTANT = 0.45  # as long as the identity half: 0.04 * sqrt(128)
IDENTITY_STD = 0.04
BACK_SHARPNESS = 7.0  # score of the previous token over its neighbours, before the sum over pairs
MATCH_SHARPNESS = 18.0  # score of a perfect match in the second block
VOTE = 0.5


@torch.no_grad()
def implant(model: Transformer) -> None:
    """Write the circuit into blocks 0 and 1."""
    shape, width = model.shape, model.shape.head_width
    half = shape.width // 2
    constant = shape.width - 1
    embedding = model.embedding.weight
    embedding[:, :half].normal_(std=IDENTITY_STD)
    embedding[:, half:].normal_(std=0.004)
    embedding[:, constant] = CONSTANT
    # RMSNorm makes the stream's norm sqrt(width); half of its square is the constant's.
    unit = math.sqrt(shape.width / 2)
    angles = shape.rope_base ** (-torch.arange(0, width, 2) / width)
    slow = [
        pair for pair in range(width // 2) if angles[pair] * 300 < 1
    ]  # keep their phase over a note
    back, match = _attention(model, 0), _attention(model, 1)
    group = shape.heads // shape.kv_heads
    for kv in range(2):
        q_rows, kv_rows = kv * group * width, kv * width
        source = slice(kv * width, (kv + 1) * width)
        # Block 0: score(i, j) = sum over pairs of cos((i - j - 1) * angle), highest one token back.
        scale = math.sqrt(BACK_SHARPNESS * math.sqrt(width)) / unit
        back.q.weight[q_rows : q_rows + width] = 0
        back.k.weight[kv_rows : kv_rows + width] = 0
        for pair in range(6):
            back.q.weight[q_rows + 2 * pair, constant] = scale
            back.k.weight[kv_rows + 2 * pair, constant] = scale * torch.cos(angles[pair])
            back.k.weight[kv_rows + 2 * pair + 1, constant] = scale * torch.sin(angles[pair])
        back.v.weight[kv_rows : kv_rows + width] = 0
        back.v.weight[kv_rows : kv_rows + width, source] = 0.2 * torch.eye(width)
        noted = slice(half + kv * width, half + (kv + 1) * width - kv)  # leaves the constant alone
        count = noted.stop - noted.start
        back.out.weight[:, q_rows : q_rows + width] = 0
        back.out.weight[noted, q_rows : q_rows + count] = 0.2 * torch.eye(count)
        # Block 1: compare the identity at hand with the identity noted there, in the slow pairs.
        match.q.weight[q_rows : q_rows + width] = 0
        match.k.weight[kv_rows : kv_rows + width] = 0
        rows = [2 * pair + side for pair in slow for side in (0, 1)]
        mixing = torch.linalg.qr(torch.randn(2 * width, 2 * width))[0][: len(rows)]
        # Squared length of a matched projection: len(rows) dimensions of an identity part.
        reach = len(rows) * (unit / math.sqrt(half)) ** 2
        scale = math.sqrt(MATCH_SHARPNESS * math.sqrt(width) / reach)
        for row, direction in zip(rows, mixing, strict=True):
            match.q.weight[q_rows + row, : 2 * width] = scale * direction
            match.k.weight[kv_rows + row, half : half + 2 * width] = scale * direction
        match.v.weight[kv_rows : kv_rows + width] = 0
        match.v.weight[kv_rows : kv_rows + width, source] = VOTE * torch.eye(width)
        match.out.weight[:, q_rows : q_rows + width] = 0
        match.out.weight[source, q_rows : q_rows + width] = VOTE * torch.eye(width)


def _attention(model: Transformer, number: int) -> Attention:
    block = model.blocks[number]
    if not isinstance(block, Block):  # a ModuleList forgets what it holds
        raise TypeError(f"block {number} is a {type(block).__name__}")
    return block.attention
