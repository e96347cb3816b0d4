# ruff: noqa: E501  (patterns stay whole)
"""L2, field capture: what stands behind a label is taken whatever its form.

`MRN: pending-7`, `"dob": "third of May"`, `Kontonummer 4711`, `Dr. Ana Ruiz`: the label or title
says what the value is, so no shape is asked for. How far a value reaches follows from the kind of
the label (`vocabulary.Label.shape`). A placeholder is never captured.
"""

import re
from collections.abc import Mapping

from appliance.redaction.spans import Span
from appliance.redaction.vocabulary import LABELS, MONTHS, TITLES, Label
from appliance.redaction.window import Window

_BEFORE = frozenset(" \t\n\r\v\f\"'({[<>,;:|*_#./=?&-")
_SEPARATOR = re.compile(
    r"(?:[ ]?(?:no|nr|num|number|nummer|#|n[o°]|id)\b\.?)?(?:[ ]?\([^()\n]{0,24}\))?"
    r"(?:[\"'*_`]{0,3}[ \t]{0,4}[:=#]{1,2}>?|[ \t]+(?:is|was|lautet|ist|es|est|e'|ending in|ends in)\b[ :]?|\t)[ \t]{0,8}\n?[ \t]{0,12}[\"'*_`]{0,3}",
    re.IGNORECASE,
)
_DIRECT = re.compile(
    r"(?:[ ]?(?:no|nr|num|number|nummer|#|n[o°])\b\.?)?[ \t]*[#:]?[ \t]+(?=[A-Za-z\-/]{0,6}[0-9])",
    re.IGNORECASE,
)

_SHAPES: dict[str, re.Pattern[str]] = {
    "id": re.compile(r"[^\s\"'<>,;|{}\[\]]{1,64}(?:[ ](?=[A-Z0-9./\-]{0,8}[0-9])[A-Z0-9./\-]{1,12}(?![a-z])){0,6}"),
    "phone": re.compile(r"\+?[(]?[0-9][0-9()\s./x+\-]{3,28}[0-9]"),
    "secret": re.compile(r"[^\s\"'<>|]{1,128}"),
    "date": re.compile(
        r"(?:[A-Za-z]{3,9}\.?,?[ ])?\d{1,4}(?:[./\-\s]{1,2}|(?:st|nd|rd|th|er|\.)?,?[ ](?:de[ ]|of[ ])?[A-Za-z]{3,12}\.?,?[ ](?:de[ ]|del[ ])?)\d{1,4}(?:[./\-\s]{1,2}\d{1,4})?"
        r"|[A-Za-z]{3,12}\.?[ ]\d{1,2}(?:st|nd|rd|th)?,?[ ]\d{2,4}|\d{6,8}|\d{4}|[^\s,;|\"'<>]{2,32}"
    ),
    "age": re.compile(r"\d{1,3}"),
    "address": re.compile(r"[^\n\"|<>{}]{3,120}"),
    "place": re.compile(r"[^\n\"|<>{},;]{2,48}"),
    "name": re.compile(r"[^\n\"|<>{}\[\];:=\t]{2,64}"),
}  # fmt: skip
_PLACEHOLDER = re.compile(r"\[[A-Z][A-Z0-9_]*\]|<[A-Z][A-Z0-9_]*>")
_NAME_WORD = re.compile(r"[^\W\d_](?:[^\W\d_]|['.\-])*,?")
_PARTICLES = frozenset(
    [
        "de",
        "la",
        "del",
        "los",
        "las",
        "van",
        "von",
        "der",
        "den",
        "di",
        "da",
        "do",
        "dos",
        "das",
        "du",
        "le",
        "y",
        "e",
        "zu",
        "zum",
        "ten",
        "ter",
        "bin",
        "ibn",
        "al",
        "el",
        "af",
        "st",
        "mc",
        "und",
        "and",
    ]
)
_NEXT_LABEL = re.compile(r"\s{2,}|\t|[ ][\-–|/][ ]|[ ][A-Za-z°º./]{2,20}:|\.(?:\s|$)")
_EMPTY = frozenset(
    [
        "n/a",
        "na",
        "none",
        "nil",
        "unknown",
        "unbekannt",
        "pending",
        "keine",
        "ninguno",
        "ninguna",
        "null",
        "true",
        "false",
        "yes",
        "no",
        "ja",
        "nein",
        "si",
        "oui",
        "non",
        "the",
        "a",
        "an",
        "not",
    ]
)

