"""Values of the metadata, fetched from the file when a check asks for them.

The header holds small values and remembers where large ones lie; these functions read those again,
within the bounds that `header` has already checked. They return None when the value is absent or
of another type: what that means is for the caller to say.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from appliance.registry.gguf.header import LONGEST_ELEMENT, Header, Value
from appliance.registry.gguf.reader import Batch, ByteSource, Cursor, read_exactly
from appliance.registry.gguf.types import ValueType

NUMBERS: dict[ValueType, npt.DTypeLike] = {
    ValueType.UINT8: "<u1",
    ValueType.INT8: "<i1",
    ValueType.UINT16: "<u2",
    ValueType.INT16: "<i2",
    ValueType.UINT32: "<u4",
    ValueType.INT32: "<i4",
    ValueType.FLOAT32: "<f4",
    ValueType.BOOL: "<u1",
    ValueType.UINT64: "<u8",
    ValueType.INT64: "<i8",
    ValueType.FLOAT64: "<f8",
}


class Metadata:
    """The metadata of one file: the header's values and the source to read the large ones from."""

    def __init__(self, header: Header, source: ByteSource) -> None:
        self._values = header.metadata
        self._source = source

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def value(self, key: str) -> Value | None:
        """Return the value as the header knows it."""
        return self._values.get(key)

    def text(self, key: str) -> str | None:
        """Return a string, however long (at most `LONGEST_STRING` bytes)."""
        value = self._values.get(key)
        if value is None or value.type is not ValueType.STRING:
            return None
        if isinstance(value.scalar, str):
            return value.scalar
        return read_exactly(self._source, value.offset, value.size).decode("utf-8", "replace")

    def number(self, key: str) -> int | float | None:
        """Return a scalar number; a yes/no value is none."""
        value = self._values.get(key)
        scalar = value.scalar if value is not None else None
        if isinstance(scalar, bool) or not isinstance(scalar, int | float):
            return None
        return scalar

    def numbers(self, key: str) -> npt.NDArray[np.generic] | None:
        """Return an array of numbers, in its own element type."""
        value = self._values.get(key)
        if value is None or value.element is None or value.element is ValueType.STRING:
            return None
        raw = read_exactly(self._source, value.offset, value.size)
        return np.frombuffer(raw, dtype=NUMBERS[value.element])

    def batches(self, key: str) -> Iterator[Batch]:
        """Yield the elements of an array of strings; nothing if it is no such array."""
        value = self._values.get(key)
        if value is not None and value.element is ValueType.STRING:
            cursor = Cursor(self._source, start=value.offset, budget=value.size)
            yield from cursor.batches(value.count, LONGEST_ELEMENT, "element")
