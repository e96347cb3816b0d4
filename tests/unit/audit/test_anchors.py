"""Anchors: witness, directory, syslog, paper; and what none of them covers yet."""

import base64
import shutil
import socket
from pathlib import Path

import pytest

from appliance.audit.anchors import Anchors, accept_cosignature, push_to_directory
from appliance.audit.checkpoint import Checkpoint
from appliance.audit.clock import format_utc
from appliance.audit.cosignature import Cosigner, cosigned_at
from appliance.audit.epochs import Epochs
from appliance.audit.keys import parse_verifier_key
from appliance.audit.log import Log
from appliance.audit.note import Note, parse_note, sign_note
from appliance.audit.printed import printed_png, printed_text
from appliance.audit.proof import prove_growth
from appliance.audit.reader import LogReader
from appliance.audit.syslog import send_to_syslog, syslog_message
from appliance.audit.verify import verify_directory
from appliance.audit.witness import Witness
from appliance.errors import ConfigurationError, IntegrityError, UnavailableError
from tests.support.audit_logs import (
    ACTOR,
    ORIGIN,
    SIGNER,
    VKEY,
    SetClock,
    UnsyncedFiles,
    build_log,
    opened,
)

NOW = 1_800_000_000
NOTE = sign_note(str(Checkpoint(ORIGIN, 7, b"\x07" * 32)), SIGNER)


@pytest.fixture
def box(tmp_path: Path) -> Path:
    build_log(tmp_path / "box", 20)
    return tmp_path / "box"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness.create(tmp_path / "laptop", "witness.test/officer")


def _note(box: Path) -> Note:
    return parse_note((box / "log/checkpoint").read_bytes())


def _grow(box: Path, entries: int) -> None:
    log = Log.open(box, signer=SIGNER, clock=SetClock(), files=UnsyncedFiles())
    for number in range(entries):
        log.append_sync(opened(5000 + number), ACTOR)
    log.close_sync()


def _reader(box: Path) -> LogReader:
    return LogReader(box / "log", int(_note(box).text.split("\n")[1]))


def _epochs() -> Epochs:
    return Epochs(parse_verifier_key(VKEY))


def test_a_cosignature_verifies_and_says_when() -> None:
    cosigner = Cosigner("w.test/1", b"w" * 32)
    note = cosigner.cosign(NOTE, NOW)
    assert cosigned_at(note, cosigner.vkey) == NOW
    assert note.verified_by(SIGNER.vkey)
    assert parse_verifier_key(str(cosigner.vkey)) == cosigner.vkey
    again = cosigner.cosign(note, NOW + 1)
    assert len(again.signatures) == 2
    assert cosigned_at(again, cosigner.vkey) == NOW + 1


def test_a_cosignature_holds_for_its_text_time_and_key_alone() -> None:
    cosigner = Cosigner("w.test/1", b"w" * 32)
    note = cosigner.cosign(NOTE, NOW)
    line = note.signatures[1]
    other_text = Note(note.text.replace("\n7\n", "\n8\n"), note.signatures)
    changed = bytearray(line.signature)
    changed[7] ^= 1
    other_time = Note(note.text, (type(line)(line.name, line.key_id, bytes(changed)),))
    assert cosigned_at(other_text, cosigner.vkey) is None
    assert cosigned_at(other_time, cosigner.vkey) is None
    assert cosigned_at(note, Cosigner("w.test/1", b"x" * 32).vkey) is None
    assert cosigned_at(NOTE, cosigner.vkey) is None
    assert cosigned_at(note, SIGNER.vkey) is None


def test_a_witness_follows_a_log_that_grows_and_the_box_keeps_the_cosignature(
    box: Path, witness: Witness, tmp_path: Path
) -> None:
    first = witness.witness(prove_growth(_reader(box), _note(box), 0), _epochs(), NOW)
    assert witness.size_of(ORIGIN) == 40
    _grow(box, 300)
    witness = Witness.open(tmp_path / "laptop")
    proof = prove_growth(_reader(box), _note(box), witness.size_of(ORIGIN))
    second = witness.witness(proof, _epochs(), NOW + 60)
    for cosigned in (first, second):
        data = str(cosigned).encode()
        assert accept_cosignature(data, _note(box), _reader(box), witness.vkey) == cosigned
    report = verify_directory(box / "log", VKEY, older=str(first).encode())
    assert report.sound, str(report)


def test_a_witness_refuses_a_log_that_was_put_back(box: Path, witness: Witness) -> None:
    shutil.copytree(box, box.parent / "yesterday")
    _grow(box, 5)
    witness.witness(prove_growth(_reader(box), _note(box), 0), _epochs())
    old = box.parent / "yesterday"
    with pytest.raises(IntegrityError, match="cut off or put back"):
        witness.witness(prove_growth(_reader(old), _note(old), 40), _epochs())


