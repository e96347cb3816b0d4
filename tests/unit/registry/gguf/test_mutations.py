"""One field of a valid model is changed at a time: no scan fails, no changed meaning passes.

Which fields may take another value without changing what the rest of the file means is written down
in `FREE`; every other value of every other field has to be refused. That the values of free fields
are harmless is shown by llama.cpp, which loads and decodes with each (`test_llama_cpp_agrees`).
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.registry.scan import scan_source
from tests.support.gguf_builder import ARRAY, I32, STRING, U32, Built, Field, Pair, llama_model
from tests.support.gguf_sources import CountingSource

LIMITS = {"B": 2**8, "I": 2**32, "Q": 2**64, "q": 2**63, "i": 2**31}
FLOATS = (0.0, -1.0, 1e-30, 1.0, 1e30, float("nan"), float("inf"), float("-inf"))

FREE = (
    # What a number says of itself alone, within its range:
    r"pair\[llama\.context_length\]\.value",
    r"pair\[llama\.attention\.layer_norm_rms_epsilon\]\.value",
    r"pair\[tokenizer\.ggml\.(bos|eos)_token_id\]\.value",
    # Text that nothing else refers to:
    r"pair\[general\.name\]\.value\.byte.*",
    r"pair\[tokenizer\.ggml\.(tokens|merges)\]\.value\[\d+\]\.byte.*",
    # A token's kind: any of the six is possible for any token of this vocabulary.
    r"pair\[tokenizer\.ggml\.token_type\]\.value\[\d+\]",
    # A key outside of the two namespaces that decide: the model is then one without that key.
    r"pair\[(general\.name|tokenizer\.ggml\.(bos|eos)_token_id|tokenizer\.ggml\.token_type"
    r"|llama\.vocab_size|tokenizer\.ggml\.pre|llama\.rope\.dimension_count"
    r")\]\.key\.byte.*",
    # 2 and 3 are the same layout.
    r"version",
)
_FREE = re.compile("|".join(FREE))


def model() -> Built:
    """Every kind of field: scalars, strings, arrays, two blocks, explicit alignment."""
    made = llama_model(blocks=2, vocabulary=16)
    made.pairs.insert(2, Pair("general.alignment", U32, 256))
    return made.build()


def boundaries(field: Field, value: int | float) -> list[int | float]:
    """Values at which mistakes live, other than the one that is there."""
    if field.format == "f":
        return [other for other in FLOATS if other != value]
    limit = LIMITS[field.format]
    if field.format == "B":
        return [other for other in (0, 0x7F, 0xFF, value ^ 0x20, value ^ 1) if other != value]
    near = {0, 1, 2, value - 1, value + 1, value * 2, value // 2, value ^ 0x20}
    far = {limit - 1, limit // 2, limit // 2 - 1, 2**31 - 1, 2**32 - 1, 2**31}
    low = -limit if field.format in "qi" else 0
    if field.format in "qi":
        far |= {-1, -limit}
    return sorted(other for other in near | far if low <= other < limit and other != value)


def groups(built: Built) -> dict[str, list[Field]]:
    found: dict[str, list[Field]] = {}
    for field in built.fields:
        found.setdefault(field.name.partition("]")[0].partition("[")[2] or "prefix", []).append(
            field
        )
    return found


BUILT = model()
GROUPS = groups(BUILT)


@pytest.mark.parametrize("group", GROUPS)
def test_no_changed_field_passes_as_the_same_model(group: str) -> None:
    passed = []
    for field in GROUPS[group]:
        for value in boundaries(field, field.read(BUILT.data)):
            data = field.write(BUILT.data, value)
            report = scan_source(CountingSource(data), "m")
            assert (report.verdict == "refused") == bool(report.reasons)
            if report.verdict == "clean" and not _FREE.fullmatch(field.name):
                passed.append((field.name, value))
    assert passed == []


def test_every_exemption_is_used() -> None:
    names = [field.name for field in BUILT.fields]
    for pattern in FREE:
        assert any(re.fullmatch(pattern, name) for name in names), pattern


def test_a_file_cut_anywhere_is_refused() -> None:
    data = BUILT.data
    table_end = max(field.offset for field in BUILT.fields) + 8
    for length in [*range(table_end), *range(table_end, len(data), 997), len(data) - 65]:
        report = scan_source(CountingSource(data[:length]), "m")
        assert report.verdict == "refused", length
        assert report.reasons


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=4096))
def test_random_bytes_are_refused(data: bytes) -> None:
    assert scan_source(CountingSource(data), "m").verdict == "refused"
    assert scan_source(CountingSource(b"GGUF\x03\0\0\0" + data), "m").verdict == "refused"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_several_changed_fields_never_break_the_scan(data: st.DataObject) -> None:
    changed = BUILT.data
    for _ in range(data.draw(st.integers(1, 6))):
        field = data.draw(st.sampled_from(BUILT.fields))
        changed = field.write(changed, data.draw(st.sampled_from(boundaries(field, 3))))
    report = scan_source(CountingSource(changed), "m")
    assert report.verdict in ("clean", "refused")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=64))
def test_overwritten_bytes_never_break_the_scan(at: int, patch: bytes) -> None:
    data = BUILT.data[:at] + patch + BUILT.data[at + len(patch) :]
    assert scan_source(CountingSource(data), "m").verdict in ("clean", "refused")


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(max_size=8), max_size=80),
    st.lists(st.integers(-(2**31), 2**31 - 1), max_size=80),
)
def test_vocabularies_of_any_words_never_break_the_scan(words: list[str], kinds: list[int]) -> None:
    made = llama_model()
    made.set("tokenizer.ggml.tokens", ARRAY, words, STRING)
    made.set("tokenizer.ggml.token_type", ARRAY, kinds, I32)
    made.set("tokenizer.ggml.merges", ARRAY, words, STRING)
    assert scan_source(CountingSource(made.bytes()), "m").verdict == "refused"
