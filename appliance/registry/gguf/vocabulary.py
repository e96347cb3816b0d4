"""The vocabulary: tokens, their scores and types, merges, and the ids that point into it.

llama.cpp indexes scores and types with token ids, asserts that tokens are distinct, and cuts hex
digits out of byte tokens without looking: each of these is checked here first. Tokens are read
once, none is kept; a distinct-ness check over hashes needs 8 bytes for each.
"""

import re
from collections.abc import Iterator
from itertools import islice
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from appliance.registry.gguf.finding import Finding, Rule, shown
from appliance.registry.gguf.payload import Metadata
from appliance.registry.gguf.pretokenizers import PRETOKENIZERS
from appliance.registry.gguf.types import ValueType

MODEL = "tokenizer.ggml.model"
PRE = "tokenizer.ggml.pre"
TOKENS = "tokenizer.ggml.tokens"
SCORES = "tokenizer.ggml.scores"
TYPES = "tokenizer.ggml.token_type"
MERGES = "tokenizer.ggml.merges"
SUPPRESSED = "tokenizer.ggml.suppress_tokens"

BPE = ("gpt2", "gemma4")
SENTENCEPIECE = "llama"
WORDPIECE = "bert"
BYTE_FALLBACK = ("llama", "gemma4")
"""Tokenizers that spell what they do not know in byte tokens, and look up all 256 of them."""
TOKENIZERS = (*BPE, SENTENCEPIECE, WORDPIECE)

MOST_TOKENS = 512 * 1024
"""Twice the largest vocabulary known."""

TYPE_BYTE = 6
LAST_TYPE = 6
"""1 normal, 2 unknown, 3 control, 4 user-defined, 5 unused, 6 byte."""
MOST_FINDINGS = 20

Types: TypeAlias = npt.NDArray[np.int32]

_BYTE_TOKEN = re.compile(rb"<0x[0-9A-F]{2}>")
_SPECIAL = re.compile(r"tokenizer\.ggml\.[a-z_]+_token_id")

DEFAULT_IDS: dict[str, dict[str, int]] = {
    "gpt2": {"bos": 11, "eos": 11},
    "gemma4": {},
    "llama": {"bos": 1, "eos": 2, "unknown": 0},
    "bert": {"bos": 101, "unknown": 100, "seperator": 102, "padding": 0, "mask": 103},
}
"""Ids that the loader takes where the file gives none; it uses them without a look."""


def count_tokens(metadata: Metadata) -> int:
    """Return the number of tokens; 0 without a token list."""
    value = metadata.value(TOKENS)
    return value.count if value is not None and value.element is ValueType.STRING else 0


def check_vocabulary(metadata: Metadata) -> list[Finding]:
    """Check everything that the tokenizer will be built from."""
    return list(islice(_findings(metadata), MOST_FINDINGS))


def _wrong(where: str, what: str, rule: Rule = Rule.VOCABULARY) -> Finding:
    return Finding(rule=rule, where=where, what=what)


def _findings(metadata: Metadata) -> Iterator[Finding]:
    model = metadata.text(MODEL)
    if model not in TOKENIZERS:
        named = "is missing" if model is None else f"is {shown(model)}"
        yield _wrong(MODEL, f"{named}; {', '.join(TOKENIZERS)} are accepted")
        return
    count = count_tokens(metadata)
    if not count:
        yield _wrong(TOKENS, "is missing, empty, or not an array of strings")
        return
    if count > MOST_TOKENS:
        yield _wrong(TOKENS, f"has {count} tokens; at most {MOST_TOKENS} are accepted")
        return
    if model == "gpt2" and PRE in metadata and metadata.text(PRE) not in PRETOKENIZERS:
        yield _wrong(PRE, "names a pre-tokenizer that llama.cpp does not know")
    yield from _scores(metadata, count, model)
    types = _types(metadata, count)
    if isinstance(types, Finding):
        yield types
        types = None
    yield from _tokens(metadata, count, model, types)
    yield from _merges(metadata, model)
    yield from _special(metadata, count, model)


def _scores(metadata: Metadata, count: int, model: str) -> Iterator[Finding]:
    value = metadata.value(SCORES)
    if value is None:
        if model == SENTENCEPIECE:
            yield _wrong(SCORES, "is missing; this tokenizer chooses by them")
        return
    if value.element is not ValueType.FLOAT32:
        yield _wrong(SCORES, "is not an array of 32-bit floats")
        return
    if value.count != count:
        yield _wrong(SCORES, f"has {value.count} elements for {count} tokens")
        return
    scores = metadata.numbers(SCORES)
    if scores is None or not np.isfinite(scores.astype(np.float32)).all():
        yield _wrong(SCORES, "has a score that is not a finite number")


def _types(metadata: Metadata, count: int) -> Types | Finding | None:
    """Return the type of each token, what is wrong with them, or None if the file gives none."""
    value = metadata.value(TYPES)
    if value is None:
        return None
    array = metadata.numbers(TYPES)
    if value.element is not ValueType.INT32 or array is None:
        return _wrong(TYPES, "is not an array of 32-bit integers")
    if value.count != count:
        return _wrong(TYPES, f"has {value.count} elements for {count} tokens")
    types: Types = array.astype(np.int32, copy=False)
    if (types < 1).any():
        return _wrong(TYPES, f"has a type below 1; 1 to {LAST_TYPE} exist")
    if (types > LAST_TYPE).any():
        return _wrong(TYPES, f"has a type above {LAST_TYPE}")
    marked = np.count_nonzero(types == TYPE_BYTE)
    if marked > 256:
        return _wrong(TYPES, f"marks {marked} tokens as bytes, of which there are 256")
    return types


