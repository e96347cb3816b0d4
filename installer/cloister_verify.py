#!/usr/bin/env python3
"""Verify a Cloister audit log without trusting the box that made it.

One file, Python 3.8 or newer, standard library alone. Carry it to a machine of your own with the
log's directory, and the verifier key (`log.vkey`) that was printed when the box was set up.

    cloister_verify.py log DIRECTORY --key log.vkey [--older checkpoint]
    cloister_verify.py proof FILE.tlog-proof --entry ENTRY.json --key log.vkey
    cloister_verify.py consistency OLDER-CHECKPOINT PROOF --key log.vkey
    cloister_verify.py export DIRECTORY --key log.vkey
    cloister_verify.py selftest

Exit status: 0 everything is as it was logged, 1 something is not (it says what and where), 2 the
command cannot be carried out.

Formats: RFC 6962 (tree, proofs), RFC 8032 (Ed25519), C2SP signed-note, tlog-checkpoint, tlog-tiles
and tlog-proof; a consistency proof is the body of a tlog-witness add-checkpoint request. If the
box changed its signing key, the log says so in entries `log.epoch_started`: in each the old key
signs the tree so far and the new key, and this program follows them from the key you hold.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

MAX_PROBLEMS = 20


class UnsoundError(Exception):
    """Something is not as it was logged."""


class UnusableError(Exception):
    """The command cannot be carried out."""


# ── Ed25519, RFC 8032 section 5.1 ────────────────────────────────────────────────────────────────
# Only public values are handled, so nothing needs to run in constant time.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


class Point(NamedTuple):
    """A point of the curve in extended coordinates (RFC 8032 section 5.1.4)."""

    x: int
    y: int
    z: int
    t: int


def point_add(p: Point, q: Point) -> Point:
    """Sum of two points (RFC 8032 section 5.1.4)."""
    a = (p.y - p.x) * (q.y - q.x) % P
    b = (p.y + p.x) * (q.y + q.x) % P
    c = 2 * p.t * q.t * D % P
    d = 2 * p.z * q.z % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return Point(e * f % P, g * h % P, f * g % P, e * h % P)


def point_multiply(scalar: int, p: Point) -> Point:
    """A point, `scalar` times."""
    result = Point(0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = point_add(result, p)
        p = point_add(p, p)
        scalar >>= 1
    return result


def point_decode(data: bytes) -> Point | None:
    """A point from its 32 bytes, None if they are none (RFC 8032 section 5.1.3)."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if len(data) != 32 or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * SQRT_M1 % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return Point(x, y, 1, x * y % P)


def points_equal(p: Point, q: Point) -> bool:
    """Whether two points are the same."""
    return not (p.x * q.z - q.x * p.z) % P and not (p.y * q.z - q.y * p.z) % P


BASE = Point(
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
    1,
    46827403850823179245072216630277197565144205554125654976674165829533817101731,
)


def ed25519_verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of `public` over `message` (RFC 8032 section 5.1.7)."""
    if len(signature) != 64:
        return False
    key, commitment = point_decode(public), point_decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return points_equal(
        point_multiply(s, BASE), point_add(commitment, point_multiply(challenge, key))
    )


# ── Signed notes and checkpoints ─────────────────────────────────────────────────────────────────


def unbase64(text: str) -> bytes:
    """Canonical base64 only."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise UnsoundError("malformed base64") from None
    if base64.b64encode(data).decode() != text:
        raise UnsoundError("malformed base64")
    return data


class Key:
    """An Ed25519 verifier key: NAME+ID+BASE64."""

    def __init__(self, text: str) -> None:
        parts = text.strip().split("+", 2)
        if len(parts) != 3:
            raise UnsoundError("the verifier key is not NAME+ID+BASE64")
        self.text, self.name = text.strip(), parts[0]
        material = unbase64(parts[2])
        if len(material) != 33 or material[0] != 1:
            raise UnsoundError("the verifier key is not an Ed25519 key")
        self.public = material[1:]
        self.id = hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:4]
        if self.id.hex() != parts[1]:
            raise UnsoundError("the verifier key's id does not belong to it")


