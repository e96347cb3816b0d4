# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Dates. A birth date needs its cue; a date as such is an identifier only where a policy says so."""

from appliance.redaction.rule import rule
from appliance.redaction.vocabulary import MONTHS

_MONTH = "(?:" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NUMBER = r"(?:0?[1-9]|1[0-2])"
_YEAR = r"(?:1[89]\d{2}|20\d{2})"
_NUMERIC = rf"(?:{_DAY}[./\- ]{{1,2}}{_DAY}[./\- ]{{1,2}}(?:{_YEAR}|\d{{2}})|{_YEAR}[./\-]{_NUMBER}[./\-]{_DAY})"
_TEXTUAL = (
    rf"(?:{_DAY}(?:st|nd|rd|th|er|\.|º)?[ \-]{{1,2}}(?:of |de )?{_MONTH},?(?:[ \-]{{1,2}}(?:de |del )?(?:{_YEAR}|\d{{2}}))?"
    rf"|{_MONTH}[ \-]{{1,2}}{_DAY}(?:st|nd|rd|th)?(?:,?[ \-]{{1,2}}{_YEAR})?|{_MONTH}[ \-,]{{1,2}}{_YEAR})"
)
_CLOCK = (
    r"[T ,]{1,2}\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[ ]?[AaPp][Mm])?(?:Z|[+\-]\d{2}:?\d{2})?"
)

RULES = (
    rule("birth_date_numeric", "DATE_OF_BIRTH", rf"(?i)\b{_NUMERIC}\b", None, 0.0, "birth", alone=0.0, cued=0.9),
    rule("birth_date_textual", "DATE_OF_BIRTH", rf"(?i)\b{_TEXTUAL}\b", None, 0.0, "birth", alone=0.0, cued=0.9),
    rule("birth_date_compact", "DATE_OF_BIRTH", r"\b(?:(?:19|20)\d{6}|\d{8}|\d{6})\b", None, 0.0, "birth", alone=0.0, cued=0.7),
    rule("birth_year", "DATE_OF_BIRTH", rf"\b{_YEAR}\b", None, 0.0, words="born in, year of birth, jahrgang, geburtsjahr, geboren in, nacido en, nee en, ne en, nato nel, geboren in", alone=0.0, cued=0.8),
    rule("date_numeric", "DATE_TIME", rf"(?i)\b{_NUMERIC}(?:{_CLOCK})?\b", None, 0.6),
    rule("date_textual", "DATE_TIME", rf"(?i)\b{_TEXTUAL}(?:{_CLOCK})?\b", None, 0.6),
    rule("age", "AGE", r"(?i)\b(\d{1,3})[ \-]{0,2}(?:years?|yrs?|y/o|y\.o|yo|jahre?n?|jahrig\w*|ans|anos|anni|jaar|jarig\w*)\b", None, 0.6, needs="year yr y/o y.o yo jahr ans anos anni jaar jarig", loose=True),
    rule("age_named", "AGE", r"(?i)\b(?:aged?|alter|age de|edad|eta|leeftijd)[ :]{1,2}(\d{1,3})\b", None, 0.6, needs="age alter edad eta leeftijd", loose=True),
    rule("date_short", "DATE_TIME", rf"\b{_NUMBER}/(?:{_DAY}|{_YEAR})\b", None, 0.55),
)  # fmt: skip
