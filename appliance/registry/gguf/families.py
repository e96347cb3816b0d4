"""The architectures that are admitted, as tables: which numbers each needs, which tensors, how big.

A row reads like `load_arch_tensors` of llama.cpp's `src/models/<architecture>.cpp`, from which it
was taken. An architecture that has no row is refused: nobody has looked at what its loader takes on
trust. To admit one, add its row here and its case to the tests; no code changes.
"""

from appliance.registry.gguf.family import (
    EPSILON_LAYER,
    EPSILON_RMS,
    LONGEST_CONTEXT,
    WIDEST,
    Either,
    Family,
    Number,
    Part,
    Spec,
    attention,
    maybe,
    one,
    only_if,
)
from appliance.registry.gguf.types import ValueType

_OUTPUT_NORM = one("output_norm.weight", "embd")
_EMBEDDING = one("token_embd.weight", "embd", "vocab")
_TIED: tuple[Part, ...] = (_EMBEDDING, _OUTPUT_NORM)
_HEAD: tuple[Part, ...] = (*_TIED, maybe("output.weight", "embd", "vocab"))
_OWN_HEAD: tuple[Part, ...] = (*_TIED, one("output.weight", "embd", "vocab"))

_ROTATION: tuple[Part, ...] = (
    Spec("rope_freqs.weight", ("rotation",), "never", "plain_rope"),
    Spec("rope_factors_long.weight", ("rotation",), "never", "long_rope"),
    Spec("rope_factors_short.weight", ("rotation",), "never", "long_rope"),
)
_FACTORS: tuple[Part, ...] = (
    maybe("rope_factors_long.weight", "rotation"),
    maybe("rope_factors_short.weight", "rotation"),
)

_ATTENTION_NORM = one("attn_norm.weight", "embd")
_ATTENTION_OUT = one("attn_output.weight", "q", "embd")
_FORWARD_NORM = one("ffn_norm.weight", "embd")
_HEAD_NORMS: tuple[Part, ...] = (
    one("attn_q_norm.weight", "head_k"),
    one("attn_k_norm.weight", "head_k"),
)
_POST_NORMS: tuple[Part, ...] = (
    one("post_attention_norm.weight", "embd"),
    one("post_ffw_norm.weight", "embd"),
)
_GATED: tuple[Part, ...] = (
    one("ffn_gate.weight", "embd", "ff"),
    one("ffn_up.weight", "embd", "ff"),
    one("ffn_down.weight", "ff", "embd"),
)
_PLAIN: tuple[Part, ...] = (_ATTENTION_NORM, *attention("q", "k", "v"), _ATTENTION_OUT)

_LLAMA_FORWARD: tuple[Part, ...] = (
    _FORWARD_NORM,
    maybe("attn_output.bias", "embd"),
    only_if("dense", "ffn_gate.weight", "embd", "ff"),
    only_if("dense", "ffn_up.weight", "embd", "ff"),
    only_if("dense", "ffn_down.weight", "ff", "embd"),
    Spec("ffn_gate.bias", ("ff",), "never", "dense"),
    Spec("ffn_up.bias", ("ff",), "never", "dense"),
    Spec("ffn_down.bias", ("embd",), "never", "dense"),
    only_if("experts", "ffn_gate_inp.weight", "embd", "expert"),
    only_if("experts", "ffn_gate_exps.weight", "embd", "ff", "expert"),
    only_if("experts", "ffn_up_exps.weight", "embd", "ff", "expert"),
    only_if("experts", "ffn_down_exps.weight", "ff", "embd", "expert"),
    only_if("shared_experts", "ffn_gate_shexp.weight", "embd", "ff_shexp"),
    only_if("shared_experts", "ffn_up_shexp.weight", "embd", "ff_shexp"),
    only_if("shared_experts", "ffn_down_shexp.weight", "ff_shexp", "embd"),
)
_EXPERTS: tuple[Part, ...] = (
    one("ffn_gate_inp.weight", "embd", "expert"),
    one("ffn_gate_exps.weight", "embd", "ff_exp", "expert"),
    one("ffn_up_exps.weight", "embd", "ff_exp", "expert"),
    one("ffn_down_exps.weight", "ff_exp", "embd", "expert"),
)
_MUST_ROUTE: tuple[Number, ...] = (
    Number("expert_count", 1, 1024, required=True),
    Number("expert_used_count", 1, 1024, required=True),
)

