"""Signed notes, verifier keys and checkpoints, against the specifications' own examples."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from appliance.audit.keys import (
    Ed25519Signer,
    KeyKind,
    VerifierKey,
    decode_base64,
    parse_verifier_key,
)
from appliance.audit.merkle import EMPTY_ROOT
from appliance.audit.note import MAX_SIGNATURES, Note, parse_note, sign_note
from appliance.errors import ConfigurationError, IntegrityError

# C2SP signed-note, section "Example".
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n"
    "\n"
    "\u2014 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFX"
    "mRKuwHjG1Yu72IneyaQM=\n"
)
SIGNER = Ed25519Signer.from_seed("box.test/log", b"k" * 32)


def test_the_specifications_note_verifies_with_the_specifications_key() -> None:
    key = parse_verifier_key(VKEY)
    note = parse_note(NOTE.encode())
    assert str(key) == VKEY
    assert note.text == "This is an example message.\n"
    assert note.verified_by(key)
    assert str(note) == NOTE


def test_what_is_signed_here_verifies_and_reads_back() -> None:
    note = sign_note("a text\n\nof two paragraphs\n", SIGNER)
    assert parse_note(str(note).encode()) == note
    assert note.verified_by(SIGNER.vkey)
    assert parse_verifier_key(str(SIGNER.vkey)) == SIGNER.vkey


def test_a_note_is_not_verified_by_another_key_or_name_or_kind() -> None:
    note = sign_note("text\n", SIGNER)
    other = Ed25519Signer.from_seed("box.test/log", b"x" * 32).vkey
    renamed = VerifierKey("other.test/log", SIGNER.vkey.public)
    cosigner = VerifierKey("box.test/log", SIGNER.vkey.public, KeyKind.COSIGNATURE)
    assert not any(note.verified_by(key) for key in (other, renamed, cosigner))


def test_unknown_signatures_are_ignored_but_a_wrong_one_of_a_known_key_spoils_the_note() -> None:
    true = sign_note("text\n", SIGNER)
    other = sign_note("text\n", Ed25519Signer.from_seed("else", b"x" * 32))
    wrong = sign_note("other text\n", SIGNER)
    assert Note("text\n", true.signatures + other.signatures).verified_by(SIGNER.vkey)
    assert not Note("text\n", true.signatures + wrong.signatures).verified_by(SIGNER.vkey)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        NOTE.encode()[:-1],
        NOTE.replace("\u2014", "-").encode(),
        NOTE.replace("example message", "example\tmessage").encode(),
        NOTE.replace("Uw2Q", "Uw2\u2028").encode(),
        NOTE.replace("aQM=", "aQN=").encode(),  # the same bytes by a lenient decoder
        NOTE.replace("foo Uw", "foo  Uw").encode(),
        NOTE.replace("foo Uw", "f+o Uw").encode(),
        NOTE.encode().replace(b"example", b"\xff", 1),
        NOTE.encode() + b"\n",
        NOTE.encode() + NOTE.split("\n\n")[1].encode() * MAX_SIGNATURES,
        b"x" * 300_000,
    ],
)
def test_a_malformed_note_is_refused(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        parse_note(data)


@given(st.binary(max_size=200))
def test_whatever_parses_as_a_note_encodes_back_to_the_same_bytes(data: bytes) -> None:
    line = "\n\u2014 n " + base64.b64encode(data + b"12345").decode() + "\n"
    whole = data.hex().encode() + b"\n" + line.encode()
    assert str(parse_note(whole)).encode() == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+530d903a",
        VKEY.replace("530d903a", "530d903b"),
        VKEY.replace("foo", "bar"),
        VKEY[:-4],
        VKEY.replace("AekyeR", "A+kyeR"),
        "+" + VKEY.partition("+")[2],
        "a b+" + VKEY.partition("+")[2],
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_verifier_key(text)


def test_a_seed_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Ed25519Signer.from_seed("n", b"short")


def test_derived_secrets_differ_by_purpose_and_key_and_are_not_the_seed() -> None:
    other = Ed25519Signer.from_seed("box.test/log", b"x" * 32)
    secrets = {SIGNER.derive("a"), SIGNER.derive("b"), other.derive("a"), b"k" * 32}
    assert len(secrets) == 4
    assert {len(secret) for secret in secrets} == {32}


def test_base64_is_read_in_its_canonical_spelling_alone() -> None:
    assert decode_base64("AA==") == b"\0"
    for text in ("AB==", "AA", "AA==\n", " AA==", "A-==", "é"):
        assert decode_base64(text) is None


# C2SP tlog-checkpoint, the example.
CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_specifications_checkpoint_reads_and_writes_back() -> None:
    checkpoint = parse_checkpoint(CHECKPOINT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert str(checkpoint) == CHECKPOINT
    extended = parse_checkpoint(CHECKPOINT + "extension\nmore\n")
    assert extended.extensions == ("extension", "more")
    assert str(extended) == CHECKPOINT + "extension\nmore\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        CHECKPOINT[:-1],
        CHECKPOINT.replace("20852163", "020852163"),
        CHECKPOINT.replace("20852163", "-1"),
        CHECKPOINT.replace("20852163", "\u0663"),
        CHECKPOINT.replace("20852163", "9" * 19),
        CHECKPOINT.replace("20852163", "1" * 30),
        CHECKPOINT.replace("q2I=", "q2J="),
        CHECKPOINT.replace("CsUY", ""),
        CHECKPOINT.replace("example.com/behind-the-sofa", ""),
        CHECKPOINT + "\n",
        "origin\n1\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(IntegrityError):
        parse_checkpoint(text)


def test_a_checkpoint_of_another_origin_is_refused_though_the_key_signed_it() -> None:
    note = sign_note(str(Checkpoint("other.test/log", 0, EMPTY_ROOT)), SIGNER)
    with pytest.raises(IntegrityError, match="of the log other"):
        open_checkpoint(str(note).encode(), SIGNER.vkey)
