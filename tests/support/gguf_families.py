"""A tiny valid model of every admitted architecture, made from the tables of the gate.

The tables say which tensors a model has; this writes them down. That the result is a model is not
proved by the gate that shares the tables, but by llama.cpp, which loads each and decodes with it.
"""

from appliance.registry.gguf.dimensions import Dimensions, resolve
from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.gguf.family import EPSILON_RMS, Either, Family, Part, Spec
from appliance.registry.gguf.header import read_header
from appliance.registry.gguf.hyperparameters import Hyperparameters
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.vocabulary import count_tokens
from tests.support.gguf_builder import (
    ARRAY,
    BOOL,
    F32,
    I32,
    STRING,
    U32,
    Entry,
    Gguf,
    Pair,
    bpe_vocabulary,
    byte_tokens,
    spm_vocabulary,
)
from tests.support.gguf_sources import CountingSource

BLOCKS = 2
MORE_BLOCKS = {"gemma-embedding": 6}
SENTENCEPIECE = {"gemma", "gemma2", "gemma3", "gemma-embedding", "phi3"}
WORDPIECE = {"bert", "nomic-bert"}
EXPERTS = {"qwen2moe", "qwen3moe", "gpt-oss"}
SLIDING = {"gemma2", "gemma3", "gemma-embedding", "gemma4", "gpt-oss"}


def wordpiece_vocabulary() -> list[Pair]:
    """A WordPiece vocabulary with its special tokens where BERT has them."""
    tokens = [f"[unused{i}]" for i in range(110)] + [f"▁{chr(0x61 + i)}" for i in range(26)]
    for index, token in ((0, "[PAD]"), (100, "[UNK]"), (101, "[CLS]"), (102, "[SEP]")):
        tokens[index] = token
    return [
        Pair("tokenizer.ggml.model", STRING, "bert"),
        Pair("tokenizer.ggml.pre", STRING, "bert-bge"),
        Pair("tokenizer.ggml.tokens", ARRAY, tokens, STRING),
        Pair("tokenizer.ggml.token_type", ARRAY, [1] * len(tokens), I32),
        Pair("tokenizer.ggml.token_type_count", U32, 2),
        Pair("tokenizer.ggml.unknown_token_id", U32, 100),
        Pair("tokenizer.ggml.seperator_token_id", U32, 102),
        Pair("tokenizer.ggml.padding_token_id", U32, 0),
        Pair("tokenizer.ggml.cls_token_id", U32, 101),
    ]


