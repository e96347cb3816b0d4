"""Writes Llama-architecture GGUF files with random weights, for tests and benchmarks.

Random weights cost what real ones cost, so speed measured on them is real; their answers mean
nothing. The writer knows just enough of GGUF version 3 (ggml `docs/gguf.md`): header, key-values,
tensor descriptions, tensor data aligned to 32 bytes. The vocabulary is either copied, byte for
byte, from another GGUF file (`Shape.vocabulary`) or a small one made here: byte tokens, letters,
a few words and the control tokens of ChatML.

    write_model(path, Shape())                     # 0.3 M parameters, its own vocabulary
    write_model(path, llama_3_1b(vocab_file))      # the 1.2 G model of the benchmarks, Q4_K_M
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

ALIGNMENT = 32
_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_SCALAR_BYTES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_TYPE_IDS = {"F32": 0, "F16": 1, "Q8_0": 8, "Q4_K": 12, "Q6_K": 14}

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes and number formats of a model."""

    layers: int = 2
    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    feed_forward: int = 128
    context: int = 512
    weights: str = "F16"
    """Format of the matrices: F32, F16, Q8_0, Q4_K, or Q4_K_M (its usual mix with Q6_K)."""
    tied: bool = True
    """The output matrix is the embedding matrix."""
    vocabulary: Path | None = None
    seed: int = 1
    chat_template: str | None = CHAT_TEMPLATE
    rope_base: float = 10_000.0


def llama_3_1b(vocabulary: Path) -> Shape:
    """The shape of Llama 3.2 1B with the 128k vocabulary of `ggml-vocab-llama-bpe.gguf`."""
    return Shape(
        layers=16,
        width=2048,
        heads=32,
        kv_heads=8,
        feed_forward=8192,
        context=8192,
        weights="Q4_K_M",
        vocabulary=vocabulary,
        rope_base=500_000.0,
    )


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _pair(key: str, kind: int, payload: bytes) -> bytes:
    return _string(key.encode()) + struct.pack("<I", kind) + payload


def _strings(key: str, values: list[bytes]) -> bytes:
    return _pair(
        key,
        _ARRAY,
        struct.pack("<IQ", _STRING, len(values)) + b"".join(_string(value) for value in values),
    )


def _numbers(key: str, kind: int, code: str, values: list[float] | list[int]) -> bytes:
    payload = struct.pack("<IQ", kind, len(values)) + struct.pack(f"<{len(values)}{code}", *values)
    return _pair(key, _ARRAY, payload)


def small_vocabulary() -> tuple[list[bytes], list[bytes]]:
    """Key-values and tokens of the vocabulary made here (SentencePiece with byte fallback)."""
    control = [b"<unk>", b"<s>", b"</s>", b"<|im_start|>", b"<|im_end|>"]
    words = "the patient ward bank card note reply triage urgent routine please thank you account"
    pieces = [bytes([code]) for code in range(33, 127)]
    pieces += ["\u2581".encode()] + [("\u2581" + word).encode() for word in words.split()]
    pieces += ["é".encode(), "ü".encode(), "漢".encode()]
    single_bytes = [b"<0x%02X>" % code for code in range(256)]
    tokens = control + single_bytes + pieces
    types = [2] + [3] * 4 + [6] * 256 + [1] * len(pieces)
    scores = [0.0] * 261 + [-float(rank) for rank in range(len(pieces))]
    pairs = [
        _pair("tokenizer.ggml.model", _STRING, _string(b"llama")),
        _strings("tokenizer.ggml.tokens", tokens),
        _numbers("tokenizer.ggml.scores", _FLOAT32, "f", scores),
        _numbers("tokenizer.ggml.token_type", _INT32, "i", types),
        _pair("tokenizer.ggml.unknown_token_id", _UINT32, struct.pack("<I", 0)),
        _pair("tokenizer.ggml.bos_token_id", _UINT32, struct.pack("<I", 1)),
        _pair("tokenizer.ggml.eos_token_id", _UINT32, struct.pack("<I", 4)),
        _pair("tokenizer.ggml.add_bos_token", _BOOL, b"\x01"),
    ]
    return pairs, tokens


def _value_end(data: bytes, at: int, kind: int) -> int:
    if kind == _STRING:
        return at + 8 + int(struct.unpack_from("<Q", data, at)[0])
    if kind != _ARRAY:
        return at + _SCALAR_BYTES[kind]
    element, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if element in _SCALAR_BYTES:
        return at + int(_SCALAR_BYTES[element] * count)
    for _ in range(count):
        at = _value_end(data, at, element)
    return at


def copied_vocabulary(source: Path) -> tuple[list[bytes], int]:
    """Key-values of another file's tokenizer as they stand there, and its number of tokens."""
    data = source.read_bytes()
    _, _, _, count = struct.unpack_from("<IIQQ", data, 0)
    at, pairs, tokens = 24, [], 0
    for _ in range(count):
        start = at
        length = int(struct.unpack_from("<Q", data, at)[0])
        key = data[at + 8 : at + 8 + length].decode()
        at += 8 + length
        kind = int(struct.unpack_from("<I", data, at)[0])
        if key == "tokenizer.ggml.tokens":
            tokens = int(struct.unpack_from("<Q", data, at + 8)[0])
        at = _value_end(data, at + 4, kind)
        if key.startswith("tokenizer.ggml."):
            pairs.append(data[start:at])
    return pairs, tokens


