"""Where a policy document becomes scrubbers, and where its own test cases are run.

`policy` decides, `redaction` scrubs, and neither knows the other. `Screening.load` reads a policy,
compiles it for every direction and subject as they are asked for, and refuses a policy one of whose
test cases fails. A `Screening` is immutable to its users; taking another policy into use means
loading another `Screening` and letting go of the old one.
"""

from collections.abc import Callable
from datetime import date, datetime, timezone
from functools import cached_property
from pathlib import Path

import msgspec

from appliance.errors import ConfigurationError
from appliance.policy.decision import Decision, Subject, decide
from appliance.policy.document import Direction, Document, Mode, parse
from appliance.policy.entities import ENTITIES
from appliance.policy.yaml_reader import PolicyError
from appliance.redaction.actions import Action
from appliance.redaction.allowlist import AllowList
from appliance.redaction.cards import CardDetector
from appliance.redaction.cues import CueFinder
from appliance.redaction.encoded import EncodedDetector
from appliance.redaction.fields import FieldDetector
from appliance.redaction.kinds import RULES
from appliance.redaction.patterns import PatternDetector
from appliance.redaction.phones import PhoneDetector
from appliance.redaction.scrubber import Blocked, Scrubber, Treatment
from appliance.redaction.vocabulary import CUES
from appliance.redaction.window import Detector

MAX_EXTENDS = 8
MAX_SUBJECTS = 4096
"""Callers whose decisions are remembered; more than a box has keys."""
_PHONE_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "BE", "CH", "AT", "IE", "PT")
"""Asked for national numbers without any cue where a policy names no jurisdiction."""


ANYONE = Subject()


class Found(msgspec.Struct, frozen=True):
    """One span of the original text, in code points, as `cloister redact --jsonl` prints it."""

    start: int
    end: int
    type: str
    score: float


class Explained(msgspec.Struct, frozen=True):
    """One span with the detector's layer and rule, and the policy line that decided about it."""

    start: int
    end: int
    type: str
    score: float
    layer: str
    rule: str
    action: str
    policy_line: int


def today_utc() -> date:
    """The date, for allowances that expire."""
    return datetime.now(timezone.utc).date()  # noqa: UP017  (datetime.UTC reads worse beside date)


def read_policy(folder: Path, name: str, _chain: tuple[str, ...] = ()) -> Document:
    """Read `folder`/`name`.yaml and whatever it extends. Raises `PolicyError`."""
    if name in _chain or len(_chain) >= MAX_EXTENDS:
        raise PolicyError(f"{name}.yaml:1: extends itself: {' → '.join((*_chain, name))}")
    if not name or not all(c.isascii() and (c.isalnum() or c == "-") for c in name):
        raise PolicyError(
            f"{name!r} is not the name of a policy: small letters, digits and hyphens"
        )
    path = folder / f"{name}.yaml"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml"))) or "none"
        raise PolicyError(
            f"there is no policy called {name!r} in {folder} (there: {known})"
        ) from None
    except OSError as error:
        raise PolicyError(f"{path.name}: cannot be read: {error.strerror}") from error
    document = parse(data, path.name, lambda parent: read_policy(folder, parent, (*_chain, name)))
    if document.id != name:
        raise PolicyError(f"{path.name}:1: its id is {document.id!r}; file and id must be the same")
    return document


