"""The officer's verifier on its own: commands, proofs, exit status, nothing but Python needed."""

import ast
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from appliance.audit import merkle
from appliance.audit.keyring import Keyring
from appliance.audit.log import Log
from appliance.audit.note import parse_note
from appliance.audit.proof import (
    parse_consistency_proof,
    parse_inclusion_proof,
    prove_entry,
    prove_growth,
)
from appliance.audit.reader import LogReader
from appliance.errors import ConfigurationError, IntegrityError
from tests.support.audit_logs import (
    ACTOR,
    ORIGIN,
    SIGNER,
    VKEY,
    SetClock,
    UnsyncedFiles,
    build_log,
    load_officer_verifier,
    opened,
)

OFFICER = load_officer_verifier()
FILE = Path(OFFICER.__file__ or "")
SIZE = 600


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("officer")
    build_log(directory, SIZE // 2)
    return directory / "log"


def _note(log: Path) -> bytes:
    return (log / "checkpoint").read_bytes()


def test_it_imports_nothing_but_the_standard_library_and_parses_as_python_38() -> None:
    tree = ast.parse(FILE.read_text(), feature_version=(3, 8))
    imported = {
        (node.module or "") if isinstance(node, ast.ImportFrom) else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= set(sys.stdlib_module_names)


def test_it_runs_alone_in_an_isolated_interpreter(log: Path) -> None:
    command = [sys.executable, "-I", "-S", str(FILE), "log", str(log), "--key", VKEY]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.startswith(f"SOUND  {ORIGIN}: 600 entries, all in order")


def test_exit_status_tells_unsound_from_unusable(log: Path, tmp_path: Path) -> None:
    assert OFFICER.main(["log", str(log), "--key", VKEY]) == 0
    assert OFFICER.main(["log", str(tmp_path), "--key", VKEY]) == 1
    assert OFFICER.main(["log", str(tmp_path / "no"), "--key", VKEY]) == 2
    assert OFFICER.main(["log", str(log), "--key", str(tmp_path / "no")]) == 2
    with pytest.raises(SystemExit) as exit_:
        OFFICER.main(["nonsense"])
    assert exit_.value.code == 2


def test_its_ed25519_agrees_with_rfc_8032() -> None:
    assert OFFICER.main(["selftest"]) == 0


def test_its_ed25519_refuses_what_rfc_8032_refuses() -> None:
    public, _, signature = (bytes.fromhex(part) for part in OFFICER.RFC8032_TESTS[0])
    s = int.from_bytes(signature[32:], "little") + OFFICER.L
    assert not OFFICER.ed25519_verify(public, b"", signature[:32] + s.to_bytes(32, "little"))
    assert not OFFICER.ed25519_verify(public, b"", signature[:-1])
    assert not OFFICER.ed25519_verify(b"\xff" * 32, b"", signature)
    assert not OFFICER.ed25519_verify(public, b"", b"\xff" * 64)


@pytest.mark.parametrize("index", [0, 255, 256, 511, 599])
def test_an_inclusion_proof_is_accepted_and_only_for_its_entry(
    log: Path, tmp_path: Path, index: int
) -> None:
    reader = LogReader(log, SIZE)
    proof = prove_entry(reader, parse_note(_note(log)), index)
    text = str(proof).encode()
    assert parse_inclusion_proof(text) == proof
    assert proof.holds_for(reader.entry(index))
    assert not proof.holds_for(reader.entry((index + 1) % SIZE))
    (tmp_path / "proof").write_bytes(text)
    (tmp_path / "entry").write_bytes(reader.entry(index))
    command = ["proof", str(tmp_path / "proof"), "--key", VKEY, "--entry", str(tmp_path / "entry")]
    assert OFFICER.main(command) == 0
    (tmp_path / "entry").write_bytes(reader.entry(index).replace(b"ex_", b"ey_"))
    assert OFFICER.main(command) == 1


def test_a_damaged_proof_is_refused(log: Path, tmp_path: Path) -> None:
    text = str(prove_entry(LogReader(log, SIZE), parse_note(_note(log)), 7)).encode()
    (tmp_path / "entry").write_bytes(LogReader(log, SIZE).entry(7))
    command = ["proof", str(tmp_path / "proof"), "--key", VKEY, "--entry", str(tmp_path / "entry")]
    lines = text.split(b"\n")
    damaged = [
        b"",
        text[:-1],
        text.replace(b"index 7", b"index 8"),
        text.replace(b"index 7", b"index 07"),
        text.replace(b"v1\n", b"v2\n", 1),
        b"\n".join(lines[:2] + lines[3:]),
        b"\n".join([*lines[:2], lines[2], *lines[2:]]),
        text.replace(b"\n600\n", b"\n601\n"),
    ]
    for data in damaged:
        (tmp_path / "proof").write_bytes(data)
        assert OFFICER.main(command) == 1, data
        with suppress(IntegrityError):
            proof = parse_inclusion_proof(data)
            believed = proof.note.verified_by(SIGNER.vkey)
            assert not (believed and proof.holds_for(LogReader(log, SIZE).entry(7))), data


def test_consistency_is_proved_and_a_fork_is_not(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    build_log(directory, 150)
    older = _note(directory / "log")
    log = Log.open(directory, signer=SIGNER, clock=SetClock(), files=UnsyncedFiles())
    for number in range(300):
        log.append_sync(opened(number), ACTOR)
    log.close_sync()
    newer = parse_note(_note(directory / "log"))
    proof = prove_growth(LogReader(directory / "log", SIZE), newer, 300)
    assert parse_consistency_proof(str(proof).encode()) == proof
    assert proof.holds_for(LogReader(directory / "log", SIZE).root(300))
    assert not proof.holds_for(b"\0" * 32)
    (tmp_path / "older").write_bytes(older)
    (tmp_path / "proof").write_text(str(proof))
    command = ["consistency", str(tmp_path / "older"), str(tmp_path / "proof"), "--key", VKEY]
    assert OFFICER.main(command) == 0

    build_log(tmp_path / "fork", 151)
    (tmp_path / "older").write_bytes(_note(tmp_path / "fork" / "log"))
    assert OFFICER.main(command) == 1


def test_proofs_across_key_epochs_need_the_changes_of_keys(tmp_path: Path) -> None:
    directory = tmp_path / "audit"
    directory.mkdir()
    ring = Keyring.create(directory, name=ORIGIN, secret=b"s" * 32)
    log = Log.create(directory, origin=ORIGIN, signer=ring, clock=SetClock(), files=UnsyncedFiles())
    log.append_sync(opened(1), ACTOR)
    log.change_key()
    log.append_sync(opened(2), ACTOR)
    log.close_sync()
    reader = LogReader(directory / "log", 3)
    (tmp_path / "proof").write_text(str(prove_entry(reader, log.note, 0)))
    (tmp_path / "entry").write_bytes(reader.entry(0))
    (tmp_path / "epochs").write_bytes(reader.entry(1) + b"\n")
    command = ["proof", str(tmp_path / "proof"), "--entry", str(tmp_path / "entry")]
    command += ["--key", str(directory / "log.vkey")]
    assert OFFICER.main(command) == 1
    assert OFFICER.main([*command, "--epochs", str(tmp_path / "epochs")]) == 0
    assert OFFICER.main(["log", str(directory / "log"), "--key", str(directory / "log.vkey")]) == 0


def test_no_proof_is_made_of_what_the_log_does_not_have(log: Path) -> None:
    reader, note = LogReader(log, SIZE), parse_note(_note(log))
    with pytest.raises(ConfigurationError, match="no entry 600"):
        prove_entry(reader, note, SIZE)
    with pytest.raises(ConfigurationError, match="never had"):
        prove_growth(reader, note, SIZE + 1)


def test_an_entry_that_is_not_an_object_is_named(tmp_path: Path) -> None:
    verification = OFFICER.LogVerification.__new__(OFFICER.LogVerification)
    verification.problems = []
    for data in (b"[]", b"7", b"{", json.dumps({"seq": 0}).encode()):
        verification.entry(5, data, "tile/entries/000")
    assert len(verification.problems) == 4
    assert all("entry 5: not in the log's format" in text for text in verification.problems)


def test_both_trees_are_the_same_tree() -> None:
    tree, leaves = OFFICER.Tree(), []
    for number in range(600):
        leaves.append(merkle.leaf_hash(b"%d" % number))
        list(tree.add(leaves[-1]))
        assert tree.root() == merkle.root_hash(leaves)