def _tokens(metadata: Metadata, count: int, model: str, types: Types | None) -> Iterator[Finding]:
    """Check each token, and that no two are the same.

    Python's keyed hash stands for the token: equal hashes are compared as bytes afterwards, so a
    collision costs time and never a verdict.
    """
    hashes = np.empty(count, dtype=np.int64)
    spelled: set[bytes] = set()
    for batch in metadata.batches(TOKENS):
        last = batch.first + len(batch.stops)
        hashes[batch.first : last] = np.fromiter(map(hash, batch), dtype=np.int64)
        for index in batch.first + np.flatnonzero(batch.starts == batch.stops):
            yield _wrong(f"{TOKENS} element {index}", "is empty", Rule.ENTRY)
        if np.count_nonzero(batch.data == 0) != 8 * len(batch.stops):
            text = "has a token with a zero byte, at which the loader would cut it"
            yield _wrong(f"{TOKENS} elements {batch.first} to {last - 1}", text, Rule.ENTRY)
        if types is None:
            continue
        for at in np.flatnonzero(types[batch.first : last] == TYPE_BYTE):
            token = batch.data[batch.starts[at] : batch.stops[at]].tobytes()
            if _BYTE_TOKEN.fullmatch(token):
                spelled.add(token)
            else:
                text = "is a byte token and not of the form <0xHH>"
                yield _wrong(f"{TOKENS} element {batch.first + at}", text, Rule.ENTRY)
    yield from _duplicates(metadata, hashes)
    if model in BYTE_FALLBACK and len(spelled) != 256:
        text = f"has {len(spelled)} of the 256 byte tokens <0x00> to <0xFF>"
        yield _wrong(TOKENS, text, Rule.ENTRY)


def _duplicates(metadata: Metadata, hashes: npt.NDArray[np.int64]) -> Iterator[Finding]:
    distinct, times = np.unique(hashes, return_counts=True)
    if len(distinct) == len(hashes):
        return
    suspect = frozenset(distinct[times > 1].tolist())
    seen: dict[bytes, int] = {}
    tokens = (token for batch in metadata.batches(TOKENS) for token in batch)
    for index, token in enumerate(tokens):
        if hash(token) not in suspect:
            continue
        if token in seen:
            text = f"is the same token as element {seen[token]}"
            yield _wrong(f"{TOKENS} element {index}", text, Rule.ENTRY)
            return
        seen[token] = index


def _merges(metadata: Metadata, model: str) -> Iterator[Finding]:
    value = metadata.value(MERGES)
    if value is None:
        if model in BPE:
            yield _wrong(MERGES, "is missing; this tokenizer works by them")
        return
    if value.element is not ValueType.STRING:
        yield _wrong(MERGES, "is not an array of strings")
        return
    for batch in metadata.batches(MERGES):
        spaces = np.flatnonzero(batch.data == 0x20)
        owner = np.searchsorted(batch.stops, spaces, side="right")
        inner = (spaces > batch.starts[owner]) & (spaces < batch.stops[owner] - 1)
        parted = np.bincount(owner[inner], minlength=len(batch.stops)) > 0
        if not parted.all():
            index = batch.first + int(np.argmin(parted))
            yield _wrong(f"{MERGES} element {index}", "is not two parts with a space between")
            return


def _special(metadata: Metadata, count: int, model: str) -> Iterator[Finding]:
    for key in metadata:
        value = metadata.value(key)
        if value is None or not _SPECIAL.fullmatch(key):
            continue
        if not isinstance(value.scalar, int) or not 0 <= value.scalar < count:
            text = f"is {value.scalar}; the vocabulary has {count} tokens"
            yield _wrong(key, text, Rule.SPECIAL_ID)
    for name, default in DEFAULT_IDS[model].items():
        key = f"tokenizer.ggml.{name}_token_id"
        if key not in metadata and default >= count:
            text = f"is missing, and its default {default} is beyond the {count} tokens"
            yield _wrong(key, text, Rule.SPECIAL_ID)
    types = metadata.value("tokenizer.ggml.token_type_count")
    if types is not None and (not isinstance(types.scalar, int) or not 1 <= types.scalar <= 16):
        yield _wrong("tokenizer.ggml.token_type_count", "is not a number from 1 to 16")
    if types is None and model == WORDPIECE:
        yield _wrong("tokenizer.ggml.token_type_count", "is missing")
    suppressed = metadata.value(SUPPRESSED)
    if suppressed is not None:
        ids = metadata.numbers(SUPPRESSED)
        if suppressed.element is not ValueType.INT32 or ids is None:
            yield _wrong(SUPPRESSED, "is not an array of 32-bit integers", Rule.SPECIAL_ID)
        elif ((ids.astype(np.int64) < 0) | (ids.astype(np.int64) >= count)).any():
            yield _wrong(SUPPRESSED, f"has an id outside the {count} tokens", Rule.SPECIAL_ID)
