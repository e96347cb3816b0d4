"""Against the specification's own reading (tests/support/cobblestone.py) and pyca/cryptography."""

import base64
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.cobblestone import Cobblestone256Decryptor, Cobblestone256Encryptor
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import IntegrityError
from appliance.vault import chunked
from appliance.vault.chunked import CHUNK_SIZE, HEADER_SIZE, SEALED_CHUNK_SIZE, MessageReader
from tests.support import cobblestone

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "vault" / "cobblestone-256.json").read_text()
)
MESSAGES = {vector["name"]: vector for vector in VECTORS["messages"]}
KEY = bytes(range(32))


def open_by_chunks(key: bytes, message: bytes, context: bytes) -> bytes:
    size = chunked.plaintext_size(len(message))
    reader = MessageReader(key, message[:HEADER_SIZE], context)
    plain = bytearray(size)
    last = size // CHUNK_SIZE
    # From the end to the beginning, one chunk at a time: no order is assumed.
    for number in range(last, -1, -1):
        start = HEADER_SIZE + number * SEALED_CHUNK_SIZE
        sealed = message[start : start + SEALED_CHUNK_SIZE]
        place = memoryview(plain)[number * CHUNK_SIZE : (number + 1) * CHUNK_SIZE]
        reader.open_into(number, sealed, place)
    return bytes(plain)


OPENERS = [chunked.open_sealed, open_by_chunks]


def test_the_published_vectors_are_what_the_specification_gives() -> None:
    assert json.loads(json.dumps(cobblestone.vectors())) == VECTORS


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: vector["name"])
def test_known_messages_open(vector: dict[str, Any], opener: Any) -> None:
    message = base64.b64decode(vector["message"])
    plain = opener(bytes.fromhex(vector["key"]), message, bytes.fromhex(vector["context"]))
    assert len(plain) == vector["plaintext_size"]
    assert hashlib.sha256(plain).hexdigest() == vector["plaintext_sha256"]
    assert chunked.sealed_size(len(plain)) == len(message)


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("vector", VECTORS["damaged"], ids=lambda vector: vector["name"])
def test_damaged_messages_are_refused(vector: dict[str, Any], opener: Any) -> None:
    damaged = bytearray()
    for name, start, end in vector["pieces"]:
        damaged += base64.b64decode(MESSAGES[name]["message"])[start:end]
    if vector["flip"] is not None:
        damaged[vector["flip"]] ^= 1
    with pytest.raises(IntegrityError):
        opener(KEY, bytes(damaged), bytes.fromhex(MESSAGES["three chunks"]["context"]))


@pytest.mark.parametrize("opener", OPENERS)
def test_another_key_or_context_is_refused(opener: Any) -> None:
    message = chunked.seal(KEY, b"secret", b"here")
    for key, context in ((bytes(32), b"here"), (KEY, b"there"), (KEY, b"")):
        with pytest.raises(IntegrityError):
            opener(key, message, context)


def test_a_wrong_key_is_named_as_such_before_any_chunk_is_tried() -> None:
    header = chunked.seal(KEY, b"secret", b"")[:HEADER_SIZE]
    with pytest.raises(IntegrityError, match="another key"):
        MessageReader(bytes(32), header, b"")


@pytest.mark.parametrize("size", [0, 1, CHUNK_SIZE - 1, CHUNK_SIZE, 3 * CHUNK_SIZE + 5])
def test_the_library_and_the_reader_agree_in_both_directions(size: int) -> None:
    plain, context = os.urandom(size), b"both"
    library = Cobblestone256Encryptor(KEY, context)
    message = library.update(plain) + library.finalize()
    assert open_by_chunks(KEY, message, context) == plain
    ours = chunked.seal(KEY, plain, context)
    decryptor = Cobblestone256Decryptor(KEY, context)
    assert decryptor.update(ours) + decryptor.finalize() == plain


@settings(max_examples=60, deadline=None)
@given(size=st.integers(0, 4 * CHUNK_SIZE))
def test_sizes_translate_both_ways(size: int) -> None:
    assert chunked.plaintext_size(chunked.sealed_size(size)) == size


@settings(max_examples=200, deadline=None)
@given(length=st.integers(0, 5 * SEALED_CHUNK_SIZE))
def test_a_length_is_valid_exactly_if_some_plaintext_has_it(length: int) -> None:
    possible = {chunked.sealed_size(size) for size in range(max(0, length - 200), length + 1)}
    if length in possible:
        assert chunked.sealed_size(chunked.plaintext_size(length)) == length
    else:
        with pytest.raises(IntegrityError, match="cut off"):
            chunked.plaintext_size(length)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_turned_bit_anywhere_is_found(data: st.DataObject) -> None:
    message = bytearray(base64.b64decode(MESSAGES["1024 bytes"]["message"]))
    position = data.draw(st.integers(0, len(message) * 8 - 1))
    message[position // 8] ^= 1 << position % 8
    context = bytes.fromhex(MESSAGES["1024 bytes"]["context"])
    for opener in OPENERS:
        with pytest.raises(IntegrityError):
            opener(KEY, bytes(message), context)


def test_the_counter_ends_where_the_specification_says() -> None:
    reader = MessageReader(KEY, chunked.seal(KEY, b"", b"")[:HEADER_SIZE], b"")
    with pytest.raises(IntegrityError, match="2\\^38"):
        reader.open_into(2**38, bytes(16), memoryview(bytearray(16)))
    with pytest.raises(IntegrityError, match="altered"):
        reader.open_into(2**38 - 1, bytes(16), memoryview(bytearray(16)))


def test_a_key_of_another_size_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MessageReader(bytes(16), bytes(HEADER_SIZE), b"")


@pytest.mark.parametrize("size", [0, 1, 32, CHUNK_SIZE - 1])
def test_a_secret_is_sealed_as_any_message(size: int) -> None:
    secret = os.urandom(size)
    message = chunked.seal_secret(KEY, memoryview(secret), b"here")
    for opener in OPENERS:
        assert opener(KEY, message, b"here") == secret
    assert chunked.seal_secret(KEY, memoryview(secret), b"here") != message


def test_what_is_not_shorter_than_a_chunk_is_no_secret() -> None:
    with pytest.raises(ValueError, match="shorter"):
        chunked.seal_secret(KEY, memoryview(bytes(CHUNK_SIZE)), b"")
