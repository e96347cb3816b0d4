"""Jobs: what is asked about a note and the one right answer.

Contract: `ask(random, split, note, kind)` returns a `Job` (the request without the note, and the
answer); `place(random, split, request, note)` joins request and note into a user's message. The
answers: a category is its bare label; extraction is one JSON object on one line, keys as asked in
snake_case, values verbatim, null for what the note does not say; a summary or reply is one
sentence.
"""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from fillers import Split
from notes import LABELS, Note

Kind = Literal["triage", "extract", "summary", "reply", "question", "repeat"]
WORDING: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("wording.toml").read_text(encoding="utf-8")
)
ALTERNATIVES = re.compile(r"\(([^()]*)\)")
HELD_OUT_WAYS = {
    table: frozenset(way.lower() for way in names["heldout"])
    for table, names in WORDING.items()
    if "heldout" in names
}

# Names people give the fields; the first is what a bare "extract the fields" yields.
FIELDS: dict[str, tuple[str, ...]] = {
    "patient": ("patient", "patient", "name", "patient name"),
    "customer": ("customer", "customer", "name", "customer name", "client"),
    "age": ("age",),
    "ward": ("ward",),
    "bed": ("bed", "bed number"),
    "symptom": ("symptom", "symptom", "complaint", "problem", "symptoms"),
    "drug": ("drug", "drug", "medication", "medicine"),
    "dose": ("dose", "dose", "dosage"),
    "frequency": ("frequency",),
    "test": ("test",),
    "result": ("result", "value"),
    "doctor": ("doctor", "physician"),
    "clinic": ("clinic",),
    "amount": ("amount", "amount", "sum"),
    "card": ("card", "card number"),
    "merchant": ("merchant", "shop"),
    "recipient": ("recipient", "payee"),
    "iban": ("iban", "IBAN"),
    "account": ("account", "account number"),
    "product": ("product",),
    "branch": ("branch",),
    "city": ("city",),
    "reference": ("reference", "reference number"),
    "ssn": ("ssn", "SSN"),
    "ip": ("ip address", "IP address"),
    "date": ("date", "date", "day"),
    "time": ("time",),
    "mrn": ("mrn", "MRN", "record number"),
    "phone": ("phone", "phone number", "telephone"),
    "email": ("email", "email address"),
    "dob": ("date of birth", "dob", "DOB"),
    "bp": ("blood pressure", "bp", "BP"),
    "temperature": ("temperature", "temp"),
    "allergy": ("allergy", "allergies"),
}
WARD_ONLY = {
    "patient",
    "age",
    "ward",
    "bed",
    "symptom",
    "drug",
    "dose",
    "frequency",
    "test",
    "result",
    "doctor",
    "clinic",
    "mrn",
    "bp",
    "temperature",
    "allergy",
}
BOTH = {"date", "time", "phone", "email", "dob"}
EVERYTHING = [
    "patient",
    "customer",
    "age",
    "ward",
    "symptom",
    "drug",
    "dose",
    "test",
    "result",
    "amount",
    "card",
    "merchant",
    "recipient",
    "date",
]


@dataclass(frozen=True)
class Job:
    """A request about a note and its answer."""

    kind: Kind
    request: str
    answer: str


def wording(table: str, split: Split, name: str = "") -> list[str]:
    """The wordings of one split, `name` being a sub-list such as `with_labels`."""
    key = name if split == "train" else f"heldout_{name}".rstrip("_")
    found: list[str] = WORDING[table][key or "train"]
    return found


def way_of_asking(random: Random, split: Split, table: str) -> str:
    """A wording for a kind of job or a layout; training composes more of them than are listed."""
    patterns = WORDING["composed"].get(table)
    if split == "heldout" or patterns is None or random.random() < 0.35:
        return random.choice(wording(table, split))
    while True:
        composed = ALTERNATIVES.sub(
            lambda match: random.choice(match.group(1).split("|")), random.choice(patterns)
        )
        composed = composed[0].upper() + composed[1:] if composed[0].isalpha() else composed
        if composed.lower() not in HELD_OUT_WAYS[table]:
            return composed


