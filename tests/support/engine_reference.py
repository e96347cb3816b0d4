"""An independent look at a model's logits: one sequence, one context, nothing of the engine.

A batch may break ties: two runs may differ where the two likeliest tokens are as good as equal.
`differ_only_in_ties` says whether that is all that differs.
"""

import ctypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from llama_cpp import llama_cpp as llama

TIE = 0.01
"""Log-probability by which the two likeliest tokens may be apart and still count as tied."""

_silence = llama.llama_log_callback(lambda *_: None)
llama.llama_log_set(_silence, ctypes.c_void_p(0))


class Reference:
    """A model, asked for the logits that follow a list of tokens."""

    def __init__(self, path: Path) -> None:
        self._model = llama.llama_model_load_from_file(
            str(path).encode(), llama.llama_model_default_params()
        )
        parameters = llama.llama_context_default_params()
        parameters.n_ctx = 2048
        parameters.n_batch = 2048
        parameters.n_threads = parameters.n_threads_batch = 1
        self._context = llama.llama_init_from_model(self._model, parameters)
        vocabulary = llama.llama_model_get_vocab(self._model)
        self._size = llama.llama_vocab_n_tokens(vocabulary)

    def gap(self, tokens: Sequence[int], first: int, second: int) -> float:
        """How far apart two continuations of `tokens` are, in log-probability."""
        llama.llama_memory_clear(llama.llama_get_memory(self._context), True)
        ids = (ctypes.c_int32 * len(tokens))(*tokens)
        batch = llama.llama_batch_get_one(ids, len(tokens))
        assert llama.llama_decode(self._context, batch) == 0
        row = llama.llama_get_logits_ith(self._context, -1)
        logits = np.array(row[: self._size])
        return float(abs(logits[first] - logits[second]))

    def close(self) -> None:
        llama.llama_free(self._context)
        llama.llama_model_free(self._model)


def differ_only_in_ties(
    path: Path, prompt: Sequence[int], left: Sequence[int], right: Sequence[int], tie: float = TIE
) -> bool:
    """Whether two greedy answers agree up to a place where either could have come."""
    if tuple(left) == tuple(right):
        return True
    for at, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            reference = Reference(path)
            try:
                return reference.gap([*prompt, *left[:at]], a, b) < tie
            finally:
                reference.close()
    return False
