from itertools import combinations
from pathlib import Path

import pytest
import shamir_mnemonic
from shamir_mnemonic import Share

from appliance.errors import ConfigurationError, IntegrityError, SealedError
from appliance.vault.unsealers.shares import CollectedShares, NewShares, ShareCollector
from appliance.vault.vault import Vault, inspect


def made(directory: Path, threshold: int = 3, count: int = 5) -> tuple[str, ...]:
    shares = NewShares(threshold=threshold, count=count)
    Vault.create(directory, shares)
    return shares.take()


def collected(*shares: str) -> CollectedShares:
    collector = ShareCollector()
    for share in shares:
        collector.add(share)
    return collector.opener()


def test_any_quorum_opens(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    assert len(set(shares)) == 5
    assert all(len(share.split()) == 33 for share in shares)
    for quorum in combinations(shares, 3):
        Vault.unseal(tmp_path / "keys", collected(*quorum))


def test_one_too_few_opens_nothing(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    with pytest.raises(SealedError, match="2 of 3 shares"):
        collected(*shares[:2])
    with pytest.raises(SealedError, match="needed"):
        collected()
    # Past the collector's own check, the arithmetic refuses too.
    few = CollectedShares(tuple(Share.from_mnemonic(share) for share in shares[:2]))
    with pytest.raises(SealedError, match="not genuine"):
        Vault.unseal(tmp_path / "keys", few)


def test_shares_are_handed_out_once() -> None:
    shares = NewShares(threshold=2, count=3)
    shares.enrol()
    assert len(shares.take()) == 3
    assert shares.take() == ()


def test_each_entry_says_how_many_are_missing(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    collector = ShareCollector()
    assert (collector.progress().present, collector.progress().needed) == (0, 0)
    for number, share in enumerate(shares[:3], start=1):
        progress = collector.add(share)
        assert (progress.present, progress.needed) == (number, 3)


def test_a_mistyped_share_is_refused_and_the_others_stay(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    collector = ShareCollector()
    collector.add(shares[0])
    words = shares[1].split()
    swapped = " ".join([*words[:9], words[10], words[9], *words[11:]])
    for wrong in ("", "hello", shares[1][:-8], swapped, shares[1].replace(words[5], "zebra", 1)):
        with pytest.raises(SealedError, match="word by word") as caught:
            collector.add(wrong)
        assert words[20] not in str(caught.value)
    assert collector.progress().present == 1
    collector.add("  " + shares[1].upper().replace(" ", "\n ") + "\t")
    collector.add(shares[2])
    Vault.unseal(tmp_path / "keys", collector.opener())


def test_the_same_share_twice_counts_once(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    collector = ShareCollector()
    collector.add(shares[0])
    with pytest.raises(SealedError, match="already"):
        collector.add(shares[0])
    assert collector.progress().present == 1


def test_a_share_of_another_set_is_refused_among_these(tmp_path: Path) -> None:
    shares, others = made(tmp_path / "a"), made(tmp_path / "b")
    collector = ShareCollector()
    collector.add(shares[0])
    with pytest.raises(SealedError, match="another set"):
        collector.add(others[1])


def test_a_whole_other_set_does_not_open(tmp_path: Path) -> None:
    made(tmp_path / "a")
    others = made(tmp_path / "b")
    with pytest.raises(SealedError, match="another set"):
        Vault.unseal(tmp_path / "a", collected(*others[:3]))


def test_a_forged_share_with_a_right_checksum_is_noticed(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    real = Share.from_mnemonic(shares[2])
    forged = Share(**{**real.__dict__, "value": bytes(len(real.value))})
    with pytest.raises(SealedError, match="not genuine"):
        Vault.unseal(tmp_path / "keys", collected(shares[0], shares[1], forged.mnemonic()))


def test_shares_of_a_wallet_are_refused() -> None:
    groups = shamir_mnemonic.generate_mnemonics(2, [(2, 3), (2, 3)], bytes(32))
    with pytest.raises(SealedError, match="not made by cloister"):
        ShareCollector().add(groups[0][0])


@pytest.mark.parametrize(("threshold", "count"), [(1, 1), (1, 3), (4, 3), (2, 17), (0, 0)])
def test_a_quorum_that_protects_nothing_is_refused(threshold: int, count: int) -> None:
    with pytest.raises(ConfigurationError, match="quorum"):
        NewShares(threshold=threshold, count=count)


def test_resharing_with_another_quorum_ends_the_old_shares(tmp_path: Path) -> None:
    old = made(tmp_path / "keys")
    vault = Vault.unseal(tmp_path / "keys", collected(*old[:3]))
    new = NewShares(threshold=2, count=4)
    vault.rotate_root(collected(*old[2:]), [new])
    with pytest.raises(SealedError, match="older than the last re-sharing"):
        Vault.unseal(tmp_path / "keys", collected(*old[:3]))
    Vault.unseal(tmp_path / "keys", collected(*new.take()[1:3]))
    assert inspect(tmp_path / "keys").root_version == 2


def test_a_slot_of_an_unknown_share_format_is_refused(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    with pytest.raises(IntegrityError, match="unknown"):
        collected(*shares[:3]).recover({"format": "SLIP-99"})


def test_the_words_lie_in_no_file(tmp_path: Path) -> None:
    shares = made(tmp_path / "keys")
    content = (tmp_path / "keys" / "vault.json").read_text()
    for share in shares:
        assert " ".join(share.split()[6:10]) not in content