def key_of(name: str) -> str:
    """The JSON key for a field as asked."""
    return name.lower().replace(" ", "_")


def domain_fields(domain: str) -> list[str]:
    """The fields that make sense to ask for in this domain."""
    return [
        field for field in FIELDS if field in BOTH or (field in WARD_ONLY) == (domain == "ward")
    ]


def ask(random: Random, split: Split, note: Note, kind: Kind) -> Job:
    """A job of this kind about the note."""
    if kind == "triage":
        return Job(kind, _triage_request(random, split, note), note.category)
    if kind == "extract":
        return _extraction(random, split, note)
    if kind == "question":
        return _question(random, split, note)
    request = _casual(random, way_of_asking(random, split, kind))
    answers = {"summary": note.summary, "reply": note.reply, "repeat": note.text}
    return Job(kind, request, answers[kind])


def place(random: Random, split: Split, request: str, note: Note) -> str:
    """A user's message that carries both the request and the note."""
    layout = way_of_asking(random, split, "layout")
    if "{ask}." in layout or "{ask}:" in layout:
        request = request.rstrip(".!")
    return layout.replace("{ask}", request).replace("{note}", note.text)


def _casual(random: Random, request: str) -> str:
    style = random.random()
    if style < 0.15:
        return request.lower()
    return request + random.choice(("", "", "", ".", "!")) if request[-1].isalpha() else request


def _triage_request(random: Random, split: Split, note: Note) -> str:
    request = _casual(random, way_of_asking(random, split, "triage"))
    if random.random() < 0.35:
        labels = LABELS[note.domain]
        others = [label for label in labels if label != note.category]
        chosen = [note.category, *random.sample(others, random.randint(2, len(others)))]
        random.shuffle(chosen)
        request = f"{request.rstrip('.!')}. " if request[-1] != "?" else request + " "
        listed = random.choice((", ", ", ", " / ", "; ")).join(chosen)
        request += random.choice(wording("triage", split, "with_labels")).replace(
            "{labels}", listed
        )
    if random.random() < 0.15:
        request += (
            ("" if request[-1] in ".?!" else ".") + " " + random.choice(WORDING["triage"]["brief"])
        )
    return request


def _extraction(random: Random, split: Split, note: Note) -> Job:
    if random.random() < 0.12:
        present = [field for field in EVERYTHING if field in note.fields]
        answer: dict[str, str | None] = {
            key_of(FIELDS[field][0]): note.fields[field] for field in present
        }
        request = _casual(random, random.choice(wording("extract", split, "everything")))
        return Job("extract", request, _json(answer))
    present = [field for field in note.fields if field in FIELDS]
    chosen = random.sample(present, min(len(present), random.choice((1, 2, 2, 3, 3, 4, 5))))
    absent = [field for field in domain_fields(note.domain) if field not in note.fields]
    chosen += random.sample(absent, 1 if not chosen or random.random() < 0.25 else 0)
    random.shuffle(chosen)
    names = [random.choice(FIELDS[field]) for field in chosen]
    request = way_of_asking(random, split, "extract").replace("{keys}", _enumerate(random, names))
    if random.random() < 0.1:
        request = request.lower()
    pairs = zip(names, chosen, strict=True)
    return Job(
        "extract", request, _json({key_of(name): note.fields.get(field) for name, field in pairs})
    )


def _question(random: Random, split: Split, note: Note) -> Job:
    present = [field for field in note.fields if field in FIELDS]
    if not present:
        return _extraction(random, split, note)
    field = random.choice(present)
    request = way_of_asking(random, split, "question").replace(
        "{key}", random.choice(FIELDS[field])
    )
    return Job(
        "question", request.lower() if random.random() < 0.15 else request, note.fields[field]
    )


def _enumerate(random: Random, names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    style = random.random()
    if style < 0.5:
        return ", ".join(names[:-1]) + " and " + names[-1]
    if style < 0.8:
        return ", ".join(names)
    if style < 0.9:
        return " and ".join(names)
    return ", ".join(key_of(name) for name in names)


def _json(answer: dict[str, str | None]) -> str:
    return json.dumps(answer, ensure_ascii=False)
