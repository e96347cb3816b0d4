"""Words nobody has seen: names, drugs and shops composed from syllables.

Contract: `word(random)` gives a capitalised invented word of one to three syllables,
`drug(random)` a lower-case one with a pharmaceutical ending. Both are pure functions of the
generator they are handed. A model that meets a new word in nearly every note can only succeed by
copying it.
"""

from random import Random

ONSETS = [
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "br",
    "ch",
    "cl",
    "cr",
    "dr",
    "fl",
    "gr",
    "kh",
    "kl",
    "kr",
    "pl",
    "pr",
    "qu",
    "sh",
    "sk",
    "sl",
    "st",
    "th",
    "tr",
    "wh",
    "y",
]
VOWELS = [
    "a",
    "e",
    "i",
    "o",
    "u",
    "a",
    "e",
    "i",
    "o",
    "ai",
    "ea",
    "ee",
    "ie",
    "oo",
    "ou",
    "au",
    "y",
]
CODAS = [
    *[""] * 24,
    *[
        "l",
        "m",
        "n",
        "r",
        "s",
        "t",
        "x",
        "ck",
        "ff",
        "ll",
        "lt",
        "mb",
        "nd",
        "ng",
        "nt",
        "rd",
        "rk",
        "rn",
        "rt",
        "sk",
        "ss",
        "st",
        "th",
    ],
]
DRUG_ENDINGS = [
    "ol",
    "ine",
    "in",
    "ide",
    "ate",
    "pril",
    "mab",
    "cillin",
    "azole",
    "statin",
    "oxacin",
    "amide",
    "sartan",
    "parin",
    "idone",
]


def syllable(random: Random) -> str:
    """One syllable, the coda mostly empty."""
    return random.choice(ONSETS) + random.choice(VOWELS) + random.choice(CODAS)


def word(random: Random) -> str:
    """A capitalised word."""
    return "".join(syllable(random) for _ in range(random.choice((1, 2, 2, 2, 3)))).capitalize()


def drug(random: Random) -> str:
    """A drug's name."""
    stem = "".join(syllable(random) for _ in range(random.choice((1, 2, 2))))
    return stem + random.choice(DRUG_ENDINGS)
