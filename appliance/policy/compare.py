"""What changes when one policy takes another's place. Pure.

`diff` asks both for every direction and every subject that either names (and for one that none
names), and lists each difference once, the dangerous ones first: what would no longer be covered.
"""

from enum import IntEnum

import msgspec

from appliance.policy.decision import Decision, Subject, Treatment, decide
from appliance.policy.document import Action, Direction, Document, Mode

_STRENGTH = {
    Action.ALLOW: 0,
    Action.GENERALISE: 1,
    Action.MASK: 2,
    Action.HASH: 3,
    Action.REPLACE: 4,
    Action.BLOCK: 5,
}


class Weight(IntEnum):
    """How much a change should worry the reader; the lower, the more."""

    LOST = 0
    """Covered before, not any more."""
    WEAKER = 1
    """Still covered, by a milder action or only when surer."""
    STRONGER = 2
    GAINED = 3
    OTHER = 4


class Change(msgspec.Struct, frozen=True, order=True):
    """One difference."""

    weight: Weight
    what: str
    """An entity, or the name of a field of the policy."""
    direction: str
    subject: str
    before: str
    after: str


def diff(old: Document, new: Document) -> tuple[Change, ...]:
    """Everything that differs in effect between `old` and `new`, the worst first."""
    changes: set[Change] = set()
    for name, before, after in (
        ("mode", old.mode.value, new.mode.value),
        ("content", old.content.value, new.content.value),
        ("models", str(old.models or "all"), str(new.models or "all")),
        ("limits.max_tokens", str(old.limits.max_tokens), str(new.limits.max_tokens)),
        (
            "limits.max_input_characters",
            str(old.limits.max_input_characters),
            str(new.limits.max_input_characters),
        ),
        (
            "jurisdictions",
            " ".join(old.jurisdictions) or "all",
            " ".join(new.jurisdictions) or "all",
        ),
        ("allow", str(len(old.allow)), str(len(new.allow))),
    ):
        if before != after:
            changes.add(Change(_field_weight(name, old, new), name, "", "", before, after))
    for who in _subjects(old, new):
        for direction in Direction:
            one, other = decide(old, who, direction), decide(new, who, direction)
            changes.update(_treatments(one, other, who, direction))
    return tuple(sorted(changes))


def _field_weight(name: str, old: Document, new: Document) -> Weight:
    if name == "mode":
        return Weight.LOST if new.mode is Mode.REPORT else Weight.STRONGER
    if name == "jurisdictions":
        narrower = bool(new.jurisdictions) and not set(old.jurisdictions) <= set(new.jurisdictions)
        return (
            Weight.LOST
            if narrower or (new.jurisdictions and not old.jurisdictions)
            else Weight.GAINED
        )
    if name == "allow":
        return Weight.WEAKER if len(new.allow) > len(old.allow) else Weight.STRONGER
    return Weight.OTHER


def _subjects(*documents: Document) -> list[Subject]:
    roles = {role for d in documents for rule in d.rules for role in rule.when.roles}
    apps = {app for d in documents for rule in d.rules for app in rule.when.apps}
    return [Subject(role, app) for role in ("", *sorted(roles)) for app in ("", *sorted(apps))]


def _treatments(old: Decision, new: Decision, who: Subject, direction: Direction) -> set[Change]:
    before = {t.entity: t for t in old.treatments}
    after = {t.entity: t for t in new.treatments}
    name = " ".join(part for part in (who.role, who.app) if part) or "anyone"
    found = set()
    for entity in before.keys() | after.keys():
        a, b = before.get(entity), after.get(entity)
        weight = _weigh(a, b)
        if weight is not None:
            found.add(Change(weight, entity, direction.value, name, _tell(a), _tell(b)))
    return found


def _weigh(before: Treatment | None, after: Treatment | None) -> Weight | None:
    if before is None or after is None:
        if before is None and after is None:
            return None
        return Weight.GAINED if before is None else Weight.LOST
    one, other = _STRENGTH[before.action], _STRENGTH[after.action]
    if other < one or after.min_score > before.min_score:
        return Weight.WEAKER
    if other > one or after.min_score < before.min_score:
        return Weight.STRONGER
    return None


def _tell(treatment: Treatment | None) -> str:
    return (
        "not covered"
        if treatment is None
        else f"{treatment.action.value} from {treatment.min_score:g}"
    )
