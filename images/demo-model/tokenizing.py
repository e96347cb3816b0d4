"""Tokenizing: byte-level BPE in the form llama.cpp calls "smollm".

That is: every digit alone, then GPT-2's split.
Contract: `train(path)` learns the vocabulary from the training corpus; `load(path)` gives it back;
`encode_chat` turns messages into token ids and a mask that is true where the assistant speaks, its
end-of-turn token included. The text it stands for is the one `template.render` gives.
"""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import corpus
import fillers
import syllables
from template import END_OF_TEXT, TURN_END, TURN_START
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCABULARY = 2048
SPECIAL = [END_OF_TEXT, TURN_START, TURN_END]
PRE_TOKENIZER = "smollm"  # the name llama.cpp knows this split by


def train(path: Path, seed: int) -> Tokenizer:
    """Learn the vocabulary and write it to `path`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(Random(seed)), trainer)
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    return tokenizer


def _texts(random: Random) -> Iterator[str]:
    for _ in range(30_000):
        for message in corpus.conversation(random, "train", 1):
            yield message["content"]
    # Names once behind a space, as in notes, and once behind a quote, as in JSON: both are then
    # cut alike, which makes copying from one place to the other a token-by-token affair.
    for _ in range(30_000):
        word = syllables.word(random)
        yield f' {word} "{word}'
    for listed in fillers.LISTS.values():
        for word in listed["train"]:
            yield f' {word} "{word}'


def load(path: Path) -> Tokenizer:
    """Read the vocabulary `train` wrote."""
    return Tokenizer.from_file(str(path))


def encode_chat(
    tokenizer: Tokenizer, messages: list[corpus.Message]
) -> tuple[list[int], list[bool]]:
    """Token ids of a conversation and where in it the assistant speaks."""
    ids: list[int] = []
    spoken: list[bool] = []
    for message in messages:
        head = f"{TURN_START}{message['role']}\n"
        body = message["content"] + TURN_END
        if message["role"] == "assistant":
            pieces = [(head, False), (body, True), ("\n", False)]
        else:
            pieces = [(head + body + "\n", False)]
        for text, mask in pieces:
            encoded = tokenizer.encode(text, add_special_tokens=False).ids
            ids += encoded
            spoken += [mask] * len(encoded)
    return ids, spoken