_PERIOD_ONLY = {
    "m",
    "pr",
    "pd",
    "sr",
    "don",
    "sig",
    "mx",
    "miss",
    "nurse",
    "priv",
    "dipl",
    "sir",
    "mw",
    "professor",
    "doctor",
    "drs",
    "dra",
    "set",
    "madam",
    "rev",
    "prof",
    "mr",
    "mrs",
    "ms",
    "dr",
}
_TITLE = re.compile(
    r"(?<![A-Za-z])(?:"
    + "|".join(sorted((f"{w.capitalize()}\\." if w in ("m", "pr", "pd") else f"{w.capitalize()}\\.?" for w in TITLES), key=len, reverse=True))
    + r")[ \xa0]{1,2}((?:(?:med|rer|nat|Dr|Prof|phil|h\.c|habil|jur|Ing)\.?[ ]){0,3}(?:(?:van|von|de|del|der|den|di|da|la|le|du|zu|ten|ter|al|el)[ ]){0,3}"
    r"[A-Z\u0391-\u03a9\u0410-\u042f][\w'\-]*\.?(?:[ ](?:(?:van|von|de|del|der|den|di|da|la|le|du|y)[ ]){0,3}[A-Z\u0391-\u03a9\u0410-\u042f][\w'\-]+){0,3})"
)  # fmt: skip


_NAME = (
    r"[A-Z\u0391-\u03a9\u0410-\u042f][\w'\-]*\.?"
    r"(?:[ ](?:(?:van|von|de|del|der|den|di|da|la|le|du|y|ten|ter|zu)[ ]){0,3}[A-Z\u0391-\u03a9\u0410-\u042f][\w'\-]+)"
)
_PHRASE = re.compile(
    r"(?:\b(?:name(?:'s| is)|name ist|ich hei(?:ss|ß)e|je m'appelle|mon nom est|me llamo|mi nombre es|mi chiamo|il mio nome e|"
    r"ik heet|mijn naam is|regards|sincerely|yours(?: truly| faithfully| sincerely)?|gr(?:u|ue)(?:ss|ß)en?|cordialement|salutations|"
    r"saludos|atentamente|saluti|groeten?|signed(?: by)?|unterzeichnet|firmado(?: por)?)[,:!]?\s{1,3})",
    re.IGNORECASE,
)
_RELATION = re.compile(
    r"\b(?:patient|patientin|patienten|paciente|paziente|customer|client|cliente|klant|husband|wife|son|daughter|mother|father|brother|"
    r"sister|colleague|friend|nurse|surgeon|physician|consultant|ehemann|ehefrau|sohn|tochter|mutter|vater|bruder|schwester|mari|femme|"
    r"fils|fille|frere|marido|esposa|hijo|hija|madre|padre|hermano|hermana|moglie|marito|figlio|figlia|fratello|sorella|zoon|dochter|"
    r"moeder|vader|broer|zus|named|called|Kunde|Kundin|Patientin|Patienten|Ehemann|Ehefrau|Sohn|Tochter|Mutter|Vater|Bruder|Schwester),?[ ]"
)
_ONE_NAME = re.compile(_NAME + "{0,3}")
_TWO_NAMES = re.compile(_NAME + "{1,3}")
_NO_NAME = frozenset(
    [
        "the",
        "a",
        "an",
        "this",
        "that",
        "these",
        "our",
        "your",
        "his",
        "her",
        "its",
        "my",
        "i",
        "we",
        "you",
        "he",
        "she",
        "it",
        "they",
        "in",
        "on",
        "at",
        "for",
        "to",
        "from",
        "not",
        "no",
        "yes",
        "der",
        "die",
        "das",
        "ein",
        "eine",
        "le",
        "la",
        "les",
        "un",
        "une",
        "el",
        "los",
        "las",
        "una",
        "il",
        "lo",
        "de",
        "het",
        "een",
        "mr",
        "mrs",
        "ms",
        "dr",
        "herr",
        "frau",
        "page",
        "hospital",
        "department",
        "clinic",
        "bank",
    ]
)


