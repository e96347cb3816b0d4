"""Check digits, against values published by those who issue them."""

import pytest

from appliance.redaction import checks
from appliance.redaction.cards import lengths


@pytest.mark.parametrize("value", ["4111 1111 1111 1111", "79927398713", "5500-0000-0000-0004"])
def test_luhn_accepts_published_numbers(value: str) -> None:
    assert checks.luhn(value)
    assert not checks.luhn(value[:-1] + str((int(value[-1]) + 1) % 10))


@pytest.mark.parametrize(
    "value",
    ["GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "MT84MALT011000012345MTLCAST001S",
     "NO9386011117947", "FR14 2004 1010 0505 0001 3M02 606", "BR1800360305000010009795493C1"],
)  # fmt: skip
def test_iban_accepts_the_registry_s_examples(value: str) -> None:
    assert checks.iban(value)
    assert not checks.iban(value[:-1])
    assert checks.iban_length(value + " THE REST") == len(value)


@pytest.mark.parametrize("value", ["021000021", "322271627", "0711-0130-7"])
def test_aba_accepts_known_banks(value: str) -> None:
    assert checks.aba(value)


def test_base58check_is_the_bitcoin_wiki_s_example() -> None:
    assert checks.base58check("16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvM")
    assert not checks.base58check("16UwLL9Risc3QfPqBUvKofHmBQ7wMtjvN")


@pytest.mark.parametrize(
    "value",
    ["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
     "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"],
)  # fmt: skip
def test_bech32_accepts_the_bips_examples(value: str) -> None:
    assert checks.bech32(value)
    assert not checks.bech32(value[:-1] + "q" if value[-1] != "q" else value[:-1] + "p")


def test_issuer_ranges() -> None:
    assert 16 in lengths("4111")
    assert lengths("3714") == (15,)
    assert lengths("2221") == (16,)
    assert lengths("0123") == ()
    assert lengths("9999") == ()