class Checkpoint:
    """A log's size and root with signatures, as parsed; `check` says whether to believe it."""

    def __init__(self, data: bytes) -> None:
        try:
            whole = data.decode("utf-8")
        except UnicodeDecodeError:
            raise UnsoundError("the checkpoint is not UTF-8") from None
        body, blank, tail = whole.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise UnsoundError("the checkpoint's signature is missing or cut off")
        self.text = body + "\n"
        self.signatures: list[tuple[str, bytes]] = []
        for line in tail[:-1].split("\n"):
            match = re.match("^\u2014 ([^\\s+]+) (\\S+)$", line)
            if match is None:
                raise UnsoundError("the checkpoint has a malformed signature line")
            self.signatures.append((match.group(1), unbase64(match.group(2))))
        lines = body.split("\n")
        if len(lines) < 3 or not all(lines) or not re.match("^(0|[1-9][0-9]{0,18})\\Z", lines[1]):
            raise UnsoundError("the checkpoint is malformed")
        self.origin, self.size, self.root = lines[0], int(lines[1]), unbase64(lines[2])

    def check(self, key: Key) -> None:
        """Raise UnsoundError unless `key` signed it."""
        if self.origin != key.name:
            raise UnsoundError(f"the checkpoint is of {self.origin}, not of {key.name}")
        mine = [raw[4:] for name, raw in self.signatures if name == key.name and raw[:4] == key.id]
        if not mine or not all(
            ed25519_verify(key.public, self.text.encode("utf-8"), raw) for raw in mine
        ):
            raise UnsoundError(f"the checkpoint is not signed by the log's key {key.id.hex()}")


class KeyChain:
    """The first key and those that entries `log.epoch_started` put in its place."""

    def __init__(self, first: Key) -> None:
        self.keys: list[tuple[int, Key]] = [(0, first)]

    def follow(self, index: int, entry: dict[str, Any], root: bytes | None) -> None:
        """Take in a change of keys at entry `index`; `root` is that of the entries before it."""
        details, current = entry.get("details", {}), self.keys[-1][1]
        fields = ("epoch", "size", "root", "vkey")
        lines = ["cloister/epoch/v1", current.name, *(str(details.get(name)) for name in fields)]
        statement = "".join(line + "\n" for line in lines).encode()
        if not ed25519_verify(
            current.public, statement, unbase64(str(details.get("signature", "")))
        ):
            raise UnsoundError(f"entry {index}: the change of keys is not signed by the key before")
        told = (details["epoch"], details["size"])
        if told != (len(self.keys), index) or (
            root is not None and unbase64(details["root"]) != root
        ):
            raise UnsoundError(f"entry {index}: the change of keys is not about the entries before")
        new = Key(details["vkey"])
        if new.name != current.name:
            raise UnsoundError(f"entry {index}: the change of keys names another log's key")
        self.keys.append((index, new))

    def for_size(self, size: int) -> Key:
        """The key that signs checkpoints of `size` entries."""
        return [self.keys[0][1], *(key for first, key in self.keys if first < size)][-1]


# ── The tree of RFC 6962 ─────────────────────────────────────────────────────────────────────────


