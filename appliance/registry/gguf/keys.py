"""The metadata keys that may decide anything: of an architecture, and of the tokenizer.

In these two namespaces a key is either one that the checks know, or refused: llama.cpp reads some
three hundred, many of which change what the tensors mean (layers left out, experts in groups), and
silently leaves out those that it does not know. Keys elsewhere (`general.…`, a quantizer's own)
describe and decide nothing.
"""

from collections.abc import Iterator

from appliance.registry.gguf.family import COMMON, EPSILONS, Family
from appliance.registry.gguf.finding import Finding, Rule, shown
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.types import ValueType

WORDS: dict[str, ValueType] = {
    "attention.causal": ValueType.BOOL,
    "attention.sliding_window_pattern": ValueType.ARRAY,
    "classifier.output_labels": ValueType.ARRAY,
    "expert_weights_norm": ValueType.BOOL,
    "rope.scaling.finetuned": ValueType.BOOL,
    "rope.scaling.type": ValueType.STRING,
    "tensor_data_layout": ValueType.STRING,
    "use_parallel_residual": ValueType.BOOL,
}
"""Keys of an architecture that are no numbers."""

TOKENIZER: dict[str, ValueType] = {
    "chat_template": ValueType.STRING,
    "chat_templates": ValueType.ARRAY,
    "ggml.add_bos_token": ValueType.BOOL,
    "ggml.add_eos_token": ValueType.BOOL,
    "ggml.add_sep_token": ValueType.BOOL,
    "ggml.add_space_prefix": ValueType.BOOL,
    "ggml.bos_token_id": ValueType.UINT32,
    "ggml.cls_token_id": ValueType.UINT32,
    "ggml.eom_token_id": ValueType.UINT32,
    "ggml.eos_token_id": ValueType.UINT32,
    "ggml.eot_token_id": ValueType.UINT32,
    "ggml.fim_mid_token_id": ValueType.UINT32,
    "ggml.fim_pad_token_id": ValueType.UINT32,
    "ggml.fim_pre_token_id": ValueType.UINT32,
    "ggml.fim_rep_token_id": ValueType.UINT32,
    "ggml.fim_sep_token_id": ValueType.UINT32,
    "ggml.fim_suf_token_id": ValueType.UINT32,
    "ggml.mask_token_id": ValueType.UINT32,
    "ggml.merges": ValueType.ARRAY,
    "ggml.middle_token_id": ValueType.UINT32,
    "ggml.model": ValueType.STRING,
    "ggml.normalizer.lowercase": ValueType.BOOL,
    "ggml.normalizer.strip_accents": ValueType.BOOL,
    "ggml.padding_token_id": ValueType.UINT32,
    "ggml.pre": ValueType.STRING,
    "ggml.prefix_token_id": ValueType.UINT32,
    "ggml.remove_extra_whitespaces": ValueType.BOOL,
    "ggml.scores": ValueType.ARRAY,
    "ggml.seperator_token_id": ValueType.UINT32,
    "ggml.suffix_token_id": ValueType.UINT32,
    "ggml.suppress_tokens": ValueType.ARRAY,
    "ggml.token_type": ValueType.ARRAY,
    "ggml.token_type_count": ValueType.UINT32,
    "ggml.tokens": ValueType.ARRAY,
    "ggml.unknown_token_id": ValueType.UINT32,
}
"""Keys of the tokenizer; `seperator` is how the format spells it."""

TEMPLATE_PREFIX = "tokenizer.chat_template."


def names_of(family: Family) -> frozenset[str]:
    """Return the names, without their prefix, that a family's metadata may have."""
    numbers = {number.name for number in (*COMMON, *family.numbers)}
    return frozenset(numbers | set(EPSILONS) | set(WORDS))


def check_keys(metadata: Metadata, architecture: str, family: Family) -> Iterator[Finding]:
    """Yield a finding for each key of the two namespaces that is unknown or of another type."""
    known = names_of(family)
    for key in metadata:
        namespace, _, name = key.partition(".")
        expected = None
        if namespace == architecture:
            expected = WORDS.get(name)
            accepted = name in known
        elif namespace == "tokenizer":
            expected = TOKENIZER.get(name)
            accepted = expected is not None or key.startswith(TEMPLATE_PREFIX)
        else:
            continue
        value = metadata.value(key)
        if not accepted:
            text = "is a key that the gate does not know, and that may change what the model means"
            yield Finding(rule=Rule.KEY, where=shown(key), what=text)
        elif value is not None and expected not in (None, ValueType.ARRAY, value.type):
            text = f"is of type {value.type.name.lower()} and not {expected.name.lower()}"
            yield Finding(rule=Rule.VALUE_TYPE, where=shown(key), what=text)
