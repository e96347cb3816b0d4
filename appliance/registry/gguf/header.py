"""The header of a GGUF file: version, metadata and tensor table, read in one bounded pass.

`read_header` promises that what it returns is structurally sound: known version, counts and lengths
inside the file, unique keys and names, known value types, valid UTF-8, dimensions and element types
that make a size below 2^63. It says nothing about meaning; that is for the checks.

Large values stay in the file: a `Value` remembers where its payload lies, and `payload.py` reads it
again when a check asks. So memory does not grow with the vocabulary.

Format: github ggml-org/ggml, `docs/gguf.md`; little-endian, versions 2 and 3 (same layout).
"""

import struct

import msgspec

from appliance.registry.gguf.finding import MalformedError, Rule, shown
from appliance.registry.gguf.reader import ByteSource, Cursor
from appliance.registry.gguf.types import (
    NOT_FOR_WEIGHTS,
    REMOVED,
    SCALAR_FORMAT,
    SCALAR_SIZE,
    TENSOR_TYPES,
    TensorType,
    ValueType,
)

MAGIC = b"GGUF"
VERSIONS = (2, 3)

HEADER_BUDGET = 64 * 1024 * 1024
"""Bytes that metadata and tensor table may take. The largest vocabulary known (262,144 tokens and
514,906 merges) takes 16 MB."""
MOST_KEYS = 4096
MOST_TENSORS = 16_384
"""512 blocks of 32 tensors, the most blocks that are accepted."""
LONGEST_KEY = 256
LONGEST_NAME = 63
"""`GGML_MAX_NAME` is 64 and counts the terminating zero."""
LONGEST_STRING = 1024 * 1024
LONGEST_ELEMENT = 16 * 1024
"""Of a string inside an array. The longest token seen in real vocabularies has 1,024 bytes."""
MOST_ELEMENTS = 1024 * 1024
MOST_STRINGS = 3 * 512 * 1024
"""Array strings in the whole file: each costs time, whatever its length."""
KEPT_TEXT = 1024
"""Strings up to this size are kept with the header; longer ones are read again when asked for."""
MOST_DIMENSIONS = 4
LARGEST = 2**63 - 1

_PREFIX = struct.Struct("<4sIQQ")
_SMALLEST_PAIR = 8 + 1 + 4 + 1
_SMALLEST_TENSOR = 8 + 1 + 4 + 8 + 4 + 8


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A metadata value: its type, where its payload lies, and the payload itself if it is small."""

    type: ValueType
    element: ValueType | None = None
    """Type of an array's elements."""
    count: int = 1
    """Elements of an array; 1 otherwise."""
    offset: int
    """Of the first payload byte: after the length of a string, after the count of an array."""
    size: int
    """Payload bytes."""
    scalar: int | float | bool | str | None = None
    """None for arrays and for strings over `KEPT_TEXT`."""


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the tensor table."""

    name: str
    shape: tuple[int, ...]
    """As ggml counts: the first dimension is the length of a row."""
    type: TensorType
    offset: int
    """In bytes from the start of the data section."""
    position: int
    """Where in the file this row of the table begins."""

    @property
    def elements(self) -> int:
        """Number of elements."""
        product = 1
        for extent in self.shape:
            product *= extent
        return product

    @property
    def size(self) -> int:
        """Bytes in the data section, without padding."""
        return self.elements // self.type.block * self.type.size


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the data section."""

    version: int
    metadata: dict[str, Value]
    tensors: tuple[Tensor, ...]
    end: int
    """First byte after the tensor table; the data section begins at the next aligned offset."""


def read_header(source: ByteSource) -> Header:
    """Read the header of `source`.

    Raises `MalformedError` at the first thing that cannot be followed.
    """
    cursor = Cursor(source, budget=HEADER_BUDGET)
    version, tensor_count, pair_count = _prefix(cursor)
    metadata = _metadata(cursor, pair_count)
    names: dict[str, None] = {}
    tensors = tuple(_tensor(cursor, index, names) for index in range(tensor_count))
    return Header(version=version, metadata=metadata, tensors=tensors, end=cursor.position)