class FieldDetector:
    """Finds the values of labelled fields and the names behind titles, for `types`."""

    def __init__(self, types: frozenset[str]) -> None:
        self._types = types

    @staticmethod
    def labels(types: frozenset[str]) -> tuple[str, ...]:
        """The labels of fields of `types`, for the `CueFinder`."""
        return tuple(phrase for phrase, label in LABELS.items() if label.type in types)

    @staticmethod
    def cues() -> Mapping[str, tuple[str, ...]]:
        """The titles, for the `CueFinder`."""
        return {"title": tuple(TITLES)}

    def find(self, window: Window) -> list[Span]:
        """Values of fields whose label stands in the block or just before it."""
        text = window.text
        spans: list[Span] = []
        sightings = window.sightings
        for end, (start, phrase) in sightings.labels.items():
            if start and text[start - 1] not in _BEFORE:
                continue
            self._capture(window, LABELS[phrase], phrase, end, spans)
        if "PERSON" in self._types:
            self._announced(window, spans)
            for start, _ in sightings.groups.get("title", ()):
                match = _TITLE.match(text, start)
                if match is not None:
                    spans.append(window.span(*match.span(1), "PERSON", 0.8, "L2", "title"))
        return spans

    @staticmethod
    def _announced(window: Window, out: list[Span]) -> None:
        """Names that a phrase announces: "my name is", "Regards,", "her daughter"."""
        text = window.text
        if not text[window.begin : window.begin + 1].isupper():
            return
        floor = max(0, window.begin - 48)
        for phrase, name in ((_PHRASE, _ONE_NAME), (_RELATION, _TWO_NAMES)):
            for match in phrase.finditer(text, floor, window.begin):
                if match.end() != window.begin:
                    continue
                found = name.match(text, window.begin)
                if found is None:
                    continue
                first = found.group().split()[0].rstrip(".").lower()
                if first not in _NO_NAME and first not in MONTHS:
                    end = found.end() - (found.group()[-1] == ".")
                    out.append(window.span(window.begin, end, "PERSON", 0.7, "L2", "announced"))

    def _capture(
        self, window: Window, label: Label, phrase: str, end: int, out: list[Span]
    ) -> None:
        text = window.text
        separator = _SEPARATOR.match(text, end)
        strong = separator is not None
        if separator is None and label.shape in ("id", "phone", "date"):
            separator = _DIRECT.match(text, end)
        if separator is None:
            return
        start = separator.end()
        if start >= window.end or _PLACEHOLDER.match(text, start):
            return
        match = _SHAPES[label.shape].match(text, start)
        if match is None:
            return
        stop = self._stop(
            text,
            label,
            start,
            match.end(),
            field=strong and separator.group().strip()[-1:] in ":=#\"'*_`",
        )
        if stop <= start:
            return
        score = 0.75 if strong else 0.7
        out.append(window.span(start, stop, label.type, score, "L2", f"field:{phrase}"))

    @staticmethod
    def _stop(text: str, label: Label, start: int, end: int, *, field: bool) -> int:
        """Where the value ends; `start` if there is no value."""
        value = text[start:end]
        cut = _PLACEHOLDER.search(value)
        if cut is not None:
            value = value[: cut.start()]
        if label.shape == "name":
            return start + (_name_length(value) if field else 0)
        if label.shape in ("address", "place"):
            if not field:
                return start
            cut = _NEXT_LABEL.search(value)
            value = (value[: cut.start()] if cut else value).rstrip(" .,;-")
            return start + (len(value) if value.lower() not in _EMPTY else 0)
        value = value.rstrip(".,;:!?)" if label.shape != "secret" else ",;")
        if value.lower() in _EMPTY or not any(c.isalnum() for c in value):
            return start
        if not field and not any(c.isdigit() for c in value):
            return start
        if label.shape == "date" and value.isalpha() and value.lower() not in MONTHS:
            return start
        return start + len(value)


def _name_length(value: str) -> int:
    """Length of the name that `value` begins with: up to five words, none of them a common one."""
    cut = _NEXT_LABEL.search(value)
    line = value
    if cut is not None and not (cut.group().startswith(".") and cut.start() <= 3):
        line = value[: cut.start()]
    position = length = words = 0
    lower_line = len(line.split()) <= 4 and line.islower()
    for piece in line.split(" "):
        bare = piece.rstrip(",")
        if not piece:
            position += 1
            continue
        match = _NAME_WORD.fullmatch(piece)
        if match is None or words >= 5 or bare.lower() in _EMPTY:
            break
        if bare[0].islower() and bare not in _PARTICLES and not lower_line:
            break
        position += len(piece)
        if bare not in _PARTICLES:
            length = position - (len(piece) - len(bare))
            words += 1
        position += 1
        if piece.endswith(",") and words >= 2:
            break
    return length
