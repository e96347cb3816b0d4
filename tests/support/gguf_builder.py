"""Writes GGUF files, valid and hostile, for the tests of the gate.

Independent of the code it tests and of every other GGUF library: it writes what it is told, also
what makes no sense. `Gguf.build()` returns the bytes together with a map of every field, so that a
test can change one field at a time.
"""

import copy
import struct
from dataclasses import dataclass, field
from typing import Any

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B"}
FORMATS |= {U64: "Q", I64: "q", F64: "d"}

TYPE_F32, TYPE_F16, TYPE_Q4_0, TYPE_Q8_0, TYPE_Q4_K, TYPE_I8, TYPE_I64 = 0, 1, 2, 8, 12, 24, 27
BLOCK_BYTES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34), 12: (256, 144), 24: (1, 1)}
BLOCK_BYTES |= {27: (1, 8)}


@dataclass(frozen=True)
class Field:
    """Where a field of fixed size lies in the file, and how it is written."""

    name: str
    offset: int
    format: str

    def read(self, data: bytes) -> Any:
        return struct.unpack_from("<" + self.format, data, self.offset)[0]

    def write(self, data: bytes, value: Any) -> bytes:
        packed = struct.pack("<" + self.format, value)
        return data[: self.offset] + packed + data[self.offset + len(packed) :]


@dataclass
class Pair:
    """A metadata pair. `value` of an array is a list; `raw` replaces the payload as it is."""

    key: str | bytes
    type: int
    value: Any = None
    element: int | None = None
    count: int | None = None
    raw: bytes | None = None


@dataclass
class Entry:
    """A row of the tensor table; what is None is computed."""

    name: str | bytes
    shape: tuple[int, ...]
    type: int = TYPE_F32
    offset: int | None = None
    dimensions: int | None = None
    data: bytes | None = None

    @property
    def size(self) -> int:
        block, size = BLOCK_BYTES.get(self.type, (1, 4))
        elements = 1
        for extent in self.shape:
            elements *= extent
        return elements // block * size


@dataclass(frozen=True)
class Built:
    data: bytes
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field:
        return next(item for item in self.fields if item.name == name)