def _prefix(cursor: Cursor) -> tuple[int, int, int]:
    if cursor.left < _PREFIX.size:
        text = f"the file has {cursor.left} bytes; a GGUF file begins with {_PREFIX.size}"
        raise MalformedError(Rule.TRUNCATED, "offset 0", text)
    magic, version, tensors, pairs = _PREFIX.unpack(cursor.take(_PREFIX.size, "the header"))
    if magic != MAGIC:
        raise MalformedError(Rule.MAGIC, "offset 0", "does not begin with 'GGUF': not a GGUF file")
    if version not in VERSIONS:
        swapped = int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS
        text = "is big-endian" if swapped else f"is of version {version}"
        text += "; versions 2 and 3, little-endian, are accepted: convert it again"
        raise MalformedError(Rule.VERSION, "offset 4", text)
    for count, most, smallest, where, what in (
        (tensors, MOST_TENSORS, _SMALLEST_TENSOR, "offset 8", "tensors"),
        (pairs, MOST_KEYS, _SMALLEST_PAIR, "offset 16", "metadata keys"),
    ):
        if count > most:
            text = f"claims {count} {what}; at most {most} are accepted"
            raise MalformedError(Rule.COUNT, where, text)
        if count * smallest > cursor.left:
            text = f"claims {count} {what}, more than the {cursor.left} bytes left can hold"
            raise MalformedError(Rule.COUNT, where, text)
    return version, tensors, pairs


def _name(raw: bytes, rule: Rule, where: str, what: str) -> str:
    if not raw:
        raise MalformedError(rule, where, f"{what} is empty")
    if not raw.isascii() or not all(0x21 <= byte <= 0x7E for byte in raw):
        text = f"{what} {shown(raw)} has characters other than visible ASCII"
        raise MalformedError(rule, where, text)
    return raw.decode("ascii")


