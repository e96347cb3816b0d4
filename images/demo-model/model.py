"""Model: a small Llama-architecture transformer, in the layout llama.cpp runs.

Contract: `Transformer(Shape())(ids)` gives hidden states (batch, length, width); `logits` projects
them onto the vocabulary with the tied embedding. Rotary embedding is the interleaved kind (pairs
2i, 2i+1), which is what GGUF's "llama" architecture means, so that the exporter needs no
permutation of Q and K.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

PLAIN_LENGTH = 400


@dataclass(frozen=True)
class Shape:
    """Sizes; row widths are multiples of 32, the block of Q8_0."""

    vocabulary: int = 2048
    width: int = 256
    layers: int = 5
    heads: int = 8
    kv_heads: int = 4
    hidden: int = 512
    context: int = 2048
    rope_base: float = 500_000.0
    epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def rotary(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosine and sine, (context, head_width / 2)."""
    frequencies = shape.rope_base ** (
        -torch.arange(0, shape.head_width, 2).float() / shape.head_width
    )
    angles = torch.outer(torch.arange(shape.context).float(), frequencies)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn the pairs (2i, 2i+1) of the last dimension."""
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cosine - odd * sine, even * sine + odd * cosine), dim=-1).flatten(-2)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention.

    On a CPU plain products beat the fused kernel for short rows (measured: 7 times faster at 100
    tokens in bfloat16); beyond them the fused kernel is best in float32.
    """
    batch, heads, length, width = q.shape
    if length > PLAIN_LENGTH:
        return functional.scaled_dot_product_attention(
            q.float(), k.float(), v.float(), is_causal=True
        )
    later = torch.full((length, length), -torch.inf, dtype=q.dtype).triu(1)
    q, k, v = q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1)
    scores = torch.baddbmm(later.expand(batch * heads, -1, -1), q, k.mT, alpha=width**-0.5)
    return torch.bmm(scores.softmax(-1), v).view(batch, heads, length, width)


class Attention(nn.Module):
    """Grouped-query self-attention."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.q = nn.Linear(shape.width, shape.heads * shape.head_width, bias=False)
        self.k = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.v = nn.Linear(shape.width, shape.kv_heads * shape.head_width, bias=False)
        self.out = nn.Linear(shape.heads * shape.head_width, shape.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Stream (batch, length, width) to its update."""
        batch, length, _ = x.shape
        shape = self.shape
        q = self.q(x).view(batch, length, shape.heads, shape.head_width).transpose(1, 2)
        k = self.k(x).view(batch, length, shape.kv_heads, shape.head_width).transpose(1, 2)
        v = self.v(x).view(batch, length, shape.kv_heads, shape.head_width).transpose(1, 2)
        q, k = rotate(q, cosine, sine).to(v.dtype), rotate(k, cosine, sine).to(v.dtype)
        groups = shape.heads // shape.kv_heads
        k, v = k.repeat_interleave(groups, dim=1), v.repeat_interleave(groups, dim=1)
        mixed = attend(q, k, v)
        out: Tensor = self.out(mixed.transpose(1, 2).reshape(batch, length, -1))
        return out


class Block(nn.Module):
    """Attention and SwiGLU, each behind a norm and added to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.attention = Attention(shape)
        self.ffn_norm = nn.RMSNorm(shape.width, shape.epsilon)
        self.gate = nn.Linear(shape.width, shape.hidden, bias=False)
        self.up = nn.Linear(shape.width, shape.hidden, bias=False)
        self.down = nn.Linear(shape.hidden, shape.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Stream to stream."""
        # The cast looks idle and is not: adding bfloat16 to float32 takes a slow path on CPUs.
        x = x + self.attention(self.attention_norm(x), cosine, sine).float()
        h = self.ffn_norm(x)
        update: Tensor = self.down(functional.silu(self.gate(h)) * self.up(h))
        return x + update.float()


class Transformer(nn.Module):
    """The whole model; the embedding serves as output matrix, too."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embedding = nn.Embedding(shape.vocabulary, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width, shape.epsilon)
        cosine, sine = rotary(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                scale = (
                    (2 * shape.layers) ** -0.5
                    if name.endswith(("out.weight", "down.weight"))
                    else 1.0
                )
                nn.init.normal_(parameter, std=0.02 * scale)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (batch, length) to hidden states."""
        x: Tensor = self.embedding(ids)
        cosine, sine = self.cosine[: ids.shape[1]], self.sine[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, cosine, sine)
        out: Tensor = self.norm(x)
        return out

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden states to scores over the vocabulary."""
        return functional.linear(hidden, self.embedding.weight)
