import unicodedata
from pathlib import Path

import pytest

from appliance.errors import ConfigurationError, IntegrityError, SealedError
from appliance.vault.document import Parameters
from appliance.vault.unsealers import passphrase
from appliance.vault.unsealers.passphrase import Costs, Passphrase
from appliance.vault.vault import Vault

CHEAP = Costs(iterations=1, memory_kib=19 * 1024, lanes=1)
PHRASE = "correct horse battery staple"


def test_the_right_phrase_opens_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    Vault.create(tmp_path / "keys", Passphrase(PHRASE, costs=CHEAP))
    Vault.unseal(tmp_path / "keys", Passphrase(PHRASE))
    for wrong in ("", PHRASE[:-1], PHRASE + " ", PHRASE.upper()):
        with pytest.raises(SealedError, match="wrong, or belongs to another box"):
            Vault.unseal(tmp_path / "keys", Passphrase(wrong))


def test_the_derivation_is_argon2id() -> None:
    # From the reference implementation's src/test.c (version 0x13, t=2, m=64 MiB, p=1).
    derived = passphrase._derive(
        "password", b"somesalt", Costs(iterations=2, memory_kib=64 * 1024, lanes=1)
    )
    expected = "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7"
    assert derived.view.hex() == expected


def test_another_salt_gives_another_key() -> None:
    parameters, secret = Passphrase(PHRASE, costs=CHEAP).enrol()
    assert Passphrase(PHRASE).recover(parameters).view == secret.view
    other = Passphrase(PHRASE).recover({**parameters, "salt": "01" * 16})
    assert other.view != secret.view


def test_another_keyboards_composition_gives_the_same_key() -> None:
    phrase = "Krankenhäuser überall"
    parameters, secret = Passphrase(unicodedata.normalize("NFD", phrase), costs=CHEAP).enrol()
    assert Passphrase(unicodedata.normalize("NFC", phrase)).recover(parameters).view == secret.view


def test_a_short_phrase_is_refused_when_it_is_set() -> None:
    with pytest.raises(ConfigurationError, match="12 characters"):
        Passphrase("hunter2", costs=CHEAP).enrol()


def test_the_same_phrase_twice_gives_two_keys() -> None:
    one, other = (Passphrase(PHRASE, costs=CHEAP).enrol()[1] for _ in range(2))
    assert one.view != other.view


ALTERED: dict[str, Parameters] = {
    "a memory that no box has": {"memory_kib": 1 << 40},
    "endless iterations": {"iterations": 1 << 30},
    "no memory": {"memory_kib": 8},
    "no iterations": {"iterations": 0},
    "many lanes": {"lanes": 1000},
    "another kdf": {"kdf": "MD5"},
    "a short salt": {"salt": "00"},
    "no salt": {"salt": "pepper"},
}


@pytest.mark.parametrize("change", ALTERED.values(), ids=ALTERED.keys())
def test_costs_that_were_altered_neither_exhaust_the_box_nor_crash_it(change: Parameters) -> None:
    parameters, _ = Passphrase(PHRASE, costs=CHEAP).enrol()
    with pytest.raises(IntegrityError, match="altered"):
        Passphrase(PHRASE).recover({**parameters, **change})
    with pytest.raises(IntegrityError, match="altered"):
        Passphrase(PHRASE).recover({})


def test_a_wrong_phrase_costs_exactly_one_full_derivation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.create(tmp_path / "keys", Passphrase(PHRASE, costs=CHEAP))
    derived: list[Costs] = []
    derive = passphrase._derive

    def counted(phrase: str, salt: bytes, costs: Costs) -> object:
        derived.append(costs)
        return derive(phrase, salt, costs)

    monkeypatch.setattr(passphrase, "_derive", counted)
    for phrase in ("", "x", PHRASE[:-1], "y" * 1000):
        derived.clear()
        with pytest.raises(SealedError):
            Vault.unseal(tmp_path / "keys", Passphrase(phrase))
        assert derived == [CHEAP]


class Machine:
    """A clock that a pretended Argon2id advances: so many seconds per GiB and iteration."""

    def __init__(self, seconds_per_gib: float) -> None:
        self.now = 0.0
        self.seconds_per_gib = seconds_per_gib

    def clock(self) -> float:
        return self.now

    def derive(self, phrase: str, salt: bytes, costs: Costs) -> passphrase.Secret:
        self.now += self.seconds_per_gib * costs.iterations * costs.memory_kib / (1 << 20)
        return passphrase.Secret(32)


@pytest.mark.parametrize("seconds_per_gib", [0.01, 0.3, 2.0, 50.0])
def test_costs_are_fitted_to_the_machine_and_never_below_the_recommendation(
    seconds_per_gib: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(seconds_per_gib)
    monkeypatch.setattr(passphrase, "_derive", machine.derive)
    costs = Costs.calibrated(seconds=1.0, clock=machine.clock)
    assert costs.iterations >= Costs().iterations
    assert costs.memory_kib >= Costs().memory_kib
    took = seconds_per_gib * costs.iterations * costs.memory_kib / (1 << 20)
    if costs.iterations < 64 and costs != Costs():
        assert 0.4 <= took <= 2.1
