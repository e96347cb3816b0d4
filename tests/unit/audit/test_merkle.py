"""RFC 6962 proofs against known answers, then against a direct reading of the RFC."""

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit import merkle

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "merkle" / "testdata"
KINDS = {
    "inclusion": 98,
    "consistency": 98,
    "subtreeinclusion": 204,
    "subtreeconsistency": 118,
}


def _hash(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def _check(kind: str, case: dict) -> bool:
    proof = [_hash(item) for item in case["proof"] or []]
    match kind:
        case "inclusion":
            return merkle.verify_inclusion(
                case["leafIdx"],
                case["treeSize"],
                _hash(case["leafHash"]),
                proof,
                _hash(case["root"]),
            )
        case "consistency":
            return merkle.verify_consistency(
                case["size1"], case["size2"], _hash(case["root1"]), _hash(case["root2"]), proof
            )
        case "subtreeinclusion":
            return merkle.verify_subtree_inclusion(
                case["leafIdx"],
                (case["start"], case["end"]),
                _hash(case["leafHash"]),
                proof,
                _hash(case["root"]),
            )
        case _:
            return merkle.verify_subtree_consistency(
                (case["start"], case["end"]),
                case["size"],
                _hash(case["root1"]),
                _hash(case["root2"]),
                proof,
            )


@pytest.mark.parametrize("kind", KINDS)
def test_known_answers_all_agree(kind: str) -> None:
    files = sorted((VECTORS / kind).rglob("*.json"))
    wrong = []
    for file in files:
        case = json.loads(file.read_text())
        if _check(kind, case) == case["wantErr"]:
            wrong.append(f"{file.relative_to(VECTORS)}: {case['desc']}")
    assert not wrong
    assert len(files) == KINDS[kind]


def _mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + _mth(leaves[:k]) + _mth(leaves[k:])).digest()


LEAVES = [f"entry {number}".encode() for number in range(70)]


def _subtree(start: int, end: int) -> bytes:
    return _mth(LEAVES[start:end])


def test_roots_equal_the_definition() -> None:
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    for size in range(len(LEAVES) + 1):
        assert merkle.root_hash(hashes[:size]) == _mth(LEAVES[:size])


def test_every_inclusion_proof_of_small_trees_verifies_and_for_no_other_index() -> None:
    for size in range(1, 40):
        root = _mth(LEAVES[:size])
        for index in range(size):
            proof = merkle.prove_inclusion(index, size, _subtree)
            leaf = merkle.leaf_hash(LEAVES[index])
            assert merkle.verify_inclusion(index, size, leaf, proof, root)
            assert not merkle.verify_inclusion(index + 1, size, leaf, proof, root)
            assert not merkle.verify_inclusion(index, size, leaf, [*proof, root], root)


def test_every_consistency_proof_of_small_trees_verifies() -> None:
    for new in range(1, 40):
        for old in range(1, new + 1):
            proof = merkle.prove_consistency(old, new, _subtree)
            assert merkle.verify_consistency(
                old, new, _mth(LEAVES[:old]), _mth(LEAVES[:new]), proof
            )
            if old < new:
                fork = _mth([b"forged", *LEAVES[1:old]])
                assert not merkle.verify_consistency(old, new, fork, _mth(LEAVES[:new]), proof)


@given(
    numbers=st.tuples(*[st.integers(-3, 2**70)] * 3),
    proof=st.lists(st.binary(max_size=33), max_size=6),
    root=st.binary(max_size=33),
)
def test_a_check_of_nonsense_is_false_and_never_raises(
    numbers: tuple[int, int, int], proof: list[bytes], root: bytes
) -> None:
    first, second, third = numbers
    assert not merkle.verify_subtree_inclusion(first, (second, third), b"\0" * 32, proof, root)
    assert not merkle.verify_subtree_consistency((first, second), third, b"\0" * 31, root, proof)


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0)])
def test_no_proof_is_made_for_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="not in a tree"):
        merkle.prove_inclusion(index, size, _subtree)


@pytest.mark.parametrize(("old", "new"), [(0, 3), (4, 3), (-1, 3)])
def test_no_consistency_proof_is_made_from_nothing_or_backwards(old: int, new: int) -> None:
    with pytest.raises(ValueError, match="no proof leads"):
        merkle.prove_consistency(old, new, _subtree)
