"""The words in which an architecture is written down: numbers, tensors, and when each is there.

Shapes are written in the words of `dimensions.Dimensions` (`embd`, `vocab`, `q`, `k`, `ff` …; a sum
as `q+k+v`, a double as `ff*2`), conditions likewise. `families` has the rows.
"""

from typing import TypeAlias

import msgspec

from appliance.registry.gguf.types import ValueType


class Number(msgspec.Struct, frozen=True):
    """A metadata number `{architecture}.{name}`, with the range that is accepted."""

    name: str
    least: float
    most: float
    required: bool = False
    type: ValueType = ValueType.UINT32
    per_block: bool = False
    """May also be an array with one number for each block."""


class Spec(msgspec.Struct, frozen=True):
    """A tensor: its name, its shape in words, and when it has to or may be there."""

    name: str
    shape: tuple[str, ...]
    need: str = "always"
    may: str = "never"


class Either(msgspec.Struct, frozen=True):
    """Sets of tensors of which one is there, told by its first tensor; by default the first."""

    sets: tuple[tuple[Spec, ...], ...]


Part: TypeAlias = Spec | Either


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """One architecture, or several that differ in nothing that matters here."""

    architectures: tuple[str, ...]
    epsilon: str
    whole: tuple[Part, ...]
    """Tensors of the model."""
    block: tuple[Part, ...]
    """Tensors of each block, without their `blk.N.`"""
    numbers: tuple[Number, ...] = ()
    embeds: bool = False
    """Made for embeddings rather than for text."""
    full_rotation: bool = False
    """The loader insists that rotary dimensions equal the head's."""
    per_block: bool = False
    """Blocks differ: the numbers may be arrays, and a pattern says which blocks see a window."""
    period: int = 0
    """If set: every so many blocks one sees all and the others a window, unless the file says
    otherwise; the loader aborts where no block sees a window."""
    needs_full: bool = False
    """The loader also aborts where no block sees all."""

    @property
    def routes(self) -> bool:
        """Has the architecture experts at all?"""
        parts = [part.sets if isinstance(part, Either) else ((part,),) for part in self.block]
        return any("expert" in spec.shape for sets in parts for group in sets for spec in group)


def one(name: str, *shape: str) -> Spec:
    """A tensor that is always there."""
    return Spec(name, shape)


def maybe(name: str, *shape: str) -> Spec:
    """A tensor that may be there."""
    return Spec(name, shape, "never", "always")


def only_if(condition: str, name: str, *shape: str) -> Spec:
    """A tensor that is there under a condition, and not otherwise."""
    return Spec(name, shape, condition)


def attention(q: str, k: str, v: str) -> tuple[Part, ...]:
    """Queries, keys and values, apart or fused, with their optional biases."""
    fused = f"{q}+{k}+{v}"
    return (
        Either(
            (
                (
                    one("attn_q.weight", "embd", q),
                    one("attn_k.weight", "embd", k),
                    one("attn_v.weight", "embd", v),
                ),
                (one("attn_qkv.weight", "embd", fused), maybe("attn_qkv.bias", fused)),
            )
        ),
        maybe("attn_q.bias", q),
        maybe("attn_k.bias", k),
        maybe("attn_v.bias", v),
    )


EPSILON_RMS = "attention.layer_norm_rms_epsilon"
EPSILON_LAYER = "attention.layer_norm_epsilon"
EPSILONS = (EPSILON_RMS, EPSILON_LAYER)

_F32 = ValueType.FLOAT32
LONGEST_CONTEXT = 2**24
WIDEST = 2**18

COMMON: tuple[Number, ...] = (
    Number("context_length", 1, LONGEST_CONTEXT, required=True),
    Number("embedding_length", 1, WIDEST, required=True),
    Number("block_count", 1, 512, required=True),
    Number("feed_forward_length", 1, 2**21, required=True, per_block=True),
    Number("attention.head_count", 1, 4096, required=True, per_block=True),
    Number("attention.head_count_kv", 1, 4096, per_block=True),
    Number("attention.key_length", 1, 8192),
    Number("attention.value_length", 1, 8192),
    Number("attention.key_length_swa", 1, 8192),
    Number("attention.value_length_swa", 1, 8192),
    Number("attention.sliding_window", 0, LONGEST_CONTEXT),
    Number("attention.shared_kv_layers", 0, 511),
    Number("embedding_length_per_layer_input", 0, WIDEST),
    Number("vocab_size", 1, 2**20),
    Number("expert_count", 0, 1024),
    Number("expert_used_count", 0, 1024),
    Number("expert_feed_forward_length", 1, 2**21, per_block=True),
    Number("expert_shared_feed_forward_length", 0, 2**21),
    Number("pooling_type", 0, 4),
    Number("rope.dimension_count", 1, 8192),
    Number("rope.dimension_count_swa", 1, 8192),
    Number("rope.freq_base", 1.0, 1e12, type=_F32),
    Number("rope.freq_base_swa", 1.0, 1e12, type=_F32),
    Number("rope.scaling.factor", 1e-6, 1e6, type=_F32),
    Number("rope.scale_linear", 1e-6, 1e6, type=_F32),
    Number("rope.scaling.attn_factor", 0.0, 1e6, type=_F32),
    Number("rope.scaling.original_context_length", 1, LONGEST_CONTEXT),
    Number("attn_logit_softcapping", 0.0, 1e6, type=_F32),
    Number("final_logit_softcapping", 0.0, 1e6, type=_F32),
    Number("logit_scale", 1e-9, 1e9, type=_F32),
    Number("residual_scale", 1e-9, 1e9, type=_F32),
    Number("embedding_scale", 1e-9, 1e9, type=_F32),
    Number("attention.scale", 1e-9, 1e9, type=_F32),
    Number("attention.temperature_length", 0, LONGEST_CONTEXT),
    Number("attention.temperature_scale", 0.0, 1e6, type=_F32),
    Number("rope.scaling.alpha", 0.0, 1e6, type=_F32),
    Number("rope.scaling.yarn_attn_factor", -1e6, 1e6, type=_F32),
    Number("rope.scaling.yarn_beta_fast", 0.0, 1e6, type=_F32),
    Number("rope.scaling.yarn_beta_slow", 0.0, 1e6, type=_F32),
    Number("rope.scaling.yarn_ext_factor", -1e6, 1e6, type=_F32),
    Number("rope.scaling.yarn_log_multiplier", -1e6, 1e6, type=_F32),
)
"""Numbers that mean the same in every architecture; a family makes some of them required."""
