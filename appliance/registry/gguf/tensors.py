"""The tensor table against the family's: all that is needed is there, nothing else, in its shape.

Both directions matter. llama.cpp refuses missing tensors, but only after it has allocated; of those
it does not know it makes nothing, so they would be bytes that nobody looks at.
"""

from collections.abc import Iterator

from appliance.registry.gguf.dimensions import Dimensions
from appliance.registry.gguf.family import Either, Family, Part, Spec
from appliance.registry.gguf.finding import Finding, Rule, shown
from appliance.registry.gguf.header import Header, Tensor

MOST_FINDINGS = 20

_SCALES = (".scale", ".input_scale")
"""Companions of a quantized matrix (NVFP4): one factor, or one for each expert."""


def check_tensors(header: Header, family: Family, dimensions: Dimensions) -> list[Finding]:
    """Compare names, shapes and element types; at most `MOST_FINDINGS` findings."""
    open_ = {tensor.name: tensor for tensor in header.tensors}
    findings: list[Finding] = []
    for prefix, block, parts in _places(family, dimensions):
        for spec in _specs(parts, prefix, open_):
            findings += _check(spec, prefix, block, dimensions, open_)
        if len(findings) >= MOST_FINDINGS:
            return findings[:MOST_FINDINGS]
    findings += _scales(header, open_)
    for name in open_:
        text = "is a tensor that this architecture does not have, or not with these numbers"
        findings.append(Finding(rule=Rule.TENSOR_SET, where=shown(name), what=text))
    return findings[:MOST_FINDINGS]


def _places(family: Family, dimensions: Dimensions) -> Iterator[tuple[str, int, tuple[Part, ...]]]:
    yield "", 0, family.whole
    for block in range(len(dimensions.lengths)):
        yield f"blk.{block}.", block, family.block


def _specs(parts: tuple[Part, ...], prefix: str, present: dict[str, Tensor]) -> Iterator[Spec]:
    for part in parts:
        if isinstance(part, Either):
            told = (item for item in part.sets if prefix + item[0].name in present)
            yield from next(told, part.sets[0])
        else:
            yield part


def _check(
    spec: Spec, prefix: str, block: int, dimensions: Dimensions, open_: dict[str, Tensor]
) -> list[Finding]:
    """Check one tensor of the table and take it out of those still open."""
    name = prefix + spec.name
    conditions = dimensions.conditions[block]
    if name not in open_:
        if conditions[spec.need]:
            return [Finding(rule=Rule.TENSOR_SET, where=shown(name), what="is missing")]
        return []
    if not (conditions[spec.need] or conditions[spec.may]):
        return []  # stays open: a tensor that these numbers leave no place for
    expected = tuple(dimensions.length(word, block) for word in spec.shape)
    return _compare(open_.pop(name), expected)


def _scales(header: Header, open_: dict[str, Tensor]) -> list[Finding]:
    """Check the companions of matrices, and take them out of those still open."""
    findings: list[Finding] = []
    for tensor in header.tensors:
        stem = tensor.name.removesuffix(".weight")
        if len(tensor.shape) < 2 or stem == tensor.name or tensor.name in open_:
            continue
        for suffix in _SCALES:
            scale = open_.pop(stem + suffix, None)
            if scale is not None:
                findings += _compare(scale, tensor.shape[2:] or (1,))
    return findings


def _compare(tensor: Tensor, expected: tuple[int, ...]) -> list[Finding]:
    findings = []
    if _trimmed(tensor.shape) != _trimmed(expected):
        text = f"has the shape {_words(tensor.shape)}; the numbers of the model give"
        text += f" {_words(expected)}"
        findings.append(Finding(rule=Rule.TENSOR_SHAPE, where=shown(tensor.name), what=text))
    if len(expected) == 1 and tensor.type.name != "F32":
        text = f"is stored as {tensor.type.name}; norms, biases and factors are read as F32"
        findings.append(Finding(rule=Rule.TENSOR_TYPE, where=shown(tensor.name), what=text))
    return findings


def _trimmed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a shape without trailing ones, which ggml does not tell apart."""
    length = len(shape)
    while length > 1 and shape[length - 1] == 1:
        length -= 1
    return shape[:length]


def _words(shape: tuple[int, ...]) -> str:
    return " × ".join(str(extent) for extent in shape)
