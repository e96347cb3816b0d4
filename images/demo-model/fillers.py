"""Fillers: one invented value for each kind of slot.

Contract: `Fillers(random, split).value(kind)` returns a text for a slot of that kind. With split
"train" the held-out lists of fillers.toml never appear; with "heldout" word-like values come from
the held-out lists alone. Numbers, dates and the placeholders a redacting gateway leaves are open
classes shared by both.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Literal

import syllables

Split = Literal["train", "heldout"]
LISTS: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("fillers.toml").read_text(encoding="utf-8")
)
HELD_OUT_WORDS = frozenset(word for lists in LISTS.values() for word in lists["heldout"])

PLACEHOLDERS = {
    "person": "PERSON",
    "email": "EMAIL_ADDRESS",
    "card": "CREDIT_CARD",
    "phone": "PHONE_NUMBER",
    "iban": "IBAN_CODE",
    "ssn": "US_SSN",
    "dob": "DATE_OF_BIRTH",
    "mrn": "MEDICAL_RECORD_NUMBER",
    "ip": "IP_ADDRESS",
    "account": "ACCOUNT_NUMBER",
    "city": "LOCATION",
    "branch": "LOCATION",
    "merchant": "ORGANIZATION",
}
PLACEHOLDER_RATE = {
    "person": 0.25,
    "email": 0.5,
    "card": 0.3,
    "phone": 0.5,
    "iban": 0.5,
    "ssn": 0.7,
    "dob": 0.5,
}
# Short lists would be learnt by heart; invented words among them keep the model copying.
INVENTED_FORMS = {
    "ward": ("{} Ward", "{} Ward", "{} Unit", "ward {n}", "Ward {n}B", "the {} unit", "{}"),
    "allergy": ("{}", "{}s", "{} stings"),
    "clinic": ("{}",),
    "test": ("{}", "{} count"),
    "city": ("{}",),
    "branch": ("{}", "{} Street", "{} Lane", "{} Road"),
    "product": ("{} loan",),
    "issue": ("the {}", "the {} service", "a {} form"),
}
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Fillers:
    """Draws slot values from one random generator, for one side of the split."""

    def __init__(self, random: Random, split: Split) -> None:
        self.random = random
        self.split = split
        self._special: dict[str, Callable[[], str]] = {
            "person": self._person,
            "patient": self._person,
            "customer": self._person,
            "recipient": self._person,
            "doctor": lambda: random.choice(("Dr ", "Dr. ", "Doctor ")) + self._surname(),
            "age": lambda: str(random.randint(1, 99)),
            "bed": lambda: random.choice(("", "", "A", "B")) + str(random.randint(1, 40)),
            "dose": self._dose,
            "date": self._date,
            "time": self._time,
            "result": self._result,
            "bp": lambda: f"{random.randint(80, 200)}/{random.randint(40, 120)}",
            "temperature": lambda: f"{random.randint(35, 40)}.{random.randint(0, 9)}",
            "mrn": lambda: (
                random.choice(("", "", "H", "MR-", "A")) + self._digits(random.randint(5, 9))
            ),
            "phone": self._phone,
            "email": self._email,
            "dob": self._birthday,
            "card": lambda: self._digits(4),
            "amount": self._amount,
            "iban": lambda: (
                random.choice(("DE", "GB", "FR", "ES", "AT")) + self._digits(random.randint(14, 20))
            ),
            "account": lambda: self._digits(random.randint(6, 10)),
            "reference": lambda: (
                random.choice(("REF-", "C", "", "TX")) + self._digits(random.randint(4, 8))
            ),
            "ssn": lambda: f"{self._digits(3)}-{self._digits(2)}-{self._digits(4)}",
            "ip": lambda: ".".join(str(random.randint(1, 254)) for _ in range(4)),
            "drug": self._drug,
            "merchant": self._merchant,
            "symptom": lambda: self._listed("urgent_symptom"),
            "mild": lambda: self._listed("mild_symptom"),
        }

    def value(self, kind: str) -> str:
        """A value of this kind, or the placeholder redaction would put in its place."""
        placeholder = self._placeholder(kind)
        if placeholder:
            return placeholder
        special = self._special.get(kind)
        return special() if special else self._listed(kind)

    def _placeholder(self, kind: str) -> str | None:
        family = "person" if kind in ("patient", "customer", "recipient") else kind
        if family not in PLACEHOLDERS or self.random.random() >= PLACEHOLDER_RATE.get(family, 0.15):
            return None
        name = PLACEHOLDERS[family]
        form = self.random.choice(("[{}]", "[{}]", "[{}]", "[{}_{n}]", "<{}>", "<{}_{n}>"))
        return form.format(name, n=self.random.randint(1, 9))

    def _listed(self, kind: str) -> str:
        forms = INVENTED_FORMS.get(kind)
        if forms and self.split == "train" and self.random.random() < 0.5:
            word = self.invented() if self.random.random() < 0.5 else self.invented().lower()
            return self.random.choice(forms).format(word, n=self.random.randint(1, 99))
        return self.random.choice(LISTS[kind][self.split])

    def invented(self) -> str:
        """A word from syllables that is on no held-out list."""
        while (word := syllables.word(self.random)) in HELD_OUT_WORDS:
            pass
        return word

    def _word(self, kind: str) -> str:
        if self.split == "train" and self.random.random() < 0.7:
            return self.invented()
        return self._listed(kind)

    def _surname(self) -> str:
        return self._word("last")

    def _person(self) -> str:
        form = self.random.random()
        if form < 0.2:
            title = self.random.choice(("Mr", "Mrs", "Ms", "Mr.", "Mrs.", "Miss"))
            return f"{title} {self._surname()}"
        if form < 0.27:
            return self._word("first")
        return f"{self._word('first')} {self._surname()}"

    def _drug(self) -> str:
        if self.split == "train" and self.random.random() < 0.6:
            while (drug := syllables.drug(self.random)) in HELD_OUT_WORDS:
                pass
            return drug
        return self._listed("drug")

    def _merchant(self) -> str:
        if self.split == "train" and self.random.random() < 0.5:
            return self.invented() + self.random.choice(
                ("", " Ltd", " Shop", " Stores", " Online", " & Sons")
            )
        return self._listed("merchant")

    def _digits(self, count: int) -> str:
        return "".join(str(self.random.randint(0, 9)) for _ in range(count))

    def _dose(self) -> str:
        amount = self.random.choice(
            ("5", "10", "20", "25", "40", "50", "75", "100", "250", "500", "2.5", "1.5", "1", "2")
        )
        if self.random.random() < 0.4:
            amount = str(self.random.randint(1, 999))
        return amount + self.random.choice((" mg", " mg", "mg", " ml", " g", " mcg", " units", "g"))

    def _date(self) -> str:
        day, month = self.random.randint(1, 28), self.random.choice(MONTHS)
        weekday, year = self.random.choice(DAYS), self.random.randint(2023, 2027)
        forms = ["today", "tomorrow", "next week", weekday, weekday, f"next {weekday}"]
        forms += [f"{day} {month}", f"{month} {day}", f"{day} {month[:3]} {year}"]
        forms.append(f"{day:02}/{MONTHS.index(month) + 1:02}")
        return self.random.choice(forms)

    def _birthday(self) -> str:
        day, month = self.random.randint(1, 28), self.random.randint(1, 12)
        return f"{day:02}/{month:02}/{self.random.randint(1920, 2015)}"

    def _time(self) -> str:
        hour, minute = (
            self.random.randint(0, 23),
            self.random.choice((0, 5, 10, 15, 20, 30, 40, 45, 50)),
        )
        return self.random.choice(
            (
                f"{hour:02}:{minute:02}",
                f"{hour}:{minute:02}",
                f"{hour % 12 + 1} am",
                f"{hour % 12 + 1}pm",
            )
        )

    def _result(self) -> str:
        number = self.random.choice(
            (
                f"{self.random.randint(0, 12)}.{self.random.randint(0, 9)}",
                str(self.random.randint(2, 400)),
            )
        )
        return number + self.random.choice(("", "", " mmol/L", " g/L", " mg/dL", " units"))

    def _phone(self) -> str:
        return (
            self.random.choice(("0", "+44 ", "555-", "07", "+1 "))
            + self._digits(3)
            + self.random.choice((" ", "-", ""))
            + self._digits(4)
        )

    def _email(self) -> str:
        number = self.random.choice(("", str(self.random.randint(1, 99))))
        host = self.random.choice(("mail", "post", "inbox"))
        return f"{self._word('last').lower()}{number}@{host}.example"

    def _amount(self) -> str:
        whole = self.random.choice(
            (
                self.random.randint(1, 99),
                self.random.randint(100, 9999),
                self.random.randint(1, 90) * 1000,
            )
        )
        text = f"{whole:,}" if self.random.random() < 0.4 else str(whole)
        if self.random.random() < 0.35:
            text += f".{self.random.randint(0, 99):02}"
        return self.random.choice(
            ("£{}", "${}", "€{}", "{} euros", "{} EUR", "{} pounds", "USD {}")
        ).format(text)
