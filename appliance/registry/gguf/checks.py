"""Everything that is checked once the header could be read, in order.

Cheap questions first: a file that is no language model at all is told so, and not by the thirty
tensors that it lacks.
"""

from itertools import islice

from appliance.registry.gguf.dimensions import resolve
from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.gguf.family import Family
from appliance.registry.gguf.finding import Finding, Rule, shown
from appliance.registry.gguf.header import Header
from appliance.registry.gguf.hyperparameters import Hyperparameters
from appliance.registry.gguf.keys import check_keys
from appliance.registry.gguf.layout import check_layout
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.tensors import check_tensors
from appliance.registry.gguf.types import ValueType
from appliance.registry.gguf.vocabulary import check_vocabulary, count_tokens

ARCHITECTURE = "general.architecture"
KIND = "general.type"
QUANTIZATION_VERSION = 2
"""`GGML_QNT_VERSION`: the meaning of quantized blocks."""
LABELS = "classifier.output_labels"
MOST_LABELS = 4096
MOST_KEYS = 10
"""Unknown keys that are named; more of them say no more."""

OTHER_KINDS = {
    "mmproj": "is a multimodal projector; the box runs language models alone",
    "adapter": "is an adapter and no model; it is imported with its base",
    "imatrix": "is an importance matrix and no model",
    "vocab": "is a vocabulary and no model",
}

_U16 = (ValueType.UINT16, ValueType.UINT32)


def check(header: Header, metadata: Metadata, file_size: int) -> list[Finding]:
    """Return everything that is wrong with a file whose header could be read.

    Raises `MalformedError` only if the file can no longer be read.
    """
    findings = check_layout(header, file_size)
    findings += _content(header, metadata)
    architecture = metadata.text(ARCHITECTURE)
    family = BY_ARCHITECTURE.get(architecture) if architecture is not None else None
    if findings or family is None or architecture is None:
        return findings
    findings += _labels_fault(metadata, architecture)
    findings += islice(check_keys(metadata, architecture, family), MOST_KEYS)
    findings += check_vocabulary(metadata)
    numbers = Hyperparameters(metadata, architecture, family)
    if not numbers.findings:
        dimensions = resolve(numbers, count_tokens(metadata), _labels(metadata, architecture))
        if dimensions is not None:
            return findings + check_tensors(header, family, dimensions)
    return findings + numbers.findings


def family_of(metadata: Metadata) -> Family | None:
    """Return the family that a file says it belongs to."""
    return BY_ARCHITECTURE.get(metadata.text(ARCHITECTURE) or "")


def _content(header: Header, metadata: Metadata) -> list[Finding]:
    """Is it a whole language model of an admitted architecture at all?"""
    kind = metadata.text(KIND)
    if KIND in metadata and kind != "model":
        what = OTHER_KINDS.get(kind or "", "is not 'model'; only models are accepted")
        return [Finding(rule=Rule.CONTENT, where=KIND, what=what)]
    architecture = metadata.text(ARCHITECTURE)
    if architecture is None:
        return [_architecture("is missing, or not a string")]
    if architecture == "clip":
        return [_architecture(OTHER_KINDS["mmproj"])]
    if architecture not in BY_ARCHITECTURE:
        return [_architecture(f"is {shown(architecture)}, which is not admitted")]
    parts = metadata.value("split.count")
    if parts is not None and (parts.type not in _U16 or parts.scalar != 1):
        text = "is one part of a split model; 'cloister bundle create' merges all parts"
        return [Finding(rule=Rule.CONTENT, where="split.count", what=text)]
    if not header.tensors:
        text = "has no tensors: a vocabulary or a header alone, and no model"
        return [Finding(rule=Rule.CONTENT, where="file", what=text)]
    return _quantization(metadata)


def _architecture(what: str) -> Finding:
    return Finding(rule=Rule.ARCHITECTURE, where=ARCHITECTURE, what=what)


def _quantization(metadata: Metadata) -> list[Finding]:
    key = "general.quantization_version"
    value = metadata.value(key)
    if value is None:
        return []
    if value.type is ValueType.UINT32 and value.scalar == QUANTIZATION_VERSION:
        return []
    text = f"is not {QUANTIZATION_VERSION}, the version of the blocks that are read; quantize again"
    return [Finding(rule=Rule.TENSOR_TYPE, where=key, what=text)]


def _labels_fault(metadata: Metadata, architecture: str) -> list[Finding]:
    key = f"{architecture}.{LABELS}"
    value = metadata.value(key)
    if value is None or (value.element is ValueType.STRING and 1 <= value.count <= MOST_LABELS):
        return []
    text = f"is not an array of 1 to {MOST_LABELS} strings"
    return [Finding(rule=Rule.VALUE_TYPE, where=key, what=text)]


def _labels(metadata: Metadata, architecture: str) -> int:
    """Return the number of a classifier's outputs: its labels, or one."""
    value = metadata.value(f"{architecture}.{LABELS}")
    return value.count if value is not None else 1