def _metadata(cursor: Cursor, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    strings = 0
    for index in range(count):
        where = f"offset {cursor.position}"
        raw = cursor.string(LONGEST_KEY, f"metadata key {index}")
        key = _name(raw, Rule.KEY, where, f"metadata key {index}")
        if key in metadata:
            raise MalformedError(Rule.KEY, where, f"the key {shown(key)} appears twice")
        value = _value(cursor, key, MOST_STRINGS - strings)
        if value.element is ValueType.STRING:
            strings += value.count
        metadata[key] = value
    return metadata


def _value_type(cursor: Cursor, key: str) -> ValueType:
    code = cursor.u32(f"value type of {shown(key)}")
    try:
        return ValueType(code)
    except ValueError:
        text = f"has value type {code}, which does not exist"
        raise MalformedError(Rule.VALUE_TYPE, shown(key), text) from None


def _value(cursor: Cursor, key: str, strings_left: int) -> Value:
    kind = _value_type(cursor, key)
    if kind is ValueType.ARRAY:
        return _array(cursor, key, strings_left)
    if kind is ValueType.STRING:
        raw = cursor.string(LONGEST_STRING, f"value of {shown(key)}")
        offset = cursor.position - len(raw)
        text = _utf8(raw, shown(key))
        kept = text if len(raw) <= KEPT_TEXT else None
        return Value(type=kind, offset=offset, size=len(raw), scalar=kept)
    size = SCALAR_SIZE[kind]
    offset = cursor.position
    scalar = struct.unpack(SCALAR_FORMAT[kind], cursor.take(size, f"value of {shown(key)}"))[0]
    if kind is ValueType.BOOL:
        if scalar > 1:
            text = f"is a yes/no value and holds {scalar}; only 0 and 1 are"
            raise MalformedError(Rule.VALUE, shown(key), text)
        scalar = bool(scalar)
    return Value(type=kind, offset=offset, size=size, scalar=scalar)


def _array(cursor: Cursor, key: str, strings_left: int) -> Value:
    element = _value_type(cursor, key)
    if element is ValueType.ARRAY:
        text = "is an array of arrays, which no model needs and readers recurse on"
        raise MalformedError(Rule.VALUE_TYPE, shown(key), text)
    count = cursor.u64(f"length of {shown(key)}")
    most = MOST_ELEMENTS
    if element is ValueType.STRING:
        most = min(most, strings_left)
    if count > most:
        text = f"claims {count} elements; at most {most} are accepted here"
        raise MalformedError(Rule.COUNT, shown(key), text)
    what = f"array {shown(key)}"
    offset = cursor.position
    if element is ValueType.STRING:
        cursor.need(count * 8, what)
        for batch in cursor.batches(count, LONGEST_ELEMENT, f"element of {what}"):
            index = batch.not_utf8()
            if index is not None:
                where = f"{shown(key)} element {index}"
                raise MalformedError(Rule.TEXT, where, "is not valid UTF-8")
    else:
        cursor.skip(count * SCALAR_SIZE[element], what)
    size = cursor.position - offset
    return Value(type=ValueType.ARRAY, element=element, count=count, offset=offset, size=size)


def _utf8(raw: bytes, where: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        text = f"is not valid UTF-8 (byte {error.start} of the string)"
        raise MalformedError(Rule.TEXT, where, text) from None


def _tensor(cursor: Cursor, index: int, names: dict[str, None]) -> Tensor:
    position = cursor.position
    where = f"offset {position}"
    raw = cursor.string(LONGEST_KEY, f"name of tensor {index}")
    if len(raw) > LONGEST_NAME:
        text = f"the name of tensor {index} has {len(raw)} bytes; at most {LONGEST_NAME} fit"
        raise MalformedError(Rule.TENSOR_NAME, where, text)
    name = _name(raw, Rule.TENSOR_NAME, where, f"the name of tensor {index}")
    if name in names:
        raise MalformedError(Rule.TENSOR_NAME, where, f"the tensor {shown(name)} appears twice")
    names[name] = None
    shape = _shape(cursor, name)
    kind = _tensor_type(cursor, name)
    if shape[0] % kind.block:
        text = f"has rows of {shape[0]} elements; {kind.name} stores them in blocks of {kind.block}"
        raise MalformedError(Rule.TENSOR_SHAPE, shown(name), text)
    offset = cursor.u64(f"offset of tensor {shown(name)}")
    tensor = Tensor(name=name, shape=shape, type=kind, offset=offset, position=position)
    if tensor.size > LARGEST:
        text = f"has a size of {tensor.size} bytes, which overflows 63 bits"
        raise MalformedError(Rule.TENSOR_SHAPE, shown(name), text)
    return tensor


def _shape(cursor: Cursor, name: str) -> tuple[int, ...]:
    dimensions = cursor.u32(f"number of dimensions of {shown(name)}")
    if not 1 <= dimensions <= MOST_DIMENSIONS:
        text = f"has {dimensions} dimensions; 1 to {MOST_DIMENSIONS} are possible"
        raise MalformedError(Rule.TENSOR_SHAPE, shown(name), text)
    what = f"dimensions of {shown(name)}"
    shape: tuple[int, ...] = struct.unpack(f"<{dimensions}q", cursor.take(8 * dimensions, what))
    product = 1
    for axis, extent in enumerate(shape):
        if extent < 1:
            text = f"has {extent} as dimension {axis}; every dimension is at least 1"
            raise MalformedError(Rule.TENSOR_SHAPE, shown(name), text)
        product *= extent
    if product > LARGEST:
        raise MalformedError(
            Rule.TENSOR_SHAPE, shown(name), "has more elements than 63 bits can count"
        )
    return shape


def _tensor_type(cursor: Cursor, name: str) -> TensorType:
    code = cursor.u32(f"type of {shown(name)}")
    kind = TENSOR_TYPES.get(code)
    if kind is not None:
        return kind
    if code in NOT_FOR_WEIGHTS:
        text = f"is stored as {NOT_FOR_WEIGHTS[code]}, which no layer reads as weights"
    elif code in REMOVED:
        text = f"is stored as {REMOVED[code]}, which was removed from ggml; quantize again"
    else:
        text = f"has tensor type {code}, which does not exist"
    raise MalformedError(Rule.TENSOR_TYPE, shown(name), text)