def gemma4_vocabulary() -> list[Pair]:
    """BPE with SentencePiece's byte tokens, as Gemma 4 has it."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", *byte_tokens(), *"abcdefgh", "▁", "ab"]
    types = [3, 3, 3, 2] + [6] * 256 + [1] * 10
    return [
        Pair("tokenizer.ggml.model", STRING, "gemma4"),
        Pair("tokenizer.ggml.tokens", ARRAY, tokens, STRING),
        Pair("tokenizer.ggml.scores", ARRAY, [0.0] * len(tokens), F32),
        Pair("tokenizer.ggml.token_type", ARRAY, types, I32),
        Pair("tokenizer.ggml.merges", ARRAY, ["a b"], STRING),
        Pair("tokenizer.ggml.bos_token_id", U32, 2),
        Pair("tokenizer.ggml.eos_token_id", U32, 1),
        Pair("tokenizer.ggml.unknown_token_id", U32, 3),
    ]


def vocabulary_of(architecture: str) -> list[Pair]:
    if architecture in WORDPIECE:
        return wordpiece_vocabulary()
    if architecture == "gemma4":
        return gemma4_vocabulary()
    return spm_vocabulary() if architecture in SENTENCEPIECE else bpe_vocabulary()


def numbers_of(architecture: str, *, experts: bool = False) -> list[Pair]:
    """Hyper-parameters of a tiny model: width 64, 4 query heads and 2 key heads of 16."""
    family = BY_ARCHITECTURE[architecture]
    numbers: dict[str, tuple[int, object]] = {
        "context_length": (U32, 128),
        "embedding_length": (U32, 64),
        "block_count": (U32, MORE_BLOCKS.get(architecture, BLOCKS)),
        "feed_forward_length": (U32, 96),
        "attention.head_count": (U32, 4),
        "attention.head_count_kv": (U32, 2),
        family.epsilon: (F32, 1e-5 if family.epsilon == EPSILON_RMS else 1e-12),
        "rope.dimension_count": (U32, 16),
        "rope.freq_base": (F32, 10000.0),
    }
    if architecture in EXPERTS or experts:
        numbers |= {"expert_count": (U32, 4), "expert_used_count": (U32, 2)}
        numbers |= {"expert_feed_forward_length": (U32, 32)} if architecture != "llama" else {}
    if architecture in SLIDING:
        numbers |= {"attention.sliding_window": (U32, 32)}
    if architecture == "qwen2moe":
        numbers |= {"expert_shared_feed_forward_length": (U32, 48)}
    if architecture == "granite":
        numbers |= {"logit_scale": (F32, 8.0)}
    if architecture == "phi3":
        numbers |= {"rope.scaling.original_context_length": (U32, 128)}
    if architecture == "gemma4":
        numbers |= {
            "attention.key_length": (U32, 32),
            "attention.value_length": (U32, 32),
            "attention.key_length_swa": (U32, 16),
            "attention.value_length_swa": (U32, 16),
            "rope.dimension_count": (U32, 32),
            "rope.dimension_count_swa": (U32, 16),
            "attention.shared_kv_layers": (U32, 0),
            "embedding_length_per_layer_input": (U32, 8),
        }
    if BY_ARCHITECTURE[architecture].embeds:
        numbers |= {"attention.causal": (BOOL, 0), "pooling_type": (U32, 1)}
    if architecture in WORDPIECE:
        numbers |= {"attention.head_count_kv": (U32, 4)}
    pairs = [
        Pair(f"{architecture}.{name}", type_, value) for name, (type_, value) in numbers.items()
    ]
    if architecture == "gemma4":
        key = "gemma4.attention.sliding_window_pattern"
        pairs.append(Pair(key, ARRAY, [1, 0], BOOL))
        key = "gemma4.attention.head_count_kv"
        pairs = [pair for pair in pairs if pair.key != key] + [Pair(key, ARRAY, [2, 1], I32)]
    return pairs


def model_of(architecture: str, *, experts: bool = False, fused: bool = False) -> Gguf:
    """A tiny model with every tensor that the table makes necessary.

    `experts` makes it a mixture of experts where the architecture can be one; `fused` has queries,
    keys and values in one tensor.
    """
    model = Gguf()
    model.pairs = [Pair("general.architecture", STRING, architecture)]
    model.pairs += numbers_of(architecture, experts=experts) + vocabulary_of(architecture)
    family = BY_ARCHITECTURE[architecture]
    for name, shape in _tensors(family, _dimensions(model, family), fused):
        model.tensors.append(Entry(name, shape))
    return model


def _dimensions(model: Gguf, family: Family) -> Dimensions:
    source = CountingSource(model.bytes())
    metadata = Metadata(read_header(source), source)
    numbers = Hyperparameters(metadata, str(model.pairs[0].value), family)
    dimensions = resolve(numbers, count_tokens(metadata), 1) if not numbers.findings else None
    assert dimensions is not None, numbers.findings
    return dimensions


def _tensors(
    family: Family, dimensions: Dimensions, fused: bool
) -> list[tuple[str, tuple[int, ...]]]:
    places: list[tuple[str, int, tuple[Part, ...]]] = [("", 0, family.whole)]
    places += [(f"blk.{block}.", block, family.block) for block in range(len(dimensions.lengths))]
    found = []
    for prefix, block, parts in places:
        specs: list[Spec] = []
        for part in parts:
            specs += part.sets[-1 if fused else 0] if isinstance(part, Either) else (part,)
        for spec in specs:
            if dimensions.conditions[block][spec.need]:
                shape = tuple(dimensions.length(word, block) for word in spec.shape)
                found.append((prefix + spec.name, shape))
    return found
