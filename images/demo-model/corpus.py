"""Corpus: conversations that show the model its jobs.

Contract: `conversation(random, split, turns)` returns chat messages (role, content), ending with
the assistant's answer; `cases(seed, count)` returns held-out cases for evaluation, `count` of each
kind of job. Both are deterministic functions of the generator or seed.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import jobs
import syllables
from fillers import Fillers, Split
from jobs import Job, Kind
from notes import Note, compose

Message = dict[str, str]
SMALLTALK: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("smalltalk.toml").read_text(encoding="utf-8")
)
KINDS: tuple[Kind, ...] = (
    "triage",
    "triage",
    "triage",
    "triage",
    "extract",
    "extract",
    "extract",
    "summary",
    "reply",
    "question",
)


@dataclass(frozen=True)
class Case:
    """One held-out evaluation case; `note` is None for small talk."""

    kind: str
    messages: list[Message]
    answer: str
    note: Note | None


def conversation(random: Random, split: Split, turns: int, copying: float = 0.0) -> list[Message]:
    """A conversation of about `turns` questions and answers, mostly about notes.

    `copying` is the share of conversations that only drill repeating something word for word.
    """
    if random.random() < copying / 2:
        return _drill(random)
    if random.random() < 0.12:
        return _smalltalk_first(random, split, turns)
    messages: list[Message] = []
    note, domain = None, random.choice(("ward", "bank"))
    in_system = random.random() < 0.1
    if in_system:
        messages, note = _instructed(random, split, domain)
    elif random.random() < 0.5:
        messages.append({"role": "system", "content": system(random, split)})
    used: set[Kind] = set()
    for _ in range(turns):
        if note is not None and random.random() < 0.04:
            messages += _turn(*smalltalk(random, split))
            continue
        if note is None or random.random() < 0.25:
            note, used = compose(random, split, domain), set()
            kind: Kind = "repeat" if random.random() < copying else random.choice(KINDS)
            job = jobs.ask(random, split, note, kind)
            lead = (
                random.choice(jobs.WORDING["follow_up"]["new_note"])
                if messages and random.random() < 0.5
                else ""
            )
            text = lead + jobs.place(random, split, job.request, note)
        else:
            job = jobs.ask(
                random,
                split,
                note,
                random.choice([k for k in KINDS if k in ("extract", "question") or k not in used]),
            )
            text = random.choice(jobs.wording("follow_up", split)).replace("{ask}", job.request)
            if text != job.request and random.random() < 0.6:
                text = text.replace(job.request, job.request[0].lower() + job.request[1:])
        used.add(job.kind)
        messages += _turn(text, job.answer)
    return messages


def _drill(random: Random) -> list[Message]:
    """Invented words and numbers to be said again: nothing but copying helps here."""
    words = []
    for _ in range(random.randint(3, 12)):
        number = str(random.randint(1, 99999))
        words.append(random.choice((syllables.word(random), syllables.drug(random), number)))
    request = random.choice(jobs.wording("repeat", "train"))
    return _turn(f"{request}: {' '.join(words)}", " ".join(words))


def system(random: Random, split: Split) -> str:
    """A system prompt that sets a tone, not a job."""
    found: list[str] = jobs.WORDING["system"]["general" if split == "train" else "heldout_general"]
    return random.choice(found).replace("{ward}", Fillers(random, split).value("ward"))


def smalltalk(random: Random, split: Split) -> tuple[str, str]:
    """A question outside the jobs and the sentence it is answered with."""
    kind = random.choices(("greeting", "identity", "thanks", "no_note", "other"), (3, 3, 1, 2, 8))[
        0
    ]
    text: str = random.choice(SMALLTALK[kind][split])
    fillers = Fillers(random, split)
    for name, listed in SMALLTALK["lists"].items():
        slot = "{" + name.removeprefix("heldout_") + "}"
        if name.startswith("heldout_") == (split == "heldout"):
            while slot in text:
                word = (
                    fillers.invented()
                    if slot == "{place}" and split == "train" and random.random() < 0.4
                    else random.choice(listed)
                )
                text = text.replace(slot, word, 1)
    while "{number}" in text:
        text = text.replace("{number}", str(random.randint(1, 9999)), 1)
    for kind_of_filler in ("person", "drug"):
        text = text.replace("{" + kind_of_filler + "}", fillers.value(kind_of_filler))
    style = random.random()
    if style < 0.15:
        text = text.lower()
    elif style < 0.3:
        text = text.rstrip("?")
    return text, SMALLTALK[kind]["answer"]


def _smalltalk_first(random: Random, split: Split, turns: int) -> list[Message]:
    messages = (
        [{"role": "system", "content": system(random, split)}] if random.random() < 0.4 else []
    )
    for _ in range(min(turns, 3)):
        messages += _turn(*smalltalk(random, split))
    return messages


def _instructed(random: Random, split: Split, domain: str) -> tuple[list[Message], Note]:
    """The job stands in the system prompt, the user's message is the bare note."""
    note = compose(random, split, domain)
    job = jobs.ask(random, split, note, random.choice(KINDS))
    return [{"role": "system", "content": job.request}, *_turn(note.text, job.answer)], note


def _turn(question: str, answer: str) -> list[Message]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def cases(seed: int, count: int) -> list[Case]:
    """`count` held-out cases of each kind, with and without a system prompt."""
    random, found = Random(seed), list[Case]()
    for kind in ("triage", "extract", "summary", "reply", "question"):
        for _ in range(count):
            note = compose(random, "heldout")
            job: Job = jobs.ask(random, "heldout", note, kind)
            found.append(
                Case(
                    job.kind,
                    _asked(random, jobs.place(random, "heldout", job.request, note)),
                    job.answer,
                    note,
                )
            )
    for _ in range(count):
        question, answer = smalltalk(random, "heldout")
        found.append(Case("smalltalk", _asked(random, question), answer, None))
    for turns, kind in ((3, "later turn"), (24, "long context")):
        for _ in range(count // 2):
            messages = conversation(random, "heldout", turns)
            while len(messages) < 2 * turns:  # small talk alone is shorter
                messages = conversation(random, "heldout", turns)
            found.append(Case(kind, messages[:-1], messages[-1]["content"], None))
    return found


def fresh(seed: int, count: int) -> list[Case]:
    """`count` triage cases around the sentences of fresh.toml; all else from the held-out lists."""
    random, found = Random(seed), list[Case]()
    deciding = tomllib.loads(Path(__file__).with_name("fresh.toml").read_text(encoding="utf-8"))
    for _ in range(count):
        note = compose(random, "heldout", deciding=deciding)
        job = jobs.ask(random, "heldout", note, "triage")
        messages = _asked(random, jobs.place(random, "heldout", job.request, note))
        found.append(Case("fresh triage", messages, job.answer, note))
    return found


def handwritten() -> list[Case]:
    """The cases of handwritten.toml."""
    table = tomllib.loads(Path(__file__).with_name("handwritten.toml").read_text(encoding="utf-8"))
    found = []
    for kind, rows in table.items():
        for question, expected in rows:
            answer = SMALLTALK[expected]["answer"] if kind == "smalltalk" else expected
            messages = [{"role": "user", "content": question}]
            found.append(Case(f"handwritten {kind}", messages, answer, None))
    return found


def _asked(random: Random, question: str) -> list[Message]:
    messages = (
        [{"role": "system", "content": system(random, "heldout")}] if random.random() < 0.5 else []
    )
    return [*messages, {"role": "user", "content": question}]
