"""A model whose parts do not fit together is refused, with the part and the reason."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.gguf.header import read_header
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.reader import FileSource
from appliance.registry.gguf.vocabulary import check_vocabulary
from appliance.registry.scan import ScanReport, scan_file, scan_source
from tests.support.gguf_builder import (
    ARRAY,
    BOOL,
    F32,
    F64,
    I32,
    STRING,
    TYPE_F16,
    TYPE_Q8_0,
    U16,
    U32,
    Entry,
    Gguf,
    large_array,
    llama_model,
)
from tests.support.gguf_families import model_of
from tests.support.gguf_sources import CountingSource
from tests.support.llama_cpp_tree import llama_cpp_tree

Change = Callable[[Gguf], object]


def scan(model: Gguf) -> ScanReport:
    return scan_source(CountingSource(model.bytes()), "m")


def set_(key: str, type_: int, value: object, element: int | None = None) -> Change:
    return lambda model: model.set(key, type_, value, element)


def replace(key: str, index: int, value: object) -> Change:
    return lambda model: model.get(key).value.__setitem__(index, value)


def shape(name: str, *extents: int) -> Change:
    return lambda model: setattr(model.tensor(name), "shape", extents)


TOKENS = "tokenizer.ggml.tokens"
TYPES = "tokenizer.ggml.token_type"
EPSILON = "llama.attention.layer_norm_rms_epsilon"

CASES: dict[str, tuple[Change, str, str]] = {
    # What it is at all
    "no architecture": (lambda m: m.drop("general.architecture"), "architecture", "is missing"),
    "an architecture nobody looked at": (
        set_("general.architecture", STRING, "rwkv7"),
        "architecture",
        "'rwkv7', which is not admitted",
    ),
    "a projector": (set_("general.architecture", STRING, "clip"), "architecture", "projector"),
    "a projector by its type": (set_("general.type", STRING, "mmproj"), "content", "projector"),
    "an adapter": (set_("general.type", STRING, "adapter"), "content", "adapter"),
    "a part of a split model": (set_("split.count", U16, 3), "content", "merges all parts"),
    "no tensors": (lambda m: m.tensors.clear(), "content", "no tensors"),
    "blocks of another quantization": (
        set_("general.quantization_version", U32, 1),
        "tensor-type",
        "quantize again",
    ),
    # Keys
    "a key that nobody knows": (set_("llama.experimental", U32, 1), "key", "does not know"),
    "a key that leaves layers out": (
        set_("llama.nextn_predict_layers", U32, 1),
        "key",
        "may change what the model means",
    ),
    "a tokenizer key of another type": (
        set_("tokenizer.ggml.add_bos_token", U32, 1),
        "value-type",
        "not bool",
    ),
    # Numbers
    "no blocks": (set_("llama.block_count", U32, 0), "hyperparameter", "1 to 512"),
    "too many blocks": (set_("llama.block_count", U32, 513), "hyperparameter", "1 to 512"),
    "a block that is not there": (set_("llama.block_count", U32, 2), "tensor-set", "is missing"),
    "a block too many": (
        lambda m: m.tensors.append(llama_model(blocks=2).tensor("blk.1.attn_q.weight")),
        "tensor-set",
        "does not have",
    ),
    "a number of another type": (
        set_("llama.block_count", I32, 1),
        "hyperparameter",
        "int32 and not uint32",
    ),
    "an epsilon of zero": (set_(EPSILON, F32, 0.0), "hyperparameter", "accepted"),
    "a negative epsilon": (set_(EPSILON, F32, -1e-5), "hyperparameter", "accepted"),
    "an infinite epsilon": (set_(EPSILON, F32, float("inf")), "hyperparameter", "not a finite"),
    "an epsilon that is no number": (set_(EPSILON, F32, float("nan")), "hyperparameter", "finite"),
    "an epsilon of double length": (set_(EPSILON, F64, 1e-5), "hyperparameter", "float64"),
    "no epsilon": (lambda m: m.drop(EPSILON), "hyperparameter", "is missing"),
    "no heads": (set_("llama.attention.head_count", U32, 0), "hyperparameter", "accepted"),
    "heads that do not divide the width": (
        set_("llama.attention.head_count", U32, 3),
        "hyperparameter",
        "does not divide",
    ),
    "key heads that do not divide the heads": (
        set_("llama.attention.head_count_kv", U32, 3),
        "hyperparameter",
        "does not divide the 2 heads",
    ),
    "other heads than the tensors have": (
        set_("llama.attention.head_count_kv", U32, 2),
        "tensor-shape",
        "give 32 × 32",
    ),
    "rotation beyond the head": (
        set_("llama.rope.dimension_count", U32, 32),
        "hyperparameter",
        "at most the head's 16",
    ),
    "rotation of a part, where the loader takes the whole": (
        set_("llama.rope.dimension_count", U32, 8),
        "hyperparameter",
        "while a head has 16",
    ),
    "values shorter than keys": (
        set_("llama.attention.value_length", U32, 8),
        "hyperparameter",
        "relies on",
    ),
    "a scaling that does not exist": (
        set_("llama.rope.scaling.type", STRING, "cubic"),
        "hyperparameter",
        "is not one of none, linear",
    ),
    "more experts used than there are": (
        set_("llama.expert_used_count", U32, 1),
        "hyperparameter",
        "1 of 0 experts",
    ),
    "experts without their tensors": (
        lambda m: m.set("llama.expert_count", U32, 2).set("llama.expert_used_count", U32, 1),
        "tensor-set",
        "is missing",
    ),
    "experts of which none is used": (
        set_("llama.expert_count", U32, 2),
        "hyperparameter",
        "0 while there are 2",
    ),
    "an array of another length than the blocks": (
        set_("llama.feed_forward_length", ARRAY, [64, 64], I32),
        "hyperparameter",
        "2 elements for 1 blocks",
    ),
    "an array of floats": (
        set_("llama.feed_forward_length", ARRAY, [64.0], F32),
        "hyperparameter",
        "other than 32-bit integers",
    ),
    "a negative number in an array": (
        set_("llama.feed_forward_length", ARRAY, [-64], I32),
        "hyperparameter",
        "an element outside",
    ),
    "a window array that is too short": (
        set_("llama.attention.sliding_window_pattern", ARRAY, [], BOOL),
        "hyperparameter",
        "for each of 1 blocks",
    ),
    # Tensors
    "a missing tensor": (
        lambda m: m.without("blk.0.ffn_norm.weight"),
        "tensor-set",
        "'blk.0.ffn_norm.weight': is missing",
    ),
    "an unknown tensor": (
        lambda m: m.tensors.append(Entry("payload.weight", (32,))),
        "tensor-set",
        "does not have",
    ),
    "fewer rows than tokens": (
        shape("token_embd.weight", 32, 63),
        "tensor-shape",
        "32 × 63; the numbers of the model give 32 × 64",
    ),
    "a transposed matrix": (shape("blk.0.ffn_up.weight", 64, 32), "tensor-shape", "64 × 32"),
    "a feed-forward of another width": (
        shape("blk.0.ffn_down.weight", 32, 32),
        "tensor-shape",
        "give 64 × 32",
    ),
    "a norm in half precision": (
        lambda m: setattr(m.tensor("output_norm.weight"), "type", TYPE_F16),
        "tensor-type",
        "read as F32",
    ),
    # Vocabulary
    "no tokens": (set_(TOKENS, ARRAY, [], STRING), "vocabulary", "missing, empty"),
    "tokens that are numbers": (set_(TOKENS, ARRAY, [1] * 64, I32), "vocabulary", "strings"),
    "an empty token": (replace(TOKENS, 9, ""), "vocabulary-entry", "element 9: is empty"),
    "a token with a zero byte": (replace(TOKENS, 9, "a\0"), "vocabulary-entry", "zero byte"),
    "the same token twice": (
        replace(TOKENS, 9, "he"),
        "vocabulary-entry",
        "element 9: is the same token as element 2",
    ),
    "types for another number of tokens": (
        set_(TYPES, ARRAY, [1] * 63, I32),
        "vocabulary",
        "63 elements for 64 tokens",
    ),
    "types that are floats": (set_(TYPES, ARRAY, [1.0] * 64, F32), "vocabulary", "32-bit integers"),
    "a type of zero": (replace(TYPES, 9, 0), "vocabulary", "below 1"),
    "a type that does not exist": (replace(TYPES, 9, 7), "vocabulary", "above 6"),
    "a byte token that is none": (
        replace(TYPES, 9, 6),
        "vocabulary-entry",
        "not of the form <0xHH>",
    ),
    "more byte tokens than bytes": (
        lambda m: m.set(TYPES, ARRAY, [6] * 257, I32).set(
            TOKENS, ARRAY, [str(i) for i in range(257)], STRING
        ),
        "vocabulary",
        "257 tokens as bytes",
    ),
    "more tokens than any model has": (
        lambda m: m.drop(TOKENS).pairs.append(large_array(TOKENS, STRING, ["a"] * 600_000)),
        "vocabulary",
        "at most 524288",
    ),
    "scores for another number of tokens": (
        set_("tokenizer.ggml.scores", ARRAY, [0.0] * 65, F32),
        "vocabulary",
        "65 elements for 64 tokens",
    ),
    "a score that is no number": (
        set_("tokenizer.ggml.scores", ARRAY, [float("nan")] * 64, F32),
        "vocabulary",
        "not a finite number",
    ),
    "scores that are integers": (
        set_("tokenizer.ggml.scores", ARRAY, [0] * 64, I32),
        "vocabulary",
        "32-bit floats",
    ),
    "no merges": (lambda m: m.drop("tokenizer.ggml.merges"), "vocabulary", "is missing"),
    "a merge of one part": (
        set_("tokenizer.ggml.merges", ARRAY, ["h e", "he"], STRING),
        "vocabulary",
        "element 1: is not two parts",
    ),
    "an id beyond the vocabulary": (
        set_("tokenizer.ggml.eos_token_id", U32, 64),
        "special-id",
        "is 64; the vocabulary has 64 tokens",
    ),
    "an id of all ones": (
        set_("tokenizer.ggml.eot_token_id", U32, 2**32 - 1),
        "special-id",
        "is 4",
    ),
    "a suppressed id beyond the vocabulary": (
        set_("tokenizer.ggml.suppress_tokens", ARRAY, [64], I32),
        "special-id",
        "outside the 64 tokens",
    ),
    "another vocabulary size": (
        set_("llama.vocab_size", U32, 63),
        "hyperparameter",
        "the vocabulary has 64",
    ),
    "an unknown tokenizer": (
        set_("tokenizer.ggml.model", STRING, "rwkv"),
        "vocabulary",
        "'rwkv'; gpt2",
    ),
    "an unknown pre-tokenizer": (
        set_("tokenizer.ggml.pre", STRING, "gpt-9"),
        "vocabulary",
        "does not know",
    ),
    "no vocabulary": (set_("tokenizer.ggml.model", STRING, "no_vocab"), "vocabulary", "accepted"),
}


@pytest.mark.parametrize("name", CASES)
def test_what_does_not_fit_is_refused_with_its_reason(name: str) -> None:
    change, rule, words = CASES[name]
    model = llama_model()
    change(model)
    report = scan(model)
    assert report.verdict == "refused"
    assert rule in report.rules, report.reasons
    assert any(words in reason for reason in report.reasons), report.reasons


def test_every_fault_is_named_and_not_the_first_alone() -> None:
    model = llama_model()
    model.set(EPSILON, F32, 0.0)
    model.set("tokenizer.ggml.eos_token_id", U32, 64)
    model.get(TOKENS).value[9] = "he"
    assert len(scan(model).reasons) == 3


def test_a_sentencepiece_vocabulary_needs_all_256_bytes() -> None:
    model = model_of("gemma")
    model.get(TOKENS).value[5] = "<0xZZ>"
    assert "vocabulary-entry" in scan(model).rules
    model = model_of("gemma")
    model.get(TYPES).value[5] = 1
    assert any("255 of the 256" in reason for reason in scan(model).reasons)
    model = model_of("gemma")
    model.get(TOKENS).value[3 + 10] = "<0x0a>"
    assert "vocabulary-entry" in scan(model).rules


def test_a_default_id_beyond_the_vocabulary_is_refused() -> None:
    model = model_of("bert")
    model.drop("tokenizer.ggml.seperator_token_id")
    assert scan(model).verdict == "clean"
    small = llama_model()
    small.get(TOKENS).value = small.get(TOKENS).value[:8]
    small.get(TYPES).value = small.get(TYPES).value[:8]
    small.set("llama.vocab_size", U32, 8).drop("tokenizer.ggml.bos_token_id")
    small.tensor("token_embd.weight").shape = (32, 8)
    assert any("its default 11" in reason for reason in scan(small).reasons)


PATTERN = "attention.sliding_window_pattern"


def test_a_model_with_windows_needs_a_block_that_sees_one() -> None:
    for architecture in ("gemma2", "gemma3", "gpt-oss"):
        model = model_of(architecture).set(f"{architecture}.{PATTERN}", ARRAY, [0, 0], BOOL)
        assert any("sees a window" in reason for reason in scan(model).reasons)
        model.set(f"{architecture}.{PATTERN}", U32, 1)
        assert any("sees a window" in reason for reason in scan(model).reasons)
    model = model_of("gemma3").set(f"gemma3.{PATTERN}", U32, 1)
    model.set("gemma3.attention.sliding_window", U32, 0)
    assert scan(model).verdict == "clean"


def test_an_embedding_gemma_needs_blocks_of_both_kinds() -> None:
    model = model_of("gemma-embedding")
    for flags, words in (([1] * 6, "sees all"), ([0] * 6, "sees a window")):
        model.set(f"gemma-embedding.{PATTERN}", ARRAY, flags, BOOL)
        assert any(words in reason for reason in scan(model).reasons)


def test_the_matrices_behind_an_embedding_have_to_fit() -> None:
    model = model_of("gemma-embedding")
    for name, extent in (("2_feat_in", 64), ("2_feat_out", 96), ("3_feat_in", 96)):
        model.set(f"gemma-embedding.dense_{name}", U32, extent)
    model.set("gemma-embedding.dense_3_feat_out", U32, 64)
    model.tensors += [Entry("dense_2.weight", (64, 96)), Entry("dense_3.weight", (96, 64))]
    assert scan(model).verdict == "clean"
    model.set("gemma-embedding.dense_3_feat_in", U32, 95)
    assert any("the matrix before it" in reason for reason in scan(model).reasons)
    model.set("gemma-embedding.dense_2_feat_in", U32, 63)
    assert any("while the embedding has 64" in reason for reason in scan(model).reasons)


def test_experts_where_the_architecture_has_none_are_refused() -> None:
    model = model_of("qwen2").set("qwen2.expert_count", U32, 4)
    model.set("qwen2.expert_used_count", U32, 2)
    assert any("has no experts" in reason for reason in scan(model).reasons)


def test_a_reranker_has_an_output_for_each_label() -> None:
    model = model_of("qwen3")
    model.set("qwen3.pooling_type", U32, 4)
    model.set("qwen3.classifier.output_labels", ARRAY, ["yes", "no"], STRING)
    model.tensors.append(Entry("cls.output.weight", (64, 2)))
    report = scan(model)
    assert report.facts is not None
    assert report.facts.kind == "rerank"
    model.set("qwen3.classifier.output_labels", ARRAY, ["yes"], STRING)
    assert "tensor-shape" in scan(model).rules
    model.set("qwen3.classifier.output_labels", ARRAY, [1, 2], U32)
    assert "value-type" in scan(model).rules


def test_quantized_and_scaled_matrices_are_clean() -> None:
    model = llama_model(weights=TYPE_Q8_0)
    model.tensors.append(Entry("blk.0.attn_q.scale", (1,)))
    assert scan(model).verdict == "clean"
    model.tensors[-1].shape = (2,)
    assert "tensor-shape" in scan(model).rules


def own_tensors(model: Gguf) -> list[Entry]:
    """The tensors of the model and of its first block; the others repeat them."""
    return [entry for entry in model.tensors if not re.match(r"blk\.[1-9]", str(entry.name))]


@pytest.mark.parametrize("architecture", BY_ARCHITECTURE)
def test_each_architecture_misses_each_of_its_tensors(architecture: str) -> None:
    model = model_of(architecture)
    entries = model.tensors
    for entry in own_tensors(model):
        model.tensors = [other for other in entries if other is not entry]
        optional = architecture == "gemma4" and entry.name == "blk.0.attn_v.weight"
        assert scan(model).verdict == ("clean" if optional else "refused"), entry.name


@pytest.mark.parametrize("architecture", BY_ARCHITECTURE)
def test_each_architecture_knows_the_shape_of_each_tensor(architecture: str) -> None:
    model = model_of(architecture)
    for entry in own_tensors(model):
        right = entry.shape
        entry.shape = (*right[:-1], right[-1] + 32)
        assert "tensor-shape" in scan(model).rules, entry.name
        entry.shape = right
    assert scan(model).verdict == "clean"


VOCABULARIES = sorted((llama_cpp_tree() / "models").glob("ggml-vocab-*.gguf"))


@pytest.mark.parametrize("path", VOCABULARIES, ids=lambda path: path.stem)
def test_a_vocabulary_alone_is_no_model(path: Path) -> None:
    report = scan_file(path)
    assert report.verdict == "refused"
    assert report.rules in (("content",), ("architecture",))


@pytest.mark.parametrize(
    "name", ["gemma-4", "llama-bpe", "llama-spm", "phi-3", "qwen2", "bert-bge"]
)
def test_real_vocabularies_pass_the_vocabulary_checks(name: str) -> None:
    path = llama_cpp_tree() / "models" / f"ggml-vocab-{name}.gguf"
    with FileSource(path) as source:
        assert check_vocabulary(Metadata(read_header(source), source)) == []