@dataclass
class Gguf:
    """A file to be written. Change what you like, then `build()`."""

    pairs: list[Pair] = field(default_factory=list)
    tensors: list[Entry] = field(default_factory=list)
    magic: bytes = b"GGUF"
    version: int = 3
    tensor_count: int | None = None
    pair_count: int | None = None
    padding: int | None = None
    """Alignment that the writer uses, where it is not the one that it declares."""
    with_data: bool = True
    tail: bytes = b""
    cut: int = 0
    """Bytes to leave away at the end."""

    def copy(self) -> "Gguf":
        return copy.deepcopy(self)

    def get(self, key: str) -> Pair:
        return next(pair for pair in self.pairs if pair.key == key)

    def set(self, key: str, type_: int, value: Any, element: int | None = None) -> "Gguf":
        """Set a key in place, or add it; None removes it."""
        new = Pair(key, type_, value, element)
        for index, pair in enumerate(self.pairs):
            if pair.key == key:
                self.pairs[index] = new
                return self
        self.pairs.append(new)
        return self

    def drop(self, key: str) -> "Gguf":
        self.pairs = [pair for pair in self.pairs if pair.key != key]
        return self

    def tensor(self, name: str) -> Entry:
        return next(entry for entry in self.tensors if entry.name == name)

    def without(self, name: str) -> "Gguf":
        self.tensors = [entry for entry in self.tensors if entry.name != name]
        return self

    def alignment(self) -> int:
        if self.padding is not None:
            return self.padding
        for pair in self.pairs:
            if pair.key == "general.alignment" and isinstance(pair.value, int) and pair.value > 0:
                return pair.value
        return 32

    def bytes(self) -> bytes:
        return self.build().data

    def build(self) -> Built:
        writer = _Writer()
        writer.raw(self.magic)
        writer.number("version", "I", self.version)
        tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        writer.number("tensor_count", "Q", tensors)
        pairs = len(self.pairs) if self.pair_count is None else self.pair_count
        writer.number("pair_count", "Q", pairs)
        for index, pair in enumerate(self.pairs):
            writer.pair(f"pair[{_text(pair.key) or index}]", pair)
        step = self.alignment()
        offset = 0
        for index, entry in enumerate(self.tensors):
            here = offset if entry.offset is None else entry.offset
            writer.entry(f"tensor[{_text(entry.name) or index}]", entry, here)
            offset += -(-entry.size // step) * step
        if self.with_data and self.tensors:
            writer.pad(step)
            for index, entry in enumerate(self.tensors):
                writer.raw(entry.data if entry.data is not None else _noise(entry.size, index))
                writer.pad(step)
        writer.raw(self.tail)
        data = writer.bytes_()
        return Built(data[: len(data) - self.cut] if self.cut else data, tuple(writer.fields))


def _text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("latin-1")


def _noise(size: int, seed: int) -> bytes:
    """Bytes that are small finite numbers in F32 and F16 alike; none for a size that only lies."""
    if size > 2**24:
        return b""
    pattern = bytes((0, 0, 0, 0x3C)) if seed % 2 else bytes((0, 0, 0, 0x3D))
    return (pattern * (size // 4 + 1))[:size]


class _Writer:
    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.fields: list[Field] = []

    def bytes_(self) -> bytes:
        return b"".join(self._parts)

    def raw(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)

    def pad(self, step: int) -> None:
        self.raw(b"\0" * (-self._size % step))

    def number(self, name: str, format_: str, value: Any) -> None:
        self.fields.append(Field(name, self._size, format_))
        limit = {"I": 2**32, "Q": 2**64}.get(format_)
        self.raw(struct.pack("<" + format_, value % limit if limit else value))

    def string(self, name: str, value: str | bytes) -> None:
        data = value.encode() if isinstance(value, str) else value
        self.number(f"{name}.length", "Q", len(data))
        for at in range(len(data)):
            self.fields.append(Field(f"{name}.byte[{at}]", self._size + at, "B"))
        self.raw(data)

    def pair(self, name: str, pair: Pair) -> None:
        self.string(f"{name}.key", pair.key)
        self.number(f"{name}.type", "I", pair.type)
        if pair.raw is not None:
            self.raw(pair.raw)
        elif pair.type == ARRAY:
            self.number(f"{name}.element", "I", pair.element)
            values = pair.value
            count = len(values) if pair.count is None else pair.count
            self.number(f"{name}.count", "Q", count)
            for index, value in enumerate(values):
                self._scalar(f"{name}.value[{index}]", pair.element, value)
        else:
            self._scalar(f"{name}.value", pair.type, pair.value)

    def _scalar(self, name: str, type_: int | None, value: Any) -> None:
        if type_ == STRING:
            self.string(name, value)
        elif type_ in FORMATS:
            self.number(name, FORMATS[type_], value)

    def entry(self, name: str, entry: Entry, offset: int) -> None:
        self.string(f"{name}.name", entry.name)
        count = len(entry.shape) if entry.dimensions is None else entry.dimensions
        self.number(f"{name}.dimensions", "I", count)
        for axis, extent in enumerate(entry.shape):
            self.number(f"{name}.shape[{axis}]", "q", extent)
        self.number(f"{name}.type", "I", entry.type)
        self.number(f"{name}.offset", "Q", offset)


def large_array(key: str, element: int, values: list[Any]) -> Pair:
    """An array of many elements, written at once and without a map of its fields."""
    if element == STRING:
        words = [value.encode() for value in values]
        payload = b"".join(len(word).to_bytes(8, "little") + word for word in words)
    else:
        payload = struct.pack(f"<{len(values)}{FORMATS[element]}", *values)
    return Pair(key, ARRAY, raw=struct.pack("<IQ", element, len(values)) + payload)


def byte_tokens() -> list[str]:
    return [f"<0x{byte:02X}>" for byte in range(256)]


def bpe_vocabulary(size: int = 64) -> list[Pair]:
    """A byte-level BPE vocabulary: letters, one merge, an unknown and an end token."""
    tokens = ["<|unk|>", "<|end|>", "he"] + [
        chr(0x61 + i % 26) * (1 + i // 26) for i in range(size)
    ]
    tokens = tokens[:size]
    types = [2, 3] + [1] * (size - 2)
    return [
        Pair("tokenizer.ggml.model", STRING, "gpt2"),
        Pair("tokenizer.ggml.pre", STRING, "gpt-2"),
        Pair("tokenizer.ggml.tokens", ARRAY, tokens, STRING),
        Pair("tokenizer.ggml.token_type", ARRAY, types, I32),
        Pair("tokenizer.ggml.merges", ARRAY, ["h e"], STRING),
        Pair("tokenizer.ggml.bos_token_id", U32, 1),
        Pair("tokenizer.ggml.eos_token_id", U32, 1),
    ]


def spm_vocabulary() -> list[Pair]:
    """A SentencePiece vocabulary: unknown, begin, end, the 256 bytes, a few letters."""
    tokens = ["<unk>", "<s>", "</s>", *byte_tokens(), *(chr(0x61 + i) for i in range(26)), "▁"]
    types = [2, 3, 3] + [6] * 256 + [1] * 27
    return [
        Pair("tokenizer.ggml.model", STRING, "llama"),
        Pair("tokenizer.ggml.tokens", ARRAY, tokens, STRING),
        Pair("tokenizer.ggml.scores", ARRAY, [0.0] * len(tokens), F32),
        Pair("tokenizer.ggml.token_type", ARRAY, types, I32),
        Pair("tokenizer.ggml.bos_token_id", U32, 1),
        Pair("tokenizer.ggml.eos_token_id", U32, 2),
        Pair("tokenizer.ggml.unknown_token_id", U32, 0),
    ]


def llama_model(*, blocks: int = 1, weights: int = TYPE_F32, vocabulary: int = 64) -> Gguf:
    """A tiny valid model of the Llama architecture: 2 query heads, 1 key head, of 16 each."""
    width, feed = 32, 64
    model = Gguf()
    model.pairs = [
        Pair("general.architecture", STRING, "llama"),
        Pair("general.name", STRING, "tiny"),
        Pair("llama.context_length", U32, 128),
        Pair("llama.embedding_length", U32, width),
        Pair("llama.block_count", U32, blocks),
        Pair("llama.feed_forward_length", U32, feed),
        Pair("llama.attention.head_count", U32, 2),
        Pair("llama.attention.head_count_kv", U32, 1),
        Pair("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        Pair("llama.rope.dimension_count", U32, 16),
        Pair("llama.vocab_size", U32, vocabulary),
        *bpe_vocabulary(vocabulary),
    ]
    model.tensors = [Entry("token_embd.weight", (width, vocabulary), weights)]
    for block in range(blocks):
        prefix = f"blk.{block}."
        model.tensors += [
            Entry(prefix + "attn_norm.weight", (width,)),
            Entry(prefix + "attn_q.weight", (width, 32), weights),
            Entry(prefix + "attn_k.weight", (width, 16), weights),
            Entry(prefix + "attn_v.weight", (width, 16), weights),
            Entry(prefix + "attn_output.weight", (32, width), weights),
            Entry(prefix + "ffn_norm.weight", (width,)),
            Entry(prefix + "ffn_gate.weight", (width, feed), weights),
            Entry(prefix + "ffn_up.weight", (width, feed), weights),
            Entry(prefix + "ffn_down.weight", (feed, width), weights),
        ]
    model.tensors.append(Entry("output_norm.weight", (width,)))
    return model
