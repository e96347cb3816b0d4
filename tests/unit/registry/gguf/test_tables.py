"""The tables of the gate against the source of the llama.cpp that the engine is built from."""

import re
from collections.abc import Callable

from appliance.registry.gguf.families import BY_ARCHITECTURE, FAMILIES
from appliance.registry.gguf.family import Either
from appliance.registry.gguf.hyperparameters import MOST_BLOCKS, ROPE_SCALING
from appliance.registry.gguf.keys import TOKENIZER, names_of
from appliance.registry.gguf.pretokenizers import PRETOKENIZERS
from appliance.registry.gguf.types import NOT_FOR_WEIGHTS, REMOVED, TENSOR_TYPES, ValueType

Source = Callable[[str], str]


def test_value_types_are_those_of_gguf_h(llama_cpp_source: Source) -> None:
    names = re.findall(r"GGUF_TYPE_(\w+) += (\d+)", llama_cpp_source("ggml/include/gguf.h"))
    assert {name: int(number) for name, number in names} == {
        item.name: item.value for item in ValueType
    }


def test_tensor_types_are_those_of_ggml_h(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("ggml/include/ggml.h").partition("enum ggml_type {")[2]
    text = text.partition("GGML_TYPE_COUNT")[0]
    found = {int(number): name for name, number in re.findall(r"GGML_TYPE_(\w+) += (\d+)", text)}
    live = set(re.findall(r"^ +GGML_TYPE_(\w+)", text, re.MULTILINE))
    ours = {code: kind.name for code, kind in TENSOR_TYPES.items()} | NOT_FOR_WEIGHTS
    assert ours == {code: name for code, name in found.items() if name in live}
    assert REMOVED.items() >= {(c, n) for c, n in found.items() if n not in live}


def test_block_sizes_are_those_of_ggml_common_h(llama_cpp_source: Source) -> None:
    """Evaluates the static assertions on the block structs."""
    text = llama_cpp_source("ggml/src/ggml-common.h")
    sizes = {"ggml_half": 2, "float": 4, "uint8_t": 1, "uint16_t": 2, "int16_t": 2, "uint32_t": 4}
    names = dict(re.findall(r"#define (\w+) +(\d+)\b", text))
    names["IQ3S_N_SCALE"] = str(int(names["QK_K"]) // 64)
    checked = set()
    for name, formula in re.findall(r"static_assert\(sizeof\(block_(\w+)\) == (.+), \"wrong", text):
        expression = re.sub(r"sizeof\((\w+)\)", lambda m: str(sizes[m[1]]), formula)
        expression = re.sub(r"[A-Z]\w+", lambda m: names[m[0]], expression).replace("/", "//")
        assert re.fullmatch(r"[\d+*/() -]+", expression)
        kind = next(
            (kind for kind in TENSOR_TYPES.values() if kind.name.lower() == name.lower()), None
        )
        if kind is not None:
            assert kind.size == eval(expression), name
            checked.add(kind.name)
    assert {kind.name for kind in TENSOR_TYPES.values()} - checked == {"F32", "F16", "BF16"}


def test_block_lengths_are_those_of_gguf_py(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("gguf-py/gguf/constants.py")
    pairs = dict(re.findall(r"GGMLQuantizationType\.(\w+): +\((\d+),", text))
    assert {kind.name: str(kind.block) for kind in TENSOR_TYPES.values()}.items() <= pairs.items()


def test_architectures_are_known_to_llama_cpp(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("src/llama-arch.cpp")
    assert set(BY_ARCHITECTURE) <= set(re.findall(r'\{ LLM_ARCH_\w+, +"([^"]+)"', text))


def test_keys_are_known_to_llama_cpp(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("src/llama-arch.cpp")
    known = set(re.findall(r'\{ LLM_KV_\w+, +"([^"]+)"', text)) | {"tokenizer.chat_templates"}
    for family in FAMILIES:
        assert {f"%s.{name}" for name in names_of(family)} <= known
    assert {f"tokenizer.{name}" for name in TOKENIZER} <= known


def test_tensors_are_known_to_llama_cpp(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("src/llama-arch.cpp")
    known = set(re.findall(r'\{ LLM_TENSOR_\w+, +"([^"]+)"', text))
    for family in FAMILIES:
        for prefix, parts in (("", family.whole), ("blk.%d.", family.block)):
            for part in parts:
                specs = part.sets if isinstance(part, Either) else ((part,),)
                for spec in (spec for group in specs for spec in group):
                    assert prefix + spec.name.rpartition(".")[0] in known


def test_pretokenizers_are_those_of_llama_cpp(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("src/llama-vocab.cpp")
    assert set(re.findall(r'tokenizer_pre == "([^"]+)"', text)) == PRETOKENIZERS


def test_limits_are_those_of_llama_cpp(llama_cpp_source: Source) -> None:
    text = llama_cpp_source("src/llama-hparams.h")
    assert f"#define LLAMA_MAX_LAYERS  {MOST_BLOCKS}" in text
    scaling = re.findall(
        r'\{ LLAMA_ROPE_SCALING_TYPE_\w+, +"(\w+)"', llama_cpp_source("src/llama-model.cpp")
    )
    assert set(ROPE_SCALING) == set(scaling)