class Screening:
    """A policy in use."""

    def __init__(
        self, document: Document, key: bytes, today: Callable[[], date] = today_utc
    ) -> None:
        """`key`: 32 bytes for the action `hash`; kept in memory only. Runs no test cases."""
        self.document = document
        self._key = key
        self._today = today
        self._compiled: dict[Decision, Scrubber] = {}
        self._decided_on: date | None = None
        self._decisions: dict[tuple[Subject, Direction], Decision] = {}
        self._scrubbers: dict[tuple[Subject, Direction], Scrubber] = {}

    @classmethod
    def load(
        cls, path: Path, name: str, key: bytes, today: Callable[[], date] = today_utc
    ) -> "Screening":
        """Read the policy `name` from the folder `path`, compile it and run its test cases.

        Raises `PolicyError` (a `ConfigurationError`) for a document that cannot be honoured, and
        `ConfigurationError` naming the first test case that fails.
        """
        screening = cls(read_policy(path, name), key, today)
        screening.self_test()
        return screening

    @property
    def policy_id(self) -> str:
        """Name and version, as the log writes them: `default@1`."""
        return f"{self.document.id}@{self.document.version}"

    @property
    def digest(self) -> str:
        """SHA-256, hexadecimal, of the policy's bytes."""
        return self.document.digest

    def decide(self, subject: Subject, direction: Direction) -> Decision:
        """What holds for `subject`: limits, models, content kept, treatments."""
        today = self._today()
        if today != self._decided_on or len(self._decisions) > MAX_SUBJECTS:
            self._decided_on = today  # allowances may have expired over night
            self._decisions.clear()
            self._scrubbers.clear()
        decision = self._decisions.get((subject, direction))
        if decision is None:
            decision = decide(self.document, subject, direction, today=today)
            self._decisions[subject, direction] = decision
        return decision

    def scrubber(self, subject: Subject, direction: Direction) -> Scrubber:
        """The scrubber for `subject`, compiled when first asked for."""
        decision = self.decide(subject, direction)
        scrubber = self._scrubbers.get((subject, direction))
        if scrubber is None:
            # Most subjects share a decision; compiling one is the expensive part.
            scrubber = self._compiled.get(decision)
            if scrubber is None:
                scrubber = self._compiled[decision] = compile_decision(decision, self._key)
            self._scrubbers[subject, direction] = scrubber
        return scrubber

    def input_scrubber(self, subject: Subject) -> Scrubber:
        """For what goes into a model."""
        return self.scrubber(subject, Direction.INPUT)

    def output_scrubber(self, subject: Subject) -> Scrubber:
        """For what comes out of one."""
        return self.scrubber(subject, Direction.OUTPUT)

    def scrub_text(
        self, text: str, *, subject: Subject = ANYONE, direction: Direction = Direction.INPUT
    ) -> tuple[str, tuple[Found, ...]]:
        """Scrub a text: the result, and spans of the original. Raises `Blocked`."""
        scrubbed = self.scrubber(subject, direction).scrub(text)
        return scrubbed.text, tuple(Found(s.start, s.end, s.type, s.score) for s in scrubbed.spans)

    def explain(
        self, text: str, *, subject: Subject = ANYONE, direction: Direction = Direction.INPUT
    ) -> tuple[Explained, ...]:
        """Which layer and rule took each span of `text`, and which line of the policy acted on it.

        Blocks nothing: what the policy would block is explained like everything else.
        """
        decision = self.decide(subject, direction)
        acting = {t.entity: t for t in decision.treatments}
        looking = compile_decision(msgspec.structs.replace(decision, mode=Mode.REPORT), self._key)
        return tuple(
            Explained(
                s.start,
                s.end,
                s.type,
                s.score,
                s.layer,
                s.rule,
                acting[s.type].action.value,
                acting[s.type].line,
            )
            for s in looking.scrub(text).spans
        )

    def self_test(self) -> None:
        """Run the policy's test cases; raises `ConfigurationError` for the first that fails."""
        for case in self.document.tests:
            subject = Subject(role=case.role, app=case.app)
            place = f"{self.document.id}.yaml:{case.line}: the test case {case.name!r} fails"
            try:
                text, _ = self.scrub_text(case.text, subject=subject, direction=case.direction)
            except Blocked as blocked:
                if case.expect is None:
                    continue
                raise ConfigurationError(
                    f"{place}: blocked, {', '.join(blocked.types)}"
                ) from blocked
            if case.expect is None:
                raise ConfigurationError(f"{place}: it should have been blocked")
            if text != case.expect:
                raise ConfigurationError(f"{place}: got {text!r}")

    @cached_property
    def report_only(self) -> bool:
        """Whether the policy changes nothing."""
        return self.document.mode is Mode.REPORT


def compile_decision(decision: Decision, key: bytes) -> Scrubber:
    """Build the detectors that a decision needs."""
    treatments = {
        t.entity: Treatment(Action(t.action.value), t.min_score) for t in decision.treatments
    }
    unknown = treatments.keys() - ENTITIES
    if unknown:
        raise ConfigurationError(f"no detector knows {', '.join(sorted(unknown))}")
    countries = frozenset(decision.jurisdictions)
    rules = [
        rule
        for rule in RULES
        if rule.type in treatments
        and (not countries or not rule.countries or countries.intersection(rule.countries))
    ]
    floor = min((t.min_score for t in treatments.values()), default=0.5)
    detectors: list[Detector] = []
    if rules:
        detectors.append(PatternDetector(rules, floor))
    if "CREDIT_CARD" in treatments:
        detectors.append(CardDetector())
    if "PHONE_NUMBER" in treatments:
        detectors.append(PhoneDetector(decision.jurisdictions or _PHONE_REGIONS))
    types = frozenset(treatments)
    detectors.append(FieldDetector(types))
    cues = CueFinder(
        {**CUES, **PatternDetector.cues(rules), **FieldDetector.cues()},
        FieldDetector.labels(types),
    )
    return Scrubber(
        (*detectors, EncodedDetector(detectors, cues)),
        treatments,
        cues,
        key=key,
        report_only=decision.mode is Mode.REPORT,
        allow=AllowList(
            [(a.terms, a.patterns, a.entities) for a in decision.allow],
        ),
    )