def test_a_witness_refuses_a_fork_and_remembers_its_side(box: Path, witness: Witness) -> None:
    witness.witness(prove_growth(_reader(box), _note(box), 0), _epochs())
    log = Log.create(
        box.parent / "other", origin=ORIGIN, signer=SIGNER, clock=SetClock(5), files=UnsyncedFiles()
    )
    for number in range(50):
        log.append_sync(opened(number), ACTOR)
    log.close_sync()
    other = box.parent / "other"
    with pytest.raises(IntegrityError, match="past was rewritten"):
        witness.witness(prove_growth(_reader(other), _note(other), 40), _epochs())
    assert witness.size_of(ORIGIN) == 40


def test_a_witness_wants_the_proof_from_where_it_stands(box: Path, witness: Witness) -> None:
    witness.witness(prove_growth(_reader(box), _note(box), 0), _epochs())
    _grow(box, 5)
    with pytest.raises(ConfigurationError, match="from entry 40 on"):
        witness.witness(prove_growth(_reader(box), _note(box), 0), _epochs())


def test_the_box_refuses_a_cosignature_of_a_log_that_it_never_had(
    box: Path, witness: Witness
) -> None:
    cosigner = Cosigner("w.test/1", b"w" * 32)
    foreign = cosigner.cosign(sign_note(str(Checkpoint(ORIGIN, 7, b"\1" * 32)), SIGNER), NOW)
    with pytest.raises(IntegrityError, match="never had"):
        accept_cosignature(str(foreign).encode(), _note(box), _reader(box), cosigner.vkey)
    with pytest.raises(IntegrityError, match="not cosigned"):
        accept_cosignature(str(_note(box)).encode(), _note(box), _reader(box), cosigner.vkey)


def test_a_witness_is_made_once_and_must_exist(witness: Witness, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="already"):
        Witness.create(tmp_path / "laptop", "another.test/name")
    with pytest.raises(ConfigurationError, match="no witness"):
        Witness.open(tmp_path / "nowhere")
    assert (tmp_path / "laptop" / "witness.key").stat().st_mode & 0o077 == 0


def test_unanchored_entries_and_their_age_are_counted(box: Path) -> None:
    anchors = Anchors(box / "anchors", UnsyncedFiles())
    clock = SetClock()
    nothing = anchors.standing(_reader(box), clock.utc + 90 * 10**9)
    assert (nothing.anchored, nothing.unanchored, nothing.age_s) == (0, 40, 90.0)
    anchors.record("print", "binder", _note(box), clock.utc)
    assert anchors.standing(_reader(box), clock.utc).unanchored == 0
    _grow(box, 3)
    standing = anchors.standing(_reader(box), clock.utc + 10 * 10**9)
    assert (standing.anchored, standing.unanchored, standing.age_s) == (40, 3, 10.0)
    assert standing.since == format_utc(clock.utc)
    assert standing.exceeds(entries=2, age_s=None)
    assert standing.exceeds(entries=None, age_s=9)
    assert not standing.exceeds(entries=3, age_s=10)
    assert not standing.exceeds(entries=None, age_s=None)
    anchors.record("witness", "w.test/officer", _note(box), clock.utc)
    assert [anchor.kind for anchor in anchors.all()] == ["witness", "print"]
    (box / "anchors" / "broken.json").write_text("{")
    assert len(anchors.all()) == 2
    with pytest.raises(ConfigurationError, match="name"):
        anchors.record("print", "../..x y", _note(box), clock.utc)


def test_a_pushed_checkpoint_is_never_written_over(tmp_path: Path) -> None:
    path = push_to_directory(NOTE, tmp_path)
    assert path.name == "box.test_log-00000000000000000007.checkpoint"
    assert path.read_bytes() == str(NOTE).encode()
    assert push_to_directory(NOTE, tmp_path) == path
    fork = sign_note(str(Checkpoint(ORIGIN, 7, b"\x08" * 32)), SIGNER)
    with pytest.raises(UnavailableError, match="exists"):
        push_to_directory(fork, tmp_path)
    with pytest.raises(UnavailableError):
        push_to_directory(NOTE, tmp_path / "not" / "there")


def test_syslog_gets_the_whole_checkpoint_in_rfc_5424_form(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as daemon:
        daemon.bind(str(tmp_path / "log"))
        send_to_syslog(NOTE, NOW * 10**9, tmp_path / "log")
        message = daemon.recv(65_536).decode()
    assert message.startswith("<109>1 2027-01-15T08:00:00.000000Z ")
    root = base64.b64encode(b"\x07" * 32).decode()
    assert f'[checkpoint@32473 origin="box.test/log" size="7" root="{root}" ' in message
    assert str(NOTE).rsplit(" ", 1)[1].strip() in message
    with pytest.raises(UnavailableError, match="syslog"):
        send_to_syslog(NOTE, NOW * 10**9, tmp_path / "nobody")


def test_syslog_values_are_escaped() -> None:
    note = Note(str(Checkpoint('a"b]c\\d', 1, b"\0" * 32)), NOTE.signatures)
    assert b'origin="a\\"b\\]c\\\\d"' in syslog_message(note, 0)


def test_paper_has_the_note_and_a_code() -> None:
    text = printed_text(NOTE, "2027-01-15T08:00:00.000000Z")
    assert str(NOTE) in text
    assert "\u2588" in text or "\u2580" in text
    assert printed_png(NOTE).startswith(b"\x89PNG")
