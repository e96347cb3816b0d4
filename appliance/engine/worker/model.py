"""Loading: from sealed weights to a vocabulary, a chat template and a decoder.

Contract: `load` opens the weights through `/proc/self/fd/N`, so it needs no path, and raises
`LoadError` with a text fit for an operator. llama.cpp's own log is kept from the outside: it quotes
metadata of the model. Only its last line of error is put into `LoadError`, cut short.
"""

import ctypes
import os
from dataclasses import dataclass
from typing import Final

from appliance.engine.wire import Configure
from appliance.engine.worker.binding import llama
from appliance.engine.worker.decoder import Decoder
from appliance.engine.worker.vocabulary import Vocabulary

_KV_TYPES: Final = {"f16": 1, "q8_0": 8, "q4_0": 2}
"""ggml_type of the names that `Configure.kv_type` may have."""
_ERROR_LEVEL: Final = 4
_MAX_SEQUENCES: Final = 256
"""LLAMA_MAX_SEQ (`src/llama-cparams.h`)."""
_TILE_TOKENS: Final = 64
"""GGML_FA_TILE_Q (`ggml/src/ggml-cpu/common.h`): with fewer query tokens of a sequence, or another
KV format than f16, flash attention goes row by row, at about twice the cost."""
_MIN_PREFILL: Final = 32
"""Tokens of prefill that fit into a step even if every slot decodes."""


class LoadError(Exception):
    """The weights cannot serve, and why."""


class _Log:
    """Takes llama.cpp's log and remembers the last error."""

    def __init__(self) -> None:
        self.last_error = ""
        # The reference must outlive every call into llama.cpp.
        self._callback = llama.llama_log_callback(self._take)
        llama.llama_log_set(self._callback, ctypes.c_void_p(0))

    def _take(self, level: int, text: bytes, _user: int | None) -> None:
        if level == _ERROR_LEVEL:
            self.last_error = text.decode("utf-8", "replace").strip()[:200]


_log = _Log()


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Sizes of the KV cache and of a step, settled from the configuration and the model."""

    slots: int
    slot_tokens: int
    cells: int
    batch_tokens: int
    unified: bool
    """All slots share the cells; otherwise each has `slot_tokens` of its own."""
    threads: int
    batch_threads: int
    tile: int
    """Tokens of one prompt that attention computes together."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A loaded model."""

    vocabulary: Vocabulary
    decoder: Decoder
    geometry: Geometry
    template_source: str
    parameters: int
    architecture: str
    weights_bytes: int
    state_bytes: int


def settle(configure: Configure, trained_tokens: int, processors: int) -> Geometry:
    """Fill in what the configuration leaves open.

    Every slot has cells of its own if there are enough of them: attention then looks at one
    sequence's cells only. With fewer cells all slots share them.
    """
    slots = max(1, min(configure.sequences, _MAX_SEQUENCES))
    slot_tokens = configure.sequence_tokens or trained_tokens
    if configure.context_tokens:
        slot_tokens = min(slot_tokens, configure.context_tokens)
    slot_tokens = _padded(max(1, slot_tokens))
    cells = _padded(configure.context_tokens) or slots * slot_tokens
    unified = cells < slots * slot_tokens
    if not unified:
        cells = slots * slot_tokens
    # One processor is left to the gateway: ggml's threads wait for each other by spinning.
    threads = configure.threads or max(1, processors - 1)
    return Geometry(
        slots=slots,
        slot_tokens=slot_tokens,
        cells=cells,
        batch_tokens=max(configure.batch_tokens, slots + _MIN_PREFILL),
        unified=unified,
        threads=threads,
        batch_threads=configure.batch_threads or threads,
        tile=_TILE_TOKENS if configure.flash_attention and configure.kv_type == "f16" else 1,
    )


