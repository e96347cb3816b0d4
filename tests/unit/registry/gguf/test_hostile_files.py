"""Every error case that llama.cpp names in its `tests/test-gguf.cpp`, and what it leaves out."""

import re
from collections.abc import Callable

import pytest

from appliance.registry.scan import ScanReport, scan_source
from tests.support.gguf_builder import (
    ARRAY,
    BOOL,
    F32,
    I32,
    STRING,
    TYPE_I64,
    U32,
    U64,
    Entry,
    Gguf,
    Pair,
    llama_model,
)
from tests.support.gguf_sources import CountingSource

HUGE = 2**64 - 1
LONG_NAME = "my_tensor_with_a_very_long_name_which_is_longer_than_what_is_allowed_for_ggml_tensors"


def scan(model: Gguf) -> ScanReport:
    return scan_source(CountingSource(model.bytes()), "model.gguf")


def pairs(*extra: Pair) -> Gguf:
    """A file of metadata alone, as the handcrafted files of llama.cpp are."""
    return Gguf(pairs=[Pair("my_key_0", U32, 7), *extra])


def tensors(*entries: Entry) -> Gguf:
    return Gguf(pairs=[Pair("my_key_0", U32, 7)], tensors=list(entries))


def bad_key_size() -> Gguf:
    model = pairs()
    model.pairs = []
    model.pair_count = 1
    model.tail = (HUGE).to_bytes(8, "little") + b"\0" * 32
    return model


def inconsistent_alignment(*, with_data: bool) -> Gguf:
    model = tensors(Entry("my_tensor_0", (5,)), Entry("my_tensor_1", (50,)))
    model.padding = 1
    model.with_data = with_data
    return model


FIRST = Entry("my_tensor_0", (8,))

