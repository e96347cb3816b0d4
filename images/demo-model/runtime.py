"""Runtime: the exported file under llama.cpp, as a box runs it.

Contract: `Runtime(path)` loads the GGUF; `tokens`, `logits` and `answer` go through llama.cpp
alone. Needs llama-cpp-python, so it runs under the appliance's interpreter, not under the one that
trains.
"""

from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np
import template
from numpy.typing import NDArray


@dataclass(frozen=True)
class Answer:
    """What the model said, and whether it stopped by itself."""

    text: str
    ended: bool  # by an end-of-turn token, not by the limit
    prompt_tokens: int
    tokens: int


class Runtime:
    """One loaded file."""

    def __init__(self, path: Path, context: int = 2048) -> None:
        self.llama = llama_cpp.Llama(
            str(path),
            n_ctx=context,
            n_threads=1,
            n_threads_batch=1,
            logits_all=False,
            verbose=False,
        )
        self.vocabulary = llama_cpp.llama_model_get_vocab(self.llama.model)

    def tokens(self, text: str) -> list[int]:
        """Token ids, special tokens recognised, none added."""
        found: list[int] = self.llama.tokenize(text.encode(), add_bos=False, special=True)
        return found

    def logits(self, text: str) -> NDArray[np.float32]:
        """Logits after the text's last token."""
        self.llama.reset()
        self.llama.eval(self.tokens(text))
        pointer = llama_cpp.llama_get_logits_ith(self.llama.ctx, -1)
        return np.ctypeslib.as_array(pointer, shape=(self.llama.n_vocab(),)).copy()

    def answer(self, messages: list[dict[str, str]], limit: int = 96) -> Answer:
        """The greedy answer to a conversation."""
        prompt = self.tokens(template.render(messages, add_generation_prompt=True))
        said: list[int] = []
        for token in self.llama.generate(prompt, temp=0.0, reset=True):
            if llama_cpp.llama_vocab_is_eog(self.vocabulary, token):
                return Answer(self._text(said), True, len(prompt), len(said))
            said.append(token)
            if len(said) >= limit:
                break
        return Answer(self._text(said), False, len(prompt), len(said))

    def _text(self, tokens: list[int]) -> str:
        raw: bytes = self.llama.detokenize(tokens)
        return raw.decode(errors="replace")
