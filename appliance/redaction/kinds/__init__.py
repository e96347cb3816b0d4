"""The identifiers the house knows, by family: each module is a table of `rule.Rule`."""

from appliance.redaction.kinds import (
    americas,
    asia_pacific,
    credentials,
    dates,
    europe,
    money,
    network,
    places,
)
from appliance.redaction.rule import Rule

RULES: tuple[Rule, ...] = (
    *money.RULES,
    *network.RULES,
    *credentials.RULES,
    *americas.RULES,
    *europe.RULES,
    *asia_pacific.RULES,
    *dates.RULES,
    *places.RULES,
)