# Names are those of `enum handcrafted_file_type`, without HANDCRAFTED_.
CASES: dict[str, tuple[Gguf, str, str]] = {
    "HEADER_BAD_MAGIC": (Gguf(magic=b"FUGG"), "magic", "not a GGUF file"),
    "HEADER_BAD_VERSION_0": (Gguf(version=0), "version", "version 0"),
    "HEADER_BAD_VERSION_1": (Gguf(version=1), "version", "version 1"),
    "HEADER_BAD_VERSION_FUTURE": (Gguf(version=4), "version", "version 4"),
    "HEADER_BAD_N_TENSORS": (Gguf(tensor_count=HUGE), "count", f"{HUGE} tensors"),
    "HEADER_BAD_N_KV": (Gguf(pair_count=HUGE), "count", f"{HUGE} metadata keys"),
    "HEADER_EMPTY": (Gguf(), "architecture", "is missing"),
    "KV_BAD_KEY_SIZE": (bad_key_size(), "truncated", "metadata key 0"),
    "KV_EMPTY_KEY": (pairs(Pair("", U32, 1)), "key", "is empty"),
    "KV_BAD_TYPE": (pairs(Pair("k", 13, raw=b"\0")), "value-type", "value type 13"),
    "KV_BAD_TYPE of an array": (
        pairs(Pair("k", ARRAY, [], 13)),
        "value-type",
        "value type 13",
    ),
    "KV_DUPLICATE_KEY": (pairs(Pair("my_key_0", U32, 1)), "key", "appears twice"),
    "KV_BAD_ALIGN": (pairs(Pair("general.alignment", U32, 13)), "alignment", "is 13"),
    "KV_WRONG_TYPE_ALIGN": (
        pairs(Pair("general.alignment", I32, 32)),
        "alignment",
        "of type int32",
    ),
    "KV_SUCCESS": (pairs(), "architecture", "is missing"),
    "TENSORS_BAD_NAME_SIZE": (tensors(Entry(LONG_NAME, (8,))), "tensor-name", "at most 63"),
    "TENSORS_BAD_N_DIMS": (
        tensors(Entry("my_tensor_0", (8,), dimensions=5)),
        "tensor-shape",
        "has 5 dimensions",
    ),
    "TENSORS_BAD_SHAPE": (tensors(Entry("my_tensor_0", (-1,))), "tensor-shape", "-1"),
    "TENSORS_ZERO_DIM": (tensors(Entry("my_tensor_0", (8, 0))), "tensor-shape", "at least 1"),
    "TENSORS_NE_TOO_BIG": (
        tensors(Entry("my_tensor_0", (4 * (2**31 - 1),) * 2)),
        "tensor-shape",
        "more elements than 63 bits",
    ),
    "TENSORS_NBYTES_TOO_BIG": (
        tensors(Entry("my_tensor_0", (1_540_000_000,) * 2)),
        "tensor-shape",
        "overflows 63 bits",
    ),
    "TENSORS_NBYTES_PAD_WRAP": (
        tensors(Entry("my_tensor_0", (4, 2**30 - 1, 2**30 + 1))),
        "tensor-shape",
        "overflows 63 bits",
    ),
    "TENSORS_BAD_TYPE": (tensors(Entry("my_tensor_0", (8,), 43)), "tensor-type", "type 43"),
    "TENSORS_BAD_OFFSET": (
        tensors(Entry("my_tensor_0", (8,), offset=HUGE)),
        "offset",
        f"begins at {HUGE}",
    ),
    "TENSORS_DUPLICATE_NAME": (tensors(FIRST, FIRST), "tensor-name", "appears twice"),
    "TENSORS_BAD_ALIGN": (
        Gguf(pairs=[Pair("general.alignment", U32, 13)], tensors=[FIRST]),
        "alignment",
        "is 13",
    ),
    "TENSORS_INCONSISTENT_ALIGN": (inconsistent_alignment(with_data=False), "truncated", "ends"),
    "TENSORS_SUCCESS": (tensors(FIRST), "architecture", "is missing"),
    "TENSORS_CUSTOM_ALIGN": (
        Gguf(pairs=[Pair("general.alignment", U32, 1)], tensors=[FIRST]),
        "alignment",
        "a power of two from 8",
    ),
    "DATA_NOT_ENOUGH_DATA": (
        Gguf(pairs=[Pair("my_key_0", U32, 7)], tensors=[FIRST], cut=1),
        "truncated",
        "beyond the file's",
    ),
    "DATA_BAD_ALIGN": (
        Gguf(pairs=[Pair("general.alignment", U32, 13)], tensors=[FIRST]),
        "alignment",
        "is 13",
    ),
    "DATA_INCONSISTENT_ALIGN": (inconsistent_alignment(with_data=True), "offset", "not at 32"),
    "DATA_MEM_SIZE_OVERFLOW": (
        tensors(
            Entry("my_tensor_0", (0x7FFFFFFFFFFFFFC0,), 3, data=b"\0" * 32),
            Entry("my_tensor_1", (0x7FFFFFFFFFFFFFC0,), 3, data=b""),
        ),
        "truncated",
        "beyond the file's",
    ),
    "DATA_SUCCESS": (tensors(FIRST), "architecture", "is missing"),
    "DATA_CUSTOM_ALIGN": (
        Gguf(pairs=[Pair("general.alignment", U32, 1)], tensors=[FIRST]),
        "alignment",
        "a power of two from 8",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_case_of_llama_cpp_is_refused_with_its_reason(name: str) -> None:
    model, rule, words = CASES[name]
    report = scan(model)
    assert report.verdict == "refused"
    assert rule in report.rules
    assert any(words in reason for reason in report.reasons), report.reasons


def test_no_case_that_llama_cpp_names_is_left_out(llama_cpp_source: Callable[[str], str]) -> None:
    names = set(re.findall(r"HANDCRAFTED_(\w+) +=", llama_cpp_source("tests/test-gguf.cpp")))
    names -= {"KV_BAD_VALUE_SIZE"}  # commented out there; `test_a_string_longer_than…` has it
    assert names <= set(CASES)


# Below: what that list leaves out. Each takes a valid model and makes one thing wrong.


def mutated(change: Callable[[Gguf], object]) -> ScanReport:
    model = llama_model()
    change(model)
    return scan(model)


def test_the_model_that_the_cases_are_made_from_is_clean() -> None:
    assert scan(llama_model()).verdict == "clean"
    assert scan(llama_model(blocks=3, weights=8)).verdict == "clean"


OTHERS: dict[str, tuple[Callable[[Gguf], object], str, str]] = {
    "a string longer than the file": (
        lambda m: m.pairs.append(Pair("k", STRING, raw=(2**40).to_bytes(8, "little"))),
        "truncated",
        "are left",
    ),
    "an array longer than the file": (
        lambda m: m.pairs.append(Pair("k", ARRAY, [], U64, count=2**20)),
        "truncated",
        "are left",
    ),
    "an array of more elements than any model has": (
        lambda m: m.pairs.append(Pair("k", ARRAY, [], U64, count=2**61)),
        "count",
        "claims 2305843009213693952 elements",
    ),
    "an array of arrays": (
        lambda m: m.pairs.append(Pair("k", ARRAY, [], ARRAY, count=1)),
        "value-type",
        "array of arrays",
    ),
    "a key with a zero byte": (lambda m: m.set("a\0b", U32, 1), "key", "visible ASCII"),
    "a key of a terminal escape": (lambda m: m.set("\x1b[2J", U32, 1), "key", r"\u001b"),
    "a string that is not UTF-8": (
        lambda m: m.set("general.name", STRING, b"\xff\xfe"),
        "text",
        "not valid UTF-8",
    ),
    "an array element that is not UTF-8": (
        lambda m: m.set("general.tags", ARRAY, ["ok", b"\xc3"], STRING),
        "text",
        "element 1",
    ),
    "a sequence cut by the end of its string": (
        lambda m: m.set("general.tags", ARRAY, [b"\xe2\x82", b"\xac"], STRING),
        "text",
        "element 0",
    ),
    "a bool of 2": (
        lambda m: m.pairs.append(Pair("k", BOOL, 2)),
        "value",
        "only 0 and 1",
    ),
    "an alignment above a mebibyte": (
        lambda m: m.set("general.alignment", U32, 2**21),
        "alignment",
        "is 2097152",
    ),
    "an alignment of zero": (
        lambda m: m.set("general.alignment", U32, 0),
        "alignment",
        "is 0",
    ),
    "no dimensions": (
        lambda m: setattr(m.tensor("output_norm.weight"), "dimensions", 0),
        "tensor-shape",
        "has 0 dimensions",
    ),
    "a tensor of integers": (
        lambda m: setattr(m.tensor("output_norm.weight"), "type", TYPE_I64),
        "tensor-type",
        "I64",
    ),
    "a tensor type that was removed": (
        lambda m: setattr(m.tensor("output_norm.weight"), "type", 31),
        "tensor-type",
        "removed",
    ),
    "rows that blocks do not divide": (
        lambda m: setattr(m.tensor("token_embd.weight"), "type", 12),
        "tensor-shape",
        "blocks of 256",
    ),
    "overlapping tensors": (
        lambda m: setattr(m.tensors[2], "offset", 0),
        "offset",
        "one after the other",
    ),
    "a gap between tensors": (
        lambda m: setattr(m.tensors[2], "offset", 65536),
        "offset",
        "one after the other",
    ),
    "bytes after the last tensor": (
        lambda m: setattr(m, "tail", b"payload"),
        "file-end",
        "its tensors end at",
    ),
    "big-endian": (lambda m: setattr(m, "version", 3 << 24), "version", "big-endian"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_malformed_structure_is_refused_with_its_reason(name: str) -> None:
    change, rule, words = OTHERS[name]
    report = mutated(change)
    assert report.verdict == "refused"
    assert rule in report.rules, report.reasons
    assert any(words in reason for reason in report.reasons), report.reasons


def test_a_file_may_end_without_the_padding_of_its_last_tensor() -> None:
    model = llama_model()
    last = model.tensors.pop()
    model.tensors.append(Entry("rope_freqs.weight", (8,)))
    model.tensors.insert(1, last)
    model.tensors.append(model.tensors.pop(0))
    padded = model.bytes()
    assert scan_source(CountingSource(padded), "m").verdict == "clean"
    ends = len(padded) - (len(padded) % 32 or 0)
    assert ends == len(padded)


def test_version_2_is_read_like_version_3() -> None:
    model = llama_model()
    model.version = 2
    assert scan(model).verdict == "clean"


def test_a_custom_alignment_is_followed() -> None:
    model = llama_model()
    model.pairs.insert(0, Pair("general.alignment", U32, 4096))
    assert scan(model).verdict == "clean"


def test_values_of_every_type_are_read() -> None:
    model = llama_model()
    for code, value in enumerate((1, -1, 2, -2, 3, -3, 0.5, 1)):
        model.set(f"test.value_{code}", code, value)
    model.set("test.text", STRING, "text")
    model.set("test.floats", ARRAY, [0.5, 1.5], F32)
    for code, value in ((10, 2**63), (11, -(2**62)), (12, 0.25)):
        model.set(f"test.value_{code}", code, value)
    assert scan(model).verdict == "clean"
