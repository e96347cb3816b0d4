"""Reference: what training's own code makes of some texts, for llama.cpp to be held against.

Contract: `write(model, tokenizer, path)` stores token ids of a few hundred texts and, for a few
prompts, the logits after the last token. `parity.py` reads the file under another interpreter.
"""

import json
from pathlib import Path
from random import Random

import corpus
import template
import torch
from model import Transformer
from tokenizers import Tokenizer

ODD_TEXTS = [
    "",
    " ",
    "  two  spaces ",
    "tabs\tand\n\nlines\n",
    "Zoë Müller, naïve café, 北京, 🙂",
    "a1b22c333",
    "it's we'll I'd",
    '{"a": null}',
    "x" * 100,
]


def write(model: Transformer, tokenizer: Tokenizer, path: Path, seed: int) -> None:
    """Write token ids and last-token logits of generated texts."""
    random = Random(seed)
    texts, prompts = list(ODD_TEXTS), []
    for _ in range(150):
        messages = corpus.conversation(random, "train", 2)
        texts += [message["content"] for message in messages]
        texts.append(template.render(messages, add_generation_prompt=False))
        prompts.append(template.render(messages[:-1], add_generation_prompt=True))
    found = {
        "texts": [{"text": text, "ids": tokenizer.encode(text).ids} for text in texts],
        "prompts": [
            {"text": prompt, "logits": _logits(model, tokenizer, prompt)} for prompt in prompts[:12]
        ],
    }
    path.write_text(json.dumps(found), encoding="utf-8")


def _logits(model: Transformer, tokenizer: Tokenizer, prompt: str) -> list[float]:
    with torch.no_grad():
        hidden = model(torch.tensor([tokenizer.encode(prompt).ids]))[0, -1]
        found: list[float] = model.logits(hidden).tolist()
        return found
