"""Where the tensors lie: aligned, one after the other, no gap, no overlap, up to the file's end.

llama.cpp maps the file and trusts these offsets; a gap or a tail would also carry bytes that
nothing looks at.
"""

from appliance.registry.gguf.finding import Finding, MalformedError, Rule, shown
from appliance.registry.gguf.header import LARGEST, Header
from appliance.registry.gguf.types import ValueType

ALIGNMENT_KEY = "general.alignment"
DEFAULT_ALIGNMENT = 32
LEAST_ALIGNMENT = 8
"""GGUF: an alignment is a multiple of 8."""
MOST_ALIGNMENT = 1024 * 1024


def alignment(header: Header) -> int:
    """Return the alignment of the data section. Raises `MalformedError` if it is not usable."""
    value = header.metadata.get(ALIGNMENT_KEY)
    if value is None:
        return DEFAULT_ALIGNMENT
    if value.type is not ValueType.UINT32 or not isinstance(value.scalar, int):
        text = f"is of type {value.type.name.lower()}; an alignment is a uint32"
        raise MalformedError(Rule.ALIGNMENT, ALIGNMENT_KEY, text)
    bytes_ = value.scalar
    if not LEAST_ALIGNMENT <= bytes_ <= MOST_ALIGNMENT or bytes_ & (bytes_ - 1):
        text = f"is {bytes_}; a power of two from {LEAST_ALIGNMENT} to {MOST_ALIGNMENT} is accepted"
        raise MalformedError(Rule.ALIGNMENT, ALIGNMENT_KEY, text)
    return bytes_


def padded(size: int, step: int) -> int:
    """Return `size` rounded up to a multiple of `step`."""
    return -(-size // step) * step


def data_offset(header: Header) -> int:
    """Return the offset in the file at which the data section begins."""
    return padded(header.end, alignment(header)) if header.tensors else header.end


def check_layout(header: Header, file_size: int) -> list[Finding]:
    """Compare every offset with where the tensor has to be, and the last end with the file's.

    A file may end with the last tensor or with its padding: writers do both.
    """
    step = alignment(header)
    start = data_offset(header)
    expected = 0
    last_end = 0
    for tensor in header.tensors:
        if tensor.offset != expected:
            text = f"begins at {tensor.offset} of the data section and not at {expected}"
            text += ": tensors lie one after the other"
            return [Finding(rule=Rule.OFFSET, where=shown(tensor.name), what=text)]
        last_end = expected + tensor.size
        expected = padded(last_end, step)
        if start + expected > LARGEST:
            text = "ends beyond what 63 bits can address"
            return [Finding(rule=Rule.OFFSET, where=shown(tensor.name), what=text)]
        if start + last_end > file_size:
            text = f"ends at {start + last_end}, beyond the file's {file_size} bytes; copy it again"
            return [Finding(rule=Rule.TRUNCATED, where=shown(tensor.name), what=text)]
    if file_size not in (start + last_end, start + expected):
        text = f"the file has {file_size} bytes; its tensors end at {start + last_end}"
        return [Finding(rule=Rule.FILE_END, where=f"offset {start + last_end}", what=text)]
    return []
