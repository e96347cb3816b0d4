"""What a policy means for one subject and one direction. Pure.

`decide` reduces a document to what the rooms need: a treatment for each entity, the limits, the
models, how much content the log keeps. Equal decisions are equal values, so compiled scrubbers can
be kept by decision.
"""

from datetime import date

import msgspec

from appliance.policy.document import (
    Action,
    Allowance,
    Content,
    Direction,
    Document,
    Limits,
    Mode,
    Rule,
)


class Subject(msgspec.Struct, frozen=True):
    """Who asks: the role of the principal, and the application or key it comes with."""

    role: str = ""
    app: str = ""


class Treatment(msgspec.Struct, frozen=True):
    """What is done with one entity, from which score on, and which line of the policy says so."""

    entity: str
    action: Action
    min_score: float
    line: int


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for a subject in a direction."""

    policy: str
    version: int
    digest: str
    mode: Mode
    direction: Direction
    jurisdictions: tuple[str, ...]
    languages: tuple[str, ...]
    treatments: tuple[Treatment, ...]
    """In order of entity; entities that are not named are not looked for."""
    allow: tuple[Allowance, ...]
    limits: Limits
    models: tuple[str, ...] | None
    content: Content

    def permits_model(self, model: str) -> bool:
        """Whether the policy lets this model be used."""
        return self.models is None or model in self.models


def decide(
    document: Document, who: Subject, direction: Direction, *, today: date | None = None
) -> Decision:
    """Apply `document` to `who`. Allowances that ended before `today` are left out."""
    chosen: dict[str, Treatment] = {}
    for rule in document.rules:
        if not _applies(rule, who, direction):
            continue
        for entity in rule.entities:
            before = chosen.get(entity)
            if (
                before is not None
                and before.action is Action.BLOCK
                and rule.action is not Action.BLOCK
            ):
                continue
            chosen[entity] = Treatment(entity, rule.action, rule.min_score, rule.line)
    return Decision(
        policy=document.id,
        version=document.version,
        digest=document.digest,
        mode=document.mode,
        direction=direction,
        jurisdictions=document.jurisdictions,
        languages=document.languages,
        treatments=tuple(
            chosen[entity] for entity in sorted(chosen) if chosen[entity].action is not Action.ALLOW
        ),
        allow=tuple(
            a for a in document.allow if a.expires is None or today is None or today <= a.expires
        ),
        limits=document.limits,
        models=document.models,
        content=document.content,
    )


def _applies(rule: Rule, who: Subject, direction: Direction) -> bool:
    when = rule.when
    return (
        (not when.directions or direction in when.directions)
        and (not when.roles or who.role in when.roles)
        and (not when.apps or who.app in when.apps)
    )