def _encode(kind: str, count: int, deviation: float, random: np.random.Generator) -> bytes:
    """`count` random weights of about the given standard deviation in a ggml format."""
    if kind in {"F32", "F16"}:
        values: npt.NDArray[np.float32] = random.standard_normal(count, np.float32) * deviation
        return values.astype("<f4" if kind == "F32" else "<f2").tobytes()
    if kind == "Q8_0":  # block of 32: f16 scale, 32 × int8
        blocks = np.zeros(count // 32, dtype=[("d", "<f2"), ("q", "i1", 32)])
        blocks["d"] = deviation / 73.0
        blocks["q"] = random.integers(-127, 128, (len(blocks), 32), np.int8)
        return blocks.tobytes()
    if kind == "Q4_K":  # super-block of 256: f16 d, f16 dmin, 12 bytes of scales, 128 bytes of q
        blocks = np.zeros(count // 256, dtype=[("d", "<f2"), ("m", "<f2"), ("sq", "u1", 140)])
        blocks["d"] = deviation / 250.0
        blocks["m"] = 7.5 * deviation / 250.0
        blocks["sq"] = random.integers(0, 256, (len(blocks), 140), np.uint8)
        return blocks.tobytes()
    # Q6_K, super-block of 256: 128 ql, 64 qh, 16 × int8 scales, f16 d
    blocks = np.zeros(count // 256, dtype=[("q", "u1", 208), ("d", "<f2")])
    blocks["q"] = random.integers(0, 256, (len(blocks), 208), np.uint8)
    blocks["d"] = deviation / 1360.0
    return blocks.tobytes()


def _encoded_bytes(kind: str, count: int) -> int:
    return {
        "F32": count * 4,
        "F16": count * 2,
        "Q8_0": count // 32 * 34,
        "Q4_K": count // 256 * 144,
        "Q6_K": count // 256 * 210,
    }[kind]


def _tensors(shape: Shape, tokens: int) -> Iterator[tuple[str, tuple[int, ...], str, float]]:
    """Name, dimensions (innermost first), format and standard deviation (0: all ones)."""
    mixed = shape.weights == "Q4_K_M"
    base = "Q4_K" if mixed else shape.weights
    better = "Q6_K" if mixed else shape.weights
    width, feed = shape.width, shape.feed_forward
    kv_width = width // shape.heads * shape.kv_heads
    yield "token_embd.weight", (width, tokens), better if shape.tied else base, 1.0 / width**0.5
    yield "output_norm.weight", (width,), "F32", 0.0
    if not shape.tied:
        yield "output.weight", (width, tokens), better, 1.0 / width**0.5
    eighth = max(1, shape.layers // 8)
    for layer in range(shape.layers):
        # llama.cpp's rule for Q4_K_M: the first and last eighth, and every third layer between.
        more = layer < eighth or layer >= shape.layers - eighth or (layer - eighth) % 3 == 2
        high = better if more else base
        name = f"blk.{layer}."
        yield name + "attn_norm.weight", (width,), "F32", 0.0
        yield name + "attn_q.weight", (width, width), base, 2.0 / width**0.5
        yield name + "attn_k.weight", (width, kv_width), base, 2.0 / width**0.5
        yield name + "attn_v.weight", (width, kv_width), high, 1.0 / width**0.5
        yield name + "attn_output.weight", (width, width), base, 1.0 / width**0.5
        yield name + "ffn_norm.weight", (width,), "F32", 0.0
        yield name + "ffn_gate.weight", (width, feed), base, 1.0 / width**0.5
        yield name + "ffn_up.weight", (width, feed), base, 1.0 / width**0.5
        yield name + "ffn_down.weight", (feed, width), high, 1.0 / feed**0.5


def write_model(path: Path, shape: Shape) -> None:
    """Write the model; the same shape gives the same bytes."""
    if shape.vocabulary is None:
        vocabulary, names = small_vocabulary()
        tokens = len(names)
    else:
        vocabulary, tokens = copied_vocabulary(shape.vocabulary)
    integers = {
        "block_count": shape.layers,
        "context_length": shape.context,
        "embedding_length": shape.width,
        "feed_forward_length": shape.feed_forward,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "rope.dimension_count": shape.width // shape.heads,
        "vocab_size": tokens,
    }
    pairs = [_pair("general.architecture", _STRING, _string(b"llama"))]
    pairs += [_pair(f"llama.{key}", _UINT32, struct.pack("<I", v)) for key, v in integers.items()]
    pairs.append(_pair("llama.rope.freq_base", _FLOAT32, struct.pack("<f", shape.rope_base)))
    epsilon = struct.pack("<f", 1e-5)
    pairs.append(_pair("llama.attention.layer_norm_rms_epsilon", _FLOAT32, epsilon))
    pairs += vocabulary
    if shape.chat_template is not None:
        template = _string(shape.chat_template.encode())
        pairs.append(_pair("tokenizer.chat_template", _STRING, template))

    tensors = list(_tensors(shape, tokens))
    head = io.BytesIO()
    head.write(struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(pairs)))
    head.write(b"".join(pairs))
    offset = 0
    for name, dimensions, kind, _ in tensors:
        head.write(_string(name.encode()) + struct.pack("<I", len(dimensions)))
        head.write(struct.pack(f"<{len(dimensions)}Q", *dimensions))
        head.write(struct.pack("<IQ", _TYPE_IDS[kind], offset))
        size = _encoded_bytes(kind, int(np.prod(dimensions)))
        offset += -(-size // ALIGNMENT) * ALIGNMENT
    random = np.random.default_rng(shape.seed)
    with path.open("wb") as file:
        file.write(head.getvalue())
        file.write(bytes(-file.tell() % ALIGNMENT))
        for _, dimensions, kind, deviation in tensors:
            count = int(np.prod(dimensions))
            data = (
                np.ones(count, "<f4").tobytes()
                if deviation == 0.0
                else _encode(kind, count, deviation, random)
            )
            file.write(data)
            file.write(bytes(-len(data) % ALIGNMENT))