def leaf_hash(entry: bytes) -> bytes:
    """Hash of an entry."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """Grows leaf by leaf; keeps one hash per perfect subtree at the right edge."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: list[bytes] = []

    def add(self, leaf: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Append; gives each (level, number, hash) of a subtree of 256**level leaves completed."""
        count, height, node = self.size, 0, leaf
        self.size += 1
        yield 0, count, node
        while count & 1:
            node = node_hash(self.peaks.pop(), node)
            count, height = count >> 1, height + 1
            if height % 8 == 0:
                yield height // 8, count, node
        self.peaks.append(node)

    def root(self) -> bytes:
        """Root of all leaves."""
        if not self.peaks:
            return hashlib.sha256(b"").digest()
        node = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            node = node_hash(peak, node)
        return node


def root_from_inclusion(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162 section 2.1.3.2)."""
    if not 0 <= index < size:
        raise UnsoundError("the proof is for an entry that is not in the checkpoint's log")
    last, node = size - 1, leaf
    for sibling in path:
        if last == 0 or len(sibling) != 32:
            raise UnsoundError("the inclusion proof has the wrong length")
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    if last:
        raise UnsoundError("the inclusion proof has the wrong length")
    return node


def check_consistency(old: Checkpoint, new: Checkpoint, path: list[bytes]) -> None:
    """Raise UnsoundError unless the new log begins with the old (RFC 9162 section 2.1.4.2)."""
    if old.size > new.size:
        raise UnsoundError(f"the log shrank from {old.size} entries to {new.size}")
    if old.size in (new.size, 0):
        if path or (old.size == new.size and old.root != new.root):
            raise UnsoundError(f"two different logs of {old.size} entries were signed")
        return
    nodes, first, last = list(path), old.size - 1, new.size - 1
    if old.size & (old.size - 1) == 0:
        nodes.insert(0, old.root)
    while first & 1:
        first, last = first >> 1, last >> 1
    if not nodes or any(len(node) != 32 for node in nodes):
        raise UnsoundError("the consistency proof has the wrong length")
    inner = outer = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise UnsoundError("the consistency proof has the wrong length")
        if first & 1 or first == last:
            inner, outer = node_hash(node, inner), node_hash(node, outer)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            outer = node_hash(outer, node)
        first, last = first >> 1, last >> 1
    if last or inner != old.root or outer != new.root:
        raise UnsoundError(
            "the newer log does not begin with the older one: the past was rewritten"
        )


# ── A log directory (tlog-tiles) ─────────────────────────────────────────────────────────────────


def tile_path(level: str, index: int, width: int) -> str:
    """Relative path of a tile or bundle."""
    digits = f"{index:03}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join(["x" + group for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{path}" + ("" if width == 256 else f".p/{width}")


def expected_files(size: int) -> Iterator[str]:
    """Every file of a log of `size` entries."""
    yield "checkpoint"
    levels, count = [("entries", size)], size
    for level in range(64):
        levels.append((str(level), count))
        count //= 256
    for name, count in levels:
        for index in range(-(-count // 256)):
            yield tile_path(name, index, min(256, count - index * 256))


class LogVerification:
    """One pass over a log directory; `problems` has what was found."""

    def __init__(self, directory: str, key: Key, older: Checkpoint | None) -> None:
        self.directory, self.keys, self.older = directory, KeyChain(key), older
        self.problems: list[str] = []
        self.tree = Tree()
        self.rows: dict[int, list[bytes]] = {}
        self.last_time, self.last_boot, self.last_mono = "", "", -1
        self.first_time = ""
        self.checkpoint = Checkpoint(self.read("checkpoint"))

    def read(self, path: str) -> bytes:
        """A file of the log."""
        try:
            with open(os.path.join(self.directory, *path.split("/")), "rb") as file:
                return file.read()
        except OSError as error:
            raise UnsoundError(f"{path}: the file cannot be read ({error.strerror})") from None

    def run(self) -> list[str]:
        """Check everything; gives the problems."""
        size = self.checkpoint.size
        try:
            for index in range(-(-size // 256)):
                self.bundle(index, min(256, size - index * 256))
            self.roots()
        except UnsoundError as error:
            self.problems.append(str(error))
        self.signatures()
        self.files()
        return self.problems[:MAX_PROBLEMS]

    def bundle(self, index: int, width: int) -> None:
        """Check one bundle of entries, their hashes, and the tiles that they complete."""
        path, tile = tile_path("entries", index, width), tile_path("0", index, width)
        data, hashes, place = self.read(path), self.read(tile), 0
        if len(hashes) != 32 * width:
            raise UnsoundError(f"{tile}: the file does not hold {width} hashes")
        for number in range(index * 256, index * 256 + width):
            length = int.from_bytes(data[place : place + 2], "big")
            entry = data[place + 2 : place + 2 + length]
            if place + 2 > len(data) or len(entry) != length:
                raise UnsoundError(f"{path}: cut off in entry {number}")
            place += 2 + length
            leaf = leaf_hash(entry)
            if hashes[number % 256 * 32 :][:32] != leaf:
                raise UnsoundError(f"entry {number}: {path} and {tile} do not agree")
            if self.older is not None and self.older.size == number:
                self.compare_older()
            self.entry(number, entry, path)
            for level, count, node in self.tree.add(leaf):
                self.place(level, count, node)
        if place != len(data):
            raise UnsoundError(f"{path}: there is more than {width} entries in it")

    def place(self, level: int, count: int, node: bytes) -> None:
        """Put a hash into its tile, and hold the tile against the file once it is full."""
        if level:
            row = self.rows.setdefault(level, [])
            row.append(node)
            if len(row) == 256:
                self.compare_row(level, count // 256)

    def compare_row(self, level: int, index: int) -> None:
        """Hold the hashes of a tile against its file."""
        row, span = self.rows.pop(level), 256**level
        path = tile_path(str(level), index, len(row))
        stored = self.read(path)
        if len(stored) != 32 * len(row):
            raise UnsoundError(f"{path}: the file does not hold {len(row)} hashes")
        for at, node in enumerate(row):
            if stored[at * 32 :][:32] != node:
                start = (index * 256 + at) * span
                raise UnsoundError(
                    f"entries {start} to {start + span - 1}: not those that {path} was made of"
                )

    def entry(self, number: int, data: bytes, path: str) -> None:
        """Check what an entry says of itself, and follow a change of keys."""
        try:
            entry = json.loads(data.decode("utf-8"))
            told, time, boot = entry["seq"], entry["time"], entry["boot"]
            mono, action = int(entry["mono"]), entry["action"]
        except (ValueError, KeyError, TypeError):
            self.problems.append(f"entry {number}: not in the log's format ({path})")
            return
        if told != number:
            self.problems.append(f"entry {number}: says that it is entry {told} ({path})")
        if not re.match("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{6}Z\\Z", str(time)):
            self.problems.append(f"entry {number}: malformed time ({path})")
        elif time < self.last_time and action != "clock.jumped":
            self.problems.append(f"entry {number}: dated before the one in front ({path})")
        if boot == self.last_boot and mono < self.last_mono:
            self.problems.append(f"entry {number}: its clock ran backwards ({path})")
        self.first_time = self.first_time or str(time)
        self.last_time, self.last_boot, self.last_mono = str(time), boot, mono
        if action == "log.epoch_started":
            self.keys.follow(number, entry, self.tree.root())

    def compare_older(self) -> None:
        """Hold the tree so far against the older checkpoint."""
        if self.older is not None and self.tree.root() != self.older.root:
            self.problems.append(
                f"entries 0 to {self.older.size - 1}: not those of the older checkpoint"
            )

    def roots(self) -> None:
        """Compare the partial tiles, the root, and the older checkpoint."""
        for level in sorted(self.rows):
            self.compare_row(level, self.tree.size // 256 ** (level + 1))
        if self.tree.root() != self.checkpoint.root:
            raise UnsoundError("checkpoint: the entries do not add up to the signed root")
        if self.older is not None and self.older.size == self.tree.size:
            self.compare_older()

    def signatures(self) -> None:
        """Check who signed."""
        size = self.checkpoint.size
        try:
            self.checkpoint.check(self.keys.for_size(size))
            if len(self.checkpoint.signatures) != 1:
                raise UnsoundError("carries signatures that the log did not put there")
        except UnsoundError as error:
            self.problems.append(f"checkpoint: {error}")
        if self.older is None:
            return
        try:
            self.older.check(self.keys.for_size(self.older.size))
        except UnsoundError as error:
            self.problems.append(f"older checkpoint: {error}")
        if self.older.size > size:
            self.problems.append(
                f"entries {size} to {self.older.size - 1}: cut off since the older checkpoint"
            )

    def files(self) -> None:
        """Name the files that a log of this size does not have."""
        wanted, found = set(expected_files(self.checkpoint.size)), set()
        for folder, folders, names in os.walk(self.directory):
            links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
            for name in names + links:
                path = os.path.relpath(os.path.join(folder, name), self.directory)
                found.add(path.replace(os.sep, "/"))
        for path in sorted(found - wanted):
            self.problems.append(f"{path}: does not belong to a log of this size")
        for path in sorted(wanted - found):
            self.problems.append(f"{path}: the file is missing")


# ── Proofs and exports ───────────────────────────────────────────────────────────────────────────


def read_file(path: str) -> bytes:
    """A file named on the command line."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UnusableError(f"cannot read {path}: {error.strerror}") from None


def read_key(text: str) -> Key:
    """A verifier key, as text or in a file."""
    try:
        return Key(text if "+" in text else read_file(text).decode("utf-8", "replace"))
    except UnsoundError as error:
        raise UnusableError(str(error)) from None


def follow_file(chain: KeyChain, data: bytes) -> None:
    """Follow the changes of keys in a file of entries, one on each line."""
    for line in data.splitlines():
        entry = json.loads(line)
        chain.follow(entry["seq"], entry, None)


def split_proof(data: bytes) -> tuple[list[str], Checkpoint]:
    """The lines of a proof in front of its checkpoint, and the checkpoint."""
    head, blank, rest = data.partition(b"\n\n")
    if not blank:
        raise UnsoundError("the proof has no checkpoint")
    return head.decode("utf-8", "replace").split("\n"), Checkpoint(rest)


def verify_proof(data: bytes, entry: bytes, chain: KeyChain) -> str:
    """Check a tlog-proof of an entry."""
    lines, checkpoint = split_proof(data)
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise UnsoundError("the file is not a tlog-proof")
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    match = re.match("^index (0|[1-9][0-9]*)\\Z", lines.pop(0) if lines else "")
    if match is None:
        raise UnsoundError("the proof does not say which entry it is of")
    index, path = int(match.group(1)), [unbase64(line) for line in lines]
    checkpoint.check(chain.for_size(checkpoint.size))
    if root_from_inclusion(index, checkpoint.size, leaf_hash(entry), path) != checkpoint.root:
        raise UnsoundError(f"entry {index}: not in the log in this form")
    return f"entry {index} is in {checkpoint.origin}, {checkpoint.size} entries"


def verify_consistency(older: bytes, proof: bytes, chain: KeyChain) -> str:
    """Check that the log went on from an older checkpoint without rewriting it."""
    old = Checkpoint(older)
    lines, new = split_proof(proof)
    if lines.pop(0) != f"old {old.size}":
        raise UnsoundError("the proof is not about the older checkpoint")
    old.check(chain.for_size(old.size))
    new.check(chain.for_size(new.size))
    check_consistency(old, new, [unbase64(line) for line in lines])
    return f"{new.origin} grew from {old.size} to {new.size} entries, nothing rewritten"


def verify_export(directory: str, key: Key) -> str:
    """Check an export: its files against its manifest, each entry against the checkpoint."""
    chain = KeyChain(key)

    def read(name: str) -> bytes:
        return read_file(os.path.join(directory, name))

    follow_file(chain, read("epochs.jsonl"))
    checkpoint = Checkpoint(read("checkpoint"))
    checkpoint.check(chain.for_size(checkpoint.size))
    facts = check_manifest(read("manifest"), chain.for_size(checkpoint.size), directory)
    numbers = []
    for line in read("entries.jsonl").splitlines():
        record = json.loads(line)
        index, entry = record["index"], record["entry"].encode("utf-8")
        path = [unbase64(text) for text in record["proof"]]
        if root_from_inclusion(index, checkpoint.size, leaf_hash(entry), path) != checkpoint.root:
            raise UnsoundError(f"entry {index}: not in the log in this form")
        numbers.append(index)
    if numbers != sorted(set(numbers)) or len(numbers) != int(facts["count"]):
        raise UnsoundError("entries are missing from the export, or in it twice")
    if facts["complete"] == "yes" and numbers and numbers[-1] - numbers[0] + 1 != len(numbers):
        raise UnsoundError("the export claims to be complete, and is not")
    return f"{len(numbers)} entries, all in {checkpoint.origin} of {checkpoint.size} entries"


def check_manifest(data: bytes, key: Key, directory: str) -> dict[str, str]:
    """Check an export's manifest and the files that it lists; gives what it says."""
    body, _, tail = data.decode("utf-8", "replace").rpartition("\n\n")
    match = re.match("^\u2014 (\\S+) (\\S+)\n\\Z", tail)
    raw = unbase64(match.group(2)) if match and match.group(1) == key.name else b""
    if raw[:4] != key.id or not ed25519_verify(key.public, (body + "\n").encode(), raw[4:]):
        raise UnsoundError("manifest: not signed by the log's key")
    lines = body.split("\n")
    if lines[:2] != ["cloister/export/v1", key.name]:
        raise UnsoundError("manifest: not of an export of this log")
    facts, listed = {}, {"manifest"}
    for line in lines[2:]:
        name, _, value = line.partition(" ")
        if name != "sha256":
            facts[name] = value
            continue
        digest, _, path = value.partition(" ")
        listed.add(path)
        if hashlib.sha256(read_file(os.path.join(directory, path))).hexdigest() != digest:
            raise UnsoundError(f"{path}: not the file that was exported")
    for path in sorted(set(os.listdir(directory)) - listed):
        raise UnsoundError(f"{path}: does not belong to the export")
    return facts


# ── Command line ─────────────────────────────────────────────────────────────────────────────────

# RFC 8032 section 7.1: public key, message, signature.
RFC8032_TESTS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
        "984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


def selftest() -> str:
    """Try the signature check on RFC 8032's own test vectors, and on each with one bit changed."""
    for public, message, signature in RFC8032_TESTS:
        key, text, raw = map(bytes.fromhex, (public, message, signature))
        wrong = bytes([raw[0] ^ 1]) + raw[1:]
        if not ed25519_verify(key, text, raw) or ed25519_verify(key, text, wrong):
            raise UnsoundError("the Ed25519 of this program does not work here")
    return "Ed25519 agrees with RFC 8032"


def verify_log(directory: str, key: Key, older: str | None) -> str:
    """Check a log directory; raise UnsoundError with all that was found."""
    if not os.path.isdir(directory):
        raise UnusableError(f"{directory} is not a directory")
    earlier = None
    if older is not None:
        earlier = Checkpoint(read_file(older))
    check = LogVerification(directory, key, earlier)
    problems = check.run()
    if problems:
        raise UnsoundError("\n".join(problems))
    size = check.checkpoint.size
    since = f", {check.first_time} to {check.last_time}" if size else ""
    return f"{check.checkpoint.origin}: {size} entries, all in order{since}"


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Verify a Cloister audit log.")
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, text: str, *positional: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text)
        for argument in positional:
            command.add_argument(argument)
        command.add_argument("--key", required=True, help="verifier key, or a file with it")
        return command

    add("log", "a log directory", "directory").add_argument(
        "--older", help="an earlier checkpoint, printed or kept elsewhere"
    )
    proof = add("proof", "that an entry is in the log", "proof")
    proof.add_argument("--entry", required=True, help="the entry's bytes")
    proof.add_argument("--epochs", help="entries that changed the key, one on each line")
    consistency = add("consistency", "that nothing was rewritten", "older", "proof")
    consistency.add_argument("--epochs", help="entries that changed the key, one on each line")
    add("export", "an export's directory", "directory")
    commands.add_parser("selftest", help="try this program's Ed25519")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace) -> str:
    """Carry out a command; gives the good news."""
    if options.command == "selftest":
        return selftest()
    key = read_key(options.key)
    if options.command == "log":
        return verify_log(options.directory, key, options.older)
    if options.command == "export":
        return verify_export(options.directory, key)
    chain = KeyChain(key)
    if options.epochs is not None:
        follow_file(chain, read_file(options.epochs))
    if options.command == "proof":
        return verify_proof(read_file(options.proof), read_file(options.entry), chain)
    return verify_consistency(read_file(options.older), read_file(options.proof), chain)


def main(arguments: list[str] | None = None) -> int:
    """Run; gives the exit status."""
    try:
        print("SOUND  " + run(parse(arguments)))
    except UnsoundError as error:
        for line in str(error).split("\n"):
            print("NOT SOUND  " + line)
        return 1
    except (ValueError, KeyError, TypeError):
        # A file that is JSON in parts only, or lacks a member: no reader of it should guess.
        print("NOT SOUND  a file is not in the format that it claims")
        return 1
    except UnusableError as error:
        print(f"cannot verify: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
