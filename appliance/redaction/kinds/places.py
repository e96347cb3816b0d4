# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Street addresses in the orders that people write them: number first, street first, post boxes.

Folded text has no accents. Towns alone are not here: they are names.
"""

from appliance.redaction.rule import rule

_NAME = r"[A-Z][A-Za-z0-9'.\-]*"
_SMALL = r"(?:(?:de|del|des|du|la|las|los|le|les|der|den|di|da|do|dos|della|delle|dei|y|e|san|van|von|am|an|zu|'t)[ ]|[dl]')"
_WAY = r"(?:Street|St|Avenue|Ave|Av|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Square|Sq|Terrace|Ter|Way|Parkway|Pkwy|Circle|Cir|Highway|Hwy|Crescent|Cres|Close|Gardens|Gdns|Mews|Row|Walk|Grove|Trail|Trl|Pike|Plaza)"
_UNIT = r"(?:,?[ ](?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room|No)\.?[ ]?[A-Z0-9\-]{1,6}\b|,?[ ]#[ ]?[A-Z0-9\-]{1,6}\b)?"
_ROMANCE = r"(?:Rue|Avenue|Av\.|Boulevard|Bd|Place|Chemin|Allee|Impasse|Quai|Calle|C/|Avenida|Avda\.?|Plaza|Paseo|Carrer|Ronda|Travesia|Via|Viale|Corso|Piazza|Largo|Vicolo|Rua|Praca|Travessa)"
_GERMANIC = r"(?:strasse|straße|str\.|gasse|allee|damm|chaussee|platz|weg|ufer|straat|laan|plein|gracht|kade|dreef|singel|gatan|vagen|gade|vej|vegen|veien)"
_NUMBER = r"\d{1,4}(?:[ ]?[a-zA-Z]\b|[\-/]\d{1,4})?"

_ROMANCE_WORDS = "rue avenue av. boulevard bd place chemin allee impasse quai calle c/ avenida avda plaza paseo carrer ronda travesia via corso piazza largo vicolo rua praca travessa"
_NO_STREET = (
    "arbeitsplatz",
    "parkplatz",
    "sitzplatz",
    "stellplatz",
    "therapieplatz",
    "umweg",
    "hinweg",
    "rettungsweg",
    "harnweg",
    "atemweg",
    "marktplatz der",
)


def _street(text: str) -> bool:
    return not text.lower().startswith(_NO_STREET)


RULES = (
    rule("street_number_first", "LOCATION", rf"\b\d{{1,6}}[A-Z]?,?[ ](?:[NSEW]\.?[ ])?(?:{_NAME}[ ]){{1,4}}{_WAY}\b\.?{_UNIT}", None, 0.75, loose=True),
    rule("street_romance_number_first", "LOCATION", rf"(?i:\b\d{{1,4}}(?:[ ]?(?:bis|ter))?,?[ ](?:rue|avenue|boulevard|place|chemin|allee|impasse|quai|cours))[ ]{_SMALL}{{0,3}}{_NAME}(?:[ ]{_SMALL}?{_NAME}){{0,3}}", None, 0.75, loose=True),
    rule("street_romance", "LOCATION", rf"\b{_ROMANCE}[ ]{_SMALL}{{0,3}}{_NAME}(?:[ ]{_SMALL}{{0,2}}{_NAME}){{0,3}},?[ ](?:n[o.]?\.?[ ]?)?{_NUMBER}\b", None, 0.75, loose=True, needs=_ROMANCE_WORDS),
    rule("street_germanic", "LOCATION", rf"\b[A-Z][A-Za-z\-]{{2,30}}{_GERMANIC}[ ]{_NUMBER}", _street, 0.75),
    rule("street_germanic_two_words", "LOCATION", rf"\b[A-Z][A-Za-z\-]{{2,30}}[ ](?:Strasse|Straße|Str\.|Gasse|Allee|Damm|Chaussee|Platz|Weg|Ufer|Ring)[ ]{_NUMBER}", None, 0.75),
    rule("street_germanic_bare", "LOCATION", rf"\b(?:Strasse|Straße|Str\.|Gasse|Allee|Chaussee)[ ]{_NUMBER}", None, 0.7),
    rule("post_box", "LOCATION", r"(?i)\b(?:p\.?[ ]?o\.?[ ]box|postfach|boite postale|apartado(?: de correos)?|casella postale|postbus)[ ]\d{1,6}(?:[ ]\d{2,3})?\b", None, 0.75, loose=True, needs="box postfach postale apartado postbus"),
)  # fmt: skip
