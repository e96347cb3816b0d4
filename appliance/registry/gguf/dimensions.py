"""The lengths of one model, resolved: what `embd`, `q`, `k` … are in its block N.

`resolve` first compares the hyper-parameters with each other (heads divide, experts are fewer than
there are, rotary dimensions fit a head), then computes. Defaults are those of llama.cpp's
`load_hparams` (`src/llama-model.cpp`).
"""

from collections.abc import Mapping

import msgspec

from appliance.registry.gguf.hyperparameters import Hyperparameters


class Dimensions(msgspec.Struct, frozen=True, kw_only=True):
    """What a family's table is evaluated with, for each block."""

    lengths: tuple[Mapping[str, int], ...]
    conditions: tuple[Mapping[str, bool], ...]

    def length(self, expression: str, block: int) -> int:
        """Return the length that an expression of the table (`q`, `q+k+v`, `ff*2`) means."""
        total = 0
        for term in expression.split("+"):
            word, _, factor = term.partition("*")
            total += self.lengths[block][word] * int(factor or 1)
        return total


class _Heads(msgspec.Struct, frozen=True, kw_only=True):
    """Attention of one block."""

    count: int
    count_kv: int
    key: int
    value: int
    rotary: int


def resolve(numbers: Hyperparameters, vocabulary: int, labels: int) -> Dimensions | None:
    """Compute the lengths, or note in `numbers` why they do not fit together and return None.

    `vocabulary` is the number of tokens, `labels` that of a classifier's outputs. Call it only when
    `numbers` has no findings yet.
    """
    heads = _heads(numbers)
    _check_experts(numbers)
    _check_dense(numbers)
    if "vocab_size" in numbers and numbers.whole("vocab_size") != vocabulary:
        text = f"is {numbers.whole('vocab_size')} while the vocabulary has {vocabulary} tokens"
        numbers.refuse("vocab_size", text)
    shared = numbers.whole("attention.shared_kv_layers")
    if shared and numbers.blocks - shared < 2:
        text = f"is {shared} of {numbers.blocks} blocks; two need keys of their own"
        numbers.refuse("attention.shared_kv_layers", text)
    if numbers.findings:
        return None
    feed = numbers.each("feed_forward_length", ())
    used = numbers.whole("expert_used_count")
    feed_expert = numbers.each(
        "expert_feed_forward_length", tuple(width // max(used, 1) for width in feed)
    )
    same = _same(numbers, vocabulary, labels)
    lengths = []
    for block, head in enumerate(heads):
        own = {
            "head": head.count,
            "head_k": head.key,
            "head_v": head.value,
            "q": head.count * head.key,
            "k": head.count_kv * head.key,
            "v": head.count_kv * head.value,
            "rotation": head.rotary // 2,
            "rot_q": head.count * head.rotary,
            "rot_k": head.count_kv * head.rotary,
            "ff": feed[block],
            "ff_exp": feed_expert[block],
            "ff_shexp_or_ff": numbers.whole("expert_shared_feed_forward_length") or feed[block],
        }
        lengths.append(same | own)
    return Dimensions(lengths=tuple(lengths), conditions=_conditions(numbers))


def _same(numbers: Hyperparameters, vocabulary: int, labels: int) -> dict[str, int]:
    """Lengths that are the same in every block."""
    embedding = numbers.whole("embedding_length")
    layer_input = numbers.whole("embedding_length_per_layer_input")
    head = numbers.each("attention.head_count", ())[0]
    types = numbers.metadata.number("tokenizer.ggml.token_type_count")
    return {
        "one": 1,
        "embd": embedding,
        "vocab": vocabulary,
        "context": numbers.whole("context_length"),
        "expert": numbers.whole("expert_count"),
        "ff_shexp": numbers.whole("expert_shared_feed_forward_length"),
        "full_half": numbers.whole("attention.key_length", embedding // head) // 2,
        "layer_input": layer_input,
        "all_inputs": layer_input * numbers.blocks,
        "labels": labels,
        "token_types": int(types or 0),
        "dense_2_out": numbers.whole("dense_2_feat_out"),
        "dense_3_in": numbers.whole("dense_3_feat_in"),
    }


def _conditions(numbers: Hyperparameters) -> tuple[Mapping[str, bool], ...]:
    experts = numbers.whole("expert_count") > 0
    scaling = numbers.metadata.text(f"{numbers.architecture}.rope.scaling.type")
    own_kv = numbers.blocks - numbers.whole("attention.shared_kv_layers")
    same = {
        "always": True,
        "never": False,
        "dense": not experts,
        "experts": experts,
        "shared_experts": numbers.whole("expert_shared_feed_forward_length") > 0,
        "long_rope": scaling == "longrope",
        "plain_rope": scaling != "longrope",
        "full_layers": not all(numbers.sliding) or not numbers.sliding,
        "layer_inputs": numbers.whole("embedding_length_per_layer_input") > 0,
        "dense_modules": "dense_2_feat_out" in numbers and "dense_3_feat_in" in numbers,
    }
    return tuple(same | {"own_kv": block < own_kv} for block in range(numbers.blocks))


def _heads(numbers: Hyperparameters) -> tuple[_Heads, ...]:
    embedding = numbers.whole("embedding_length")
    counts = numbers.each("attention.head_count", ())
    counts_kv = numbers.each("attention.head_count_kv", counts)
    sliding = numbers.sliding or (False,) * numbers.blocks
    sized = {"attention.key_length", "attention.value_length"}
    if not all(name in numbers for name in sized) and embedding % counts[0]:
        text = f"is {counts[0]}, which does not divide the embedding length {embedding}"
        numbers.refuse("attention.head_count", text)
    for count, count_kv in zip(counts, counts_kv, strict=True):
        if count % count_kv:
            text = f"is {count_kv}, which does not divide the {count} heads"
            numbers.refuse("attention.head_count_kv", text)
            break
    if not numbers.sliding:
        for name in ("attention.key_length_swa", "attention.value_length_swa"):
            if name in numbers:
                numbers.refuse(name, "is given, but not which blocks it is for")
    width = embedding // counts[0]
    full = _lengths(numbers, "", (width, width, None))
    window = _lengths(numbers, "_swa", full)
    return tuple(
        _Heads(count=count, count_kv=count_kv, key=key, value=value, rotary=rotary)
        for count, count_kv, (key, value, rotary) in zip(
            counts, counts_kv, (window if flag else full for flag in sliding), strict=True
        )
    )


def _lengths(
    numbers: Hyperparameters, suffix: str, default: tuple[int, int, int | None]
) -> tuple[int, int, int]:
    """Return the length of a key, of a value, and how much of a key is rotated."""
    key = numbers.whole(f"attention.key_length{suffix}", default[0])
    value = numbers.whole(f"attention.value_length{suffix}", default[1])
    rotary = numbers.whole(f"rope.dimension_count{suffix}", min(default[2] or key, key))
    if value != key:
        text = f"is {value} while a key has {key}; the loader relies on their being the same"
        numbers.refuse(f"attention.value_length{suffix}", text)
    if rotary > key or rotary % 2:
        text = f"is {rotary}; it has to be even and at most the head's {key}"
        numbers.refuse(f"rope.dimension_count{suffix}", text)
    elif numbers.family.full_rotation and rotary != key:
        text = f"is {rotary} while a head has {key}"
        numbers.refuse(f"rope.dimension_count{suffix}", text)
    return key, value, rotary


def _check_dense(numbers: Hyperparameters) -> None:
    """The two matrices behind an embedding's pooling lead out of its width and back."""
    embedding = numbers.whole("embedding_length")
    for name in ("dense_2_feat_in", "dense_3_feat_out"):
        if numbers.whole(name, embedding) != embedding:
            text = f"is {numbers.whole(name)} while the embedding has {embedding}"
            numbers.refuse(name, text)
    if numbers.whole("dense_2_feat_out") != numbers.whole("dense_3_feat_in"):
        numbers.refuse("dense_3_feat_in", "is not what the matrix before it gives")


def _check_experts(numbers: Hyperparameters) -> None:
    experts = numbers.whole("expert_count")
    if experts and not numbers.family.routes:
        numbers.refuse("expert_count", f"is {experts}, and this architecture has no experts")
    used = numbers.whole("expert_used_count")
    if used > experts:
        numbers.refuse("expert_used_count", f"is {used} of {experts} experts")
    if experts and not used:
        numbers.refuse("expert_used_count", f"is 0 while there are {experts} experts")
