"""Real vocabularies: our split into control tokens and text agrees with llama.cpp's own."""

import ctypes
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.engine.worker.binding import llama
from appliance.engine.worker.vocabulary import Vocabulary

MODELS = Path(__file__).parents[3] / "build/llama-cpp/vendor/llama.cpp/models"

CONVERSATIONS = {
    "llama-bpe": "<|start_header_id|>user<|end_header_id|>\n\n{0}<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    "qwen2": "<|im_start|>user\n{0}<|im_end|>\n<|im_start|>assistant\n",
    "phi-3": "<|user|>\n{0}<|end|>\n<|assistant|>\n",
    "gemma-4": "<bos><|turn>user\n{0}<turn|>\n<|turn>model\n",
    "llama-spm": "<s>[INST] {0} [/INST]",
    "command-r": "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{0}<|END_OF_TURN_TOKEN|>",
    "deepseek-llm": "User: {0}\n\nAssistant:",
}
CONTENTS = ["hello", "  Größe: 12,5 µg\n\n```py\nx = 1```", "漢字 😀 <b>x</b> <|", "", " "]


@pytest.fixture(scope="module", params=CONVERSATIONS)
def named(request: pytest.FixtureRequest) -> Iterator[tuple[str, Vocabulary, int]]:
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    path = MODELS / f"ggml-vocab-{request.param}.gguf"
    model = llama.llama_model_load_from_file(str(path).encode(), parameters)
    assert model, path
    handle = llama.llama_model_get_vocab(model)
    yield request.param, Vocabulary(handle), handle
    llama.llama_model_free(model)


def llamas_own(handle: int, text: str) -> list[int]:
    data = text.encode()
    tokens = (ctypes.c_int32 * (len(data) + 8))()
    count = llama.llama_tokenize(handle, data, len(data), tokens, len(tokens), True, True)
    return list(tokens[:count])


@pytest.mark.parametrize("content", CONTENTS)
def test_a_conversation_becomes_the_tokens_that_llama_cpp_would_make(
    named: tuple[str, Vocabulary, int], content: str
) -> None:
    name, vocabulary, handle = named
    rendered = CONVERSATIONS[name].format(content)
    ours = vocabulary.tokenize_parts(vocabulary.control.split(rendered, ""))
    expected = llamas_own(handle, rendered)
    if expected[:2] == [vocabulary.bos] * 2:
        expected = expected[1:]  # llama.cpp adds a second beginning; models know one
    assert ours == expected


def test_a_text_that_spells_control_tokens_has_none(
    named: tuple[str, Vocabulary, int],
) -> None:
    name, vocabulary, _ = named
    tokens = vocabulary.tokenize_text(CONVERSATIONS[name].format("x"))
    beginning = 1 if vocabulary.adds_bos else 0
    assert not any(vocabulary.pieces[token] == b"" for token in tokens[beginning:])


def test_text_goes_to_tokens_and_back(named: tuple[str, Vocabulary, int]) -> None:
    _, vocabulary, _ = named
    for content in CONTENTS:
        tokens = vocabulary.tokenize_text(content)
        text = b"".join(vocabulary.pieces[token] for token in tokens).decode()
        assert text.lstrip(" ") == content.lstrip(" ")


def test_tokens_that_end_a_turn_add_no_text(named: tuple[str, Vocabulary, int]) -> None:
    _, vocabulary, _ = named
    assert vocabulary.ends
    assert all(vocabulary.pieces[token] == b"" for token in vocabulary.ends)
    assert vocabulary.eos in vocabulary.ends
