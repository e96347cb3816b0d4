"""The demo model through llama.cpp's plain decode loop: what the engine is held against."""

import math

import numpy as np
from llama_cpp import Llama

from appliance.shipped import DEMO_MODEL


def top_two_gap(prompt: list[int], one: str, other: str) -> float:
    """Difference of the top two logprobs at the token where two greedy texts part."""
    model = Llama(str(DEMO_MODEL), n_ctx=2048, n_threads=1, logits_all=False, verbose=False)
    try:
        model.eval(prompt)
        text = b""
        for _ in range(2048 - len(prompt)):
            logits = np.array(model._ctx.get_logits_ith(-1)[: model.n_vocab()], dtype=np.float64)
            best, second = (int(token) for token in np.argsort(logits)[-1:-3:-1])
            longer = text + model.detokenize([best])
            if not (agrees(longer, one) and agrees(longer, other)):
                return float(logits[best] - logits[second])
            text = longer
            model.eval([best])
        return math.inf
    finally:
        model.close()


def agrees(begun: bytes, whole: str) -> bool:
    """Whether the text goes on from these bytes, which may end inside a character."""
    return whole.encode().startswith(begun) or whole.startswith(begun.decode(errors="ignore"))
