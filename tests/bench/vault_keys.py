"""What keys cost: unsealing by each way, wrapping, cells, renewal. JSON lines.

python -m tests.bench.vault_keys [--models 200]
"""

import argparse
import io
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from appliance.registry.store import ModelStore
from appliance.vault.columns import Columns, Place
from appliance.vault.purpose import Purpose
from appliance.vault.unsealers.key_file import KeyFile
from appliance.vault.unsealers.passphrase import Costs, Passphrase
from appliance.vault.unsealers.shares import NewShares, ShareCollector
from appliance.vault.unsealers.unsealer import Opener
from appliance.vault.vault import Vault


def report(name: str, unit: str, value: float) -> None:
    line = {"bench": "vault_keys", "name": name, "unit": unit, "value": round(value, 3)}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def seconds(work: Callable[[], object], rounds: int = 5) -> float:
    """Return the median time of one call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def unsealing(directory: Path) -> None:
    opener, shares = KeyFile(directory / "unseal.key"), NewShares(threshold=3, count=5)
    vault = Vault.create(directory / "keys", opener)
    vault.add_way(opener, shares)
    vault.add_way(opener, Passphrase("five random words of mine", costs=Costs()))
    words = shares.take()

    def quorum() -> Opener:
        collector = ShareCollector()
        for share in words[:3]:
            collector.add(share)
        return collector.opener()

    ways: dict[str, Callable[[], Opener]] = {
        "key file": lambda: opener,
        "3 of 5 shares": quorum,
        "passphrase, RFC 9106 costs": lambda: Passphrase("five random words of mine"),
    }
    for name, way in ways.items():
        report(
            f"unseal by {name}",
            "ms",
            1e3 * seconds(lambda way=way: Vault.unseal(directory / "keys", way())),  # type: ignore[misc]
        )


def wrapping(directory: Path) -> None:
    vault = Vault.unseal(directory / "keys", KeyFile(directory / "unseal.key"))
    wrapped = vault.wrap(Purpose.CONTENT, "a", bytes(32))
    columns = Columns(vault)
    cipher, place = columns.cipher(columns.new_key("s")), Place(table="t", column="c", row="r")
    prompt = bytes(4096)
    cell = cipher.seal(place, prompt)
    works: dict[str, Callable[[], object]] = {
        "wrap": lambda: vault.wrap(Purpose.CONTENT, "a", bytes(32)),
        "unwrap": lambda: vault.unwrap(Purpose.CONTENT, "a", wrapped),
        "blind index": lambda: columns.blind_index("patient", "Jane Doe"),
        "seal a cell of 4 KiB": lambda: cipher.seal(place, prompt),
        "open a cell of 4 KiB": lambda: cipher.open(place, cell),
    }
    for name, work in works.items():
        report(name, "µs", 1e3 * seconds(lambda work=work: [work() for _ in range(1000)]))  # type: ignore[misc]


def renewal(directory: Path, models: int) -> None:
    opener = KeyFile(directory / "unseal.key")
    vault = Vault.unseal(directory / "keys", opener)
    store = ModelStore(directory / "models", vault)
    stored = [store.put(io.BytesIO(bytes(1000))) for _ in range(models)]

    def renew() -> None:
        vault.rotate(Purpose.MODELS, opener)
        for file in stored:
            store.rewrap(file)
        vault.destroy(Purpose.MODELS, vault.versions(Purpose.MODELS)[0], opener)

    report("models renewed, each durably", "per s", models / seconds(renew, 3))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        unsealing(Path(folder))
        wrapping(Path(folder))
        renewal(Path(folder), options.models)


if __name__ == "__main__":
    main()
