"""Check digits. Each takes the matched text, separators and all: can it be a real number?

The simple sums are here; national numbers go to python-stdnum, whose modules are imported when the
first candidate needs them, not at start-up. A check that raises is a failure of the detector, which
blocks; python-stdnum's `is_valid` answers False for whatever its own validation refuses.
"""

import ipaddress
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib import import_module

Check = Callable[[str], bool]


def digits_of(text: str) -> str:
    """The ASCII digits of `text`."""
    return "".join(c for c in text if "0" <= c <= "9")


def alphanumerics(text: str) -> str:
    """The ASCII letters and digits of `text`, in capitals."""
    return "".join(c for c in text if c.isalnum() and c.isascii()).upper()


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(text: str) -> bool:
    """ISO/IEC 7812-1 Annex B over the digits of `text`; a number of one repeated digit is none."""
    digits = [ord(c) - 48 for c in text if "0" <= c <= "9"]
    if len(set(digits)) < 2:
        return False
    odd = digits[-1::-2]
    return (sum(odd) + sum(_DOUBLED[d] for d in digits[-2::-2])) % 10 == 0


_IBAN_LENGTHS: dict[str, int] = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FO FI GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ XK LT LU MN",
        21: "CR HR LI LV CH",
        22: "BH BG GE DE IE ME RS GB VA",
        23: "AE GI IQ IL OM TL SO",
        24: "AD CZ MD PK RO SA SK ES SE TN VG DZ",
        25: "PT LY ST CV AO MZ",
        26: "IS TR IR",
        27: "BI CF CG DJ FR GA GR IT MC MG MR SM CM BF KM TD GQ",
        28: "AL AZ CY DO GT HU LB PL BY SV BJ CI HN MA ML NE NI SN TG",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
"""Length of an IBAN by country (SWIFT IBAN registry, and the experimental list)."""


def iban(text: str) -> bool:
    """ISO 13616: the country's length and ISO 7064 MOD 97-10."""
    compact = alphanumerics(text)
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def iban_length(text: str) -> int:
    """How many characters of `text`, separators counted, an IBAN at its beginning takes; or 0."""
    wanted = _IBAN_LENGTHS.get(text[:2].upper())
    if wanted is None:
        return 0
    seen = 0
    for place, c in enumerate(text):
        seen += c.isalnum()
        if seen == wanted:
            return place + 1
    return 0


def aba(text: str) -> bool:
    """American Bankers Association routing number: 3-7-1 sum and a Federal Reserve prefix."""
    d = [int(c) for c in digits_of(text)]
    if len(d) != 9 or not any(d):
        return False
    prefix = d[0] * 10 + d[1]
    if not (prefix <= 12 or 21 <= prefix <= 32 or 61 <= prefix <= 72 or prefix == 80):
        return False
    return (3 * (d[0] + d[3] + d[6]) + 7 * (d[1] + d[4] + d[7]) + d[2] + d[5] + d[8]) % 10 == 0


_BASE58 = {c: i for i, c in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}


def base58check(text: str) -> bool:
    """Bitcoin's Base58Check: the last four bytes are a double SHA-256 of the 21 before them."""
    number = 0
    for c in text:
        number = number * 58 + _BASE58[c]
    try:
        raw = number.to_bytes(25, "big")
    except OverflowError:
        return False
    return sha256(sha256(raw[:-4]).digest()).digest()[:4] == raw[-4:]


_BECH32 = {c: i for i, c in enumerate("qpzry9x8gf2tvdw0s3jn54khce6mua7l")}


def bech32(text: str) -> bool:
    """BIP 173 and BIP 350: the BCH code over a segwit address."""
    prefix, _, data = text.lower().rpartition("1")
    if any(c not in _BECH32 for c in data):
        return False
    values = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    values += [_BECH32[c] for c in data]
    state = 1
    for value in values:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            state ^= generator if top >> i & 1 else 0
    return state in (1, 0x2BC830A3)


def ip(text: str) -> bool:
    """An IPv4 or IPv6 address, a prefix length or port behind it or not."""
    try:
        ipaddress.ip_address(text.partition("/")[0].strip("[]"))
    except ValueError:
        return False
    return True


def weighted(weights: tuple[int, ...], modulus: int, *, complement: bool = True) -> Check:
    """A check whose last digit makes up for the weighted sum of those before it."""

    def check(text: str) -> bool:
        d = [int(c) for c in digits_of(text)]
        if len(d) != len(weights) + 1 or len(set(d)) < 2:
            return False
        rest = sum(w * x for w, x in zip(weights, d, strict=False)) % modulus
        return (modulus - rest if complement else rest) % modulus % 10 == d[-1]

    return check


def stdnum(module: str) -> Check:
    """The check of python-stdnum's `module`, imported when first needed."""

    @cache
    def load() -> Callable[[str], object]:
        function: Callable[[str], object] = import_module(f"stdnum.{module}").is_valid
        return function

    def check(text: str) -> bool:
        return bool(load()(text))

    return check


def stdnum_compact(module: str) -> Check:
    """Like `stdnum`, after everything but letters and digits was taken out."""
    plain = stdnum(module)

    def check(text: str) -> bool:
        return plain(alphanumerics(text))

    return check


def all_of(*checks: Check) -> Check:
    """Every one of `checks`."""
    return lambda text: all(check(text) for check in checks)


def any_of(*checks: Check) -> Check:
    """At least one of `checks`."""
    return lambda text: any(check(text) for check in checks)


def distinct(text: str) -> bool:
    """Not one digit repeated."""
    return len(set(digits_of(text))) > 1