_BERT_BLOCK: tuple[Part, ...] = (
    *attention("embd", "v", "v"),
    one("attn_output.weight", "embd", "embd"),
    maybe("attn_output.bias", "embd"),
    one("attn_output_norm.weight", "embd"),
    one("attn_output_norm.bias", "embd"),
    one("ffn_up.weight", "embd", "ff"),
    maybe("ffn_up.bias", "ff"),
    one("ffn_down.weight", "ff", "embd"),
    maybe("ffn_down.bias", "embd"),
    one("layer_output_norm.weight", "embd"),
    one("layer_output_norm.bias", "embd"),
)
_BERT_INPUT: tuple[Part, ...] = (
    _EMBEDDING,
    maybe("token_types.weight", "embd", "token_types"),
    one("token_embd_norm.weight", "embd"),
    one("token_embd_norm.bias", "embd"),
)

FAMILIES: tuple[Family, ...] = (
    Family(
        architectures=("llama", "llama-embed"),
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, *_ROTATION),
        block=(*_PLAIN, *_LLAMA_FORWARD),
        full_rotation=True,
    ),
    Family(
        # Mistral and Mixtral up to 2025 are converted as `llama`, Ministral 3 as `mistral3`.
        architectures=("mistral3",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, *_ROTATION),
        block=(*_PLAIN, *_LLAMA_FORWARD),
    ),
    Family(
        architectures=("granite",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, *_ROTATION),
        block=(*_PLAIN, *_LLAMA_FORWARD),
        numbers=(Number("logit_scale", 1e-9, 1e9, required=True, type=ValueType.FLOAT32),),
    ),
    Family(
        architectures=("gemma",),
        epsilon=EPSILON_RMS,
        whole=_TIED,
        block=(*_PLAIN, _FORWARD_NORM, *_GATED),
    ),
    Family(
        architectures=("gemma2",),
        period=2,
        epsilon=EPSILON_RMS,
        whole=_TIED,
        block=(*_PLAIN, _FORWARD_NORM, *_GATED, *_POST_NORMS),
        numbers=(Number("attention.sliding_window", 1, LONGEST_CONTEXT),),
    ),
    Family(
        architectures=("gemma3",),
        period=6,
        epsilon=EPSILON_RMS,
        whole=_HEAD,
        block=(*_PLAIN, *_HEAD_NORMS, _FORWARD_NORM, *_GATED, *_POST_NORMS),
    ),
    Family(
        architectures=("gemma-embedding",),
        epsilon=EPSILON_RMS,
        whole=(
            *_HEAD,
            only_if("dense_modules", "dense_2.weight", "embd", "dense_2_out"),
            only_if("dense_modules", "dense_3.weight", "dense_3_in", "embd"),
        ),
        block=(*_PLAIN, *_HEAD_NORMS, _FORWARD_NORM, *_GATED, *_POST_NORMS),
        numbers=(
            Number("attention.sliding_window", 1, LONGEST_CONTEXT, required=True),
            Number("dense_2_feat_in", 1, WIDEST),
            Number("dense_2_feat_out", 1, WIDEST),
            Number("dense_3_feat_in", 1, WIDEST),
            Number("dense_3_feat_out", 1, WIDEST),
        ),
        embeds=True,
        period=6,
        needs_full=True,
    ),
    Family(
        architectures=("gemma4",),
        epsilon=EPSILON_RMS,
        whole=(
            *_HEAD,
            only_if("full_layers", "rope_freqs.weight", "full_half"),
            only_if("layer_inputs", "per_layer_token_embd.weight", "all_inputs", "vocab"),
            only_if("layer_inputs", "per_layer_model_proj.weight", "embd", "all_inputs"),
            only_if("layer_inputs", "per_layer_proj_norm.weight", "layer_input"),
        ),
        block=(
            _ATTENTION_NORM,
            Either(
                (
                    (
                        one("attn_q.weight", "embd", "q"),
                        Spec("attn_k.weight", ("embd", "k"), "own_kv", "always"),
                        maybe("attn_v.weight", "embd", "v"),
                    ),
                    (one("attn_qkv.weight", "embd", "q+k+v"),),
                )
            ),
            _ATTENTION_OUT,
            one("attn_q_norm.weight", "head_k"),
            Spec("attn_k_norm.weight", ("head_k",), "own_kv", "always"),
            maybe("layer_output_scale.weight", "one"),
            _FORWARD_NORM,
            *_GATED,
            *_POST_NORMS,
            only_if("experts", "ffn_gate_inp.weight", "embd", "expert"),
            only_if("experts", "ffn_gate_inp.scale", "embd"),
            only_if("experts", "pre_ffw_norm_2.weight", "embd"),
            only_if("experts", "post_ffw_norm_1.weight", "embd"),
            only_if("experts", "post_ffw_norm_2.weight", "embd"),
            Either(
                (
                    (
                        only_if("experts", "ffn_gate_exps.weight", "embd", "ff_exp", "expert"),
                        only_if("experts", "ffn_up_exps.weight", "embd", "ff_exp", "expert"),
                    ),
                    (only_if("experts", "ffn_gate_up_exps.weight", "embd", "ff_exp*2", "expert"),),
                )
            ),
            only_if("experts", "ffn_down_exps.weight", "ff_exp", "embd", "expert"),
            only_if("layer_inputs", "inp_gate.weight", "embd", "layer_input"),
            only_if("layer_inputs", "proj.weight", "layer_input", "embd"),
            only_if("layer_inputs", "post_norm.weight", "embd"),
        ),
        numbers=(
            Number("attention.sliding_window", 1, LONGEST_CONTEXT, required=True),
            Number("embedding_length_per_layer_input", 0, WIDEST, required=True),
            Number("attention.key_length_swa", 1, 8192, required=True),
            Number("attention.value_length_swa", 1, 8192, required=True),
        ),
        per_block=True,
    ),
    Family(
        architectures=("qwen2",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, maybe("output.bias", "vocab")),
        block=(
            _ATTENTION_NORM,
            *attention("embd", "v", "v"),
            one("attn_output.weight", "embd", "embd"),
            _FORWARD_NORM,
            *_GATED,
        ),
    ),
    Family(
        architectures=("qwen2moe",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=_OWN_HEAD,
        block=(
            _ATTENTION_NORM,
            *attention("embd", "v", "v"),
            one("attn_output.weight", "embd", "embd"),
            _FORWARD_NORM,
            *_EXPERTS,
            one("ffn_gate_inp_shexp.weight", "embd"),
            one("ffn_gate_shexp.weight", "embd", "ff_shexp_or_ff"),
            one("ffn_up_shexp.weight", "embd", "ff_shexp_or_ff"),
            one("ffn_down_shexp.weight", "ff_shexp_or_ff", "embd"),
        ),
        numbers=_MUST_ROUTE,
    ),
    Family(
        architectures=("qwen3",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, maybe("cls.output.weight", "embd", "labels")),
        block=(
            _ATTENTION_NORM,
            *attention("q", "v", "v"),
            _ATTENTION_OUT,
            *_HEAD_NORMS,
            _FORWARD_NORM,
            *_GATED,
        ),
    ),
    Family(
        architectures=("qwen3moe",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=_HEAD,
        block=(
            _ATTENTION_NORM,
            *attention("q", "v", "v"),
            _ATTENTION_OUT,
            *_HEAD_NORMS,
            _FORWARD_NORM,
            *_EXPERTS,
        ),
        numbers=_MUST_ROUTE,
    ),
    Family(
        architectures=("phi3",),
        epsilon=EPSILON_RMS,
        whole=(*_HEAD, *_FACTORS),
        block=(
            _ATTENTION_NORM,
            *attention("embd", "v", "v"),
            one("attn_output.weight", "embd", "embd"),
            _FORWARD_NORM,
            one("ffn_up.weight", "embd", "ff*2"),
            one("ffn_down.weight", "ff", "embd"),
        ),
    ),
    Family(
        architectures=("smollm3",),
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=_HEAD,
        block=(*_PLAIN, _FORWARD_NORM, *_GATED),
    ),
    Family(
        architectures=("gpt-oss",),
        period=2,
        full_rotation=True,
        epsilon=EPSILON_RMS,
        whole=_OWN_HEAD,
        block=(
            _ATTENTION_NORM,
            one("post_attention_norm.weight", "embd"),
            *attention("rot_q", "rot_k", "rot_k"),
            one("attn_output.weight", "rot_q", "embd"),
            one("attn_output.bias", "embd"),
            one("attn_sinks.weight", "head"),
            *_EXPERTS,
            one("ffn_gate_inp.bias", "expert"),
            one("ffn_gate_exps.bias", "ff_exp", "expert"),
            one("ffn_up_exps.bias", "ff_exp", "expert"),
            one("ffn_down_exps.bias", "embd", "expert"),
        ),
        numbers=(
            *_MUST_ROUTE,
            Number("expert_feed_forward_length", 1, 2**21, required=True, per_block=True),
            Number("attention.sliding_window", 1, LONGEST_CONTEXT, required=True),
        ),
    ),
    Family(
        architectures=("bert",),
        epsilon=EPSILON_LAYER,
        whole=(
            *_BERT_INPUT,
            one("position_embd.weight", "embd", "context"),
            maybe("cls.weight", "embd", "embd"),
            maybe("cls.bias", "embd"),
            maybe("cls.output.weight", "embd", "labels"),
            maybe("cls.output.bias", "labels"),
        ),
        block=_BERT_BLOCK,
        embeds=True,
    ),
    Family(
        architectures=("nomic-bert",),
        epsilon=EPSILON_LAYER,
        whole=_BERT_INPUT,
        block=(*_BERT_BLOCK, one("ffn_gate.weight", "embd", "ff")),
        embeds=True,
    ),
)

BY_ARCHITECTURE: dict[str, Family] = {
    architecture: family for family in FAMILIES for architecture in family.architectures
}