def _padded(tokens: int) -> int:
    """llama.cpp rounds a context up to 256 cells; say so beforehand."""
    return -(-tokens // 256) * 256


def load(weights: int, configure: Configure, available: int | None) -> Model:
    """Load the weights behind a file descriptor; they are in memory already.

    `available` is what memory is left, in bytes. Raises `LoadError`.
    """
    kv_type = _KV_TYPES.get(configure.kv_type)
    if kv_type is None:
        raise LoadError(f"kv_type must be one of {', '.join(sorted(_KV_TYPES))}")
    parameters = llama.llama_model_default_params()
    parameters.n_gpu_layers = configure.gpu_layers
    model = llama.llama_model_load_from_file(f"/proc/self/fd/{weights}".encode(), parameters)
    if not model:
        raise LoadError(
            f"llama.cpp does not take this file: {_log.last_error or 'no reason given'}"
        )
    if not llama.llama_model_has_decoder(model) or llama.llama_model_has_encoder(model):
        raise LoadError("this model does not generate text")
    trained = max(1, int(llama.llama_model_n_ctx_train(model)))
    geometry = settle(configure, trained, len(os.sched_getaffinity(0)))
    vocabulary = Vocabulary(llama.llama_model_get_vocab(model))
    cache_bytes = _cache_bytes(model, geometry.cells, kv_type)
    _check_fit(cache_bytes + geometry.slots * vocabulary.size * 4, available, geometry)
    context = _context(model, geometry, kv_type, flash_attention=configure.flash_attention)
    return Model(
        vocabulary=vocabulary,
        decoder=Decoder(
            context,
            batch_tokens=geometry.batch_tokens,
            slots=geometry.slots,
            vocabulary=vocabulary.size,
        ),
        geometry=geometry,
        template_source=(llama.llama_model_chat_template(model, None) or b"").decode(
            "utf-8", "replace"
        ),
        parameters=int(llama.llama_model_n_params(model)),
        architecture=_metadata(model, b"general.architecture"),
        weights_bytes=int(llama.llama_model_size(model)),
        state_bytes=cache_bytes,
    )


def _check_fit(needed: int, available: int | None, geometry: Geometry) -> None:
    """Refuse what would not fit before it is allocated; the kernel would kill somebody later."""
    if available is not None and needed > available:
        raise LoadError(
            f"the KV cache of {geometry.cells} cells needs {needed >> 20} MB and "
            f"{available >> 20} MB are available; lower sequences or the tokens of a sequence"
        )


def _context(model: int, geometry: Geometry, kv_type: int, *, flash_attention: bool) -> int:
    parameters = llama.llama_context_default_params()
    parameters.n_ctx = geometry.cells
    parameters.n_batch = geometry.batch_tokens
    parameters.n_ubatch = geometry.batch_tokens
    parameters.n_seq_max = geometry.slots
    parameters.n_outputs_max = geometry.slots
    parameters.n_threads = geometry.threads
    parameters.n_threads_batch = geometry.batch_threads
    parameters.kv_unified = geometry.unified
    parameters.flash_attn_type = 1 if flash_attention else 0
    parameters.type_k = parameters.type_v = kv_type
    parameters.no_perf = True
    context = llama.llama_init_from_model(model, parameters)
    if not context:
        raise LoadError(
            f"no context of {geometry.cells} cells: {_log.last_error or 'not enough memory?'}; "
            "lower context_tokens or sequences"
        )
    return int(context)


def _metadata(model: int, key: bytes) -> str:
    buffer = ctypes.create_string_buffer(128)
    length = llama.llama_model_meta_val_str(model, key, buffer, len(buffer))
    return buffer.value.decode("utf-8", "replace") if length >= 0 else ""


def _cache_bytes(model: int, cells: int, kv_type: int) -> int:
    """Size of the KV cache of a plain transformer: K and V of every layer for every cell."""
    heads = max(1, int(llama.llama_model_n_head(model)))
    head_width = int(llama.llama_model_n_embd(model)) // heads
    row = head_width * int(llama.llama_model_n_head_kv(model))
    bytes_per_row = {1: row * 2, 8: row * 34 // 32, 2: row * 18 // 32}[kv_type]
    return 2 * bytes_per_row * int(llama.llama_model_n_layer(model)) * cells
