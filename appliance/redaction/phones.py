# ruff: noqa: E501  (patterns stay whole)
"""Telephone and fax numbers.

Shapes propose; phonenumbers (libphonenumber's metadata) is asked, and imported, only for a
candidate that neither its shape nor a cue settles. National numbers are read in the policy's
jurisdictions.
"""

import re

from appliance.redaction.checks import digits_of
from appliance.redaction.spans import Span
from appliance.redaction.window import Window

_CANDIDATE = re.compile(
    r"(?<![0-9A-Za-z_])(?:\+|00)?[ ]?\(?\d{1,5}\)?(?:[ ./\-–()]{1,3}\d{1,9}){0,7}"
    r"(?:\s?(?:ext\.?|extn\.?|x|poste|durchwahl|dw)\s?\d{1,6})?(?![0-9])|"
    r"(?<![0-9A-Za-z_.])\+?\d{7,15}(?:\s?(?:ext\.?|x)\s?\d{1,6})?(?![0-9A-Za-z_])",
    re.IGNORECASE,
)
_NANP = re.compile(
    r"(?:\+?1[ .\-]?)?(?:\([2-9]\d{2}\)[ ]?|[2-9]\d{2}[.\-])[2-9]\d{2}[ .\-]\d{4}(?:\D.*)?\Z",
    re.DOTALL,
)
_GLUED = re.compile(
    r"(?<=[a-z])(?:\+\d{1,3}[ .\-]?)?\(?[2-9]\d{2}\)?[.\-][2-9]\d{2}[.\-]\d{4}(?!\d)"
)
_DATE = re.compile(r"\d{1,4}[./\-]\d{1,2}[./\-]\d{1,4}\Z|(?:19|20)\d{2}[ \-–/](?:19|20)\d{2}\Z")
_NATIONAL = re.compile(
    r"\(?0\d{1,4}\)?(?:(?:[ ]?/[ ]?|[ ]?-[ ]?|[ ])\d{2,5}(?:[ \-]\d{1,5}){1,4}|(?:[ ]?/[ ]?|[ ]?-[ ]?|[ ])\d{6,8})(?:\s?(?:x|ext).*)?\Z|0\d(?:\.\d{2}){4}\Z|0\d{2,3}\.\d{3}\.\d{2,4}(?:\.\d{2})?\Z",
    re.IGNORECASE,
)
"""Trunk prefix, area code, number: as people group them; a mix of points and spaces is a table."""
_SINGLES = re.compile(r"(?<![0-9])[0-9](?![0-9])")
_EXTENSION = re.compile(r"\s?(?:ext\.?|extn\.?|x|poste|durchwahl|dw)\s?\d{1,6}\Z", re.IGNORECASE)
_TYPE = "PHONE_NUMBER"


class PhoneDetector:
    """Finds telephone numbers of `regions` (ISO 3166 codes) and international ones."""

    def __init__(self, regions: tuple[str, ...]) -> None:
        self._regions = regions

    def find(self, window: Window) -> list[Span]:
        """Telephone numbers in the window."""
        if window.digits < 6:
            return []
        text = window.text
        spans: list[Span] = []
        for match in _CANDIDATE.finditer(text, window.begin):
            start, end = match.span()
            if start >= window.end:
                break
            while text[start].isspace():
                start += 1
            value = text[start:end]
            count = len(digits_of(_EXTENSION.sub("", value)))
            if value.startswith("(") and ")" not in value:
                value, start = value[1:], start + 1
            if len(_SINGLES.findall(value)) > 2:
                continue
            if not 6 <= count <= 16 or not self._free(text, start, end):
                continue
            score, rule = self._judge(value, count, start, end, window)
            if score:
                spans.append(window.span(start, end, _TYPE, score, "L1", rule))
        for match in _GLUED.finditer(text, window.begin):
            spans.append(window.span(*match.span(), _TYPE, 0.6, "L1", "phone_nanp"))
        return spans

    @staticmethod
    def _free(text: str, start: int, end: int) -> bool:
        if start and (
            text[start - 1] in "%$€£#"
            or (text[start - 1] in ".,-/" and text[start - 2 : start - 1].isdigit())
        ):
            return False
        after = text[end : end + 2]
        if after[:1].isalpha() and not (len(after) > 1 and after[1].isupper()):
            return False
        return not (len(after) == 2 and after[0] in ".,-/:" and after[1].isdigit())

    def _judge(
        self, value: str, count: int, start: int, end: int, window: Window
    ) -> tuple[float, str]:
        """Score and rule; 0 when it is no telephone number."""
        international = value.startswith(("+", "00"))
        if international and count >= 8:
            if self._valid(value, None):
                return 0.9, "phone_international"
            if value.startswith("+") and 9 <= count <= 15:
                return 0.6, "phone_international_shape"
        if "US" in self._regions and _NANP.match(value):
            return 0.75, "phone_nanp"
        if _DATE.match(value) or (count < 7 and " " not in value and "-" not in value):
            return 0.0, ""
        if window.cued(("phone",), start, end, tight=False) and count <= 15:
            return 0.7, "phone_cue"
        if value.startswith(("0", "(0")) and 9 <= count <= 12:
            if _NATIONAL.match(value):
                return 0.6, "phone_national_shape"
            if value.isdigit() and value[1] != "0" and count in (10, 11):
                return 0.52, "phone_trunk"
            if window.only(start, end) and self._valid_anywhere(value):
                return 0.5, "phone_national"
        return 0.0, ""

    def _valid_anywhere(self, value: str) -> bool:
        return any(self._valid(value, region) for region in self._regions)

    @staticmethod
    def _valid(value: str, region: str | None) -> bool:
        import phonenumbers  # noqa: PLC0415  (40 ms that most texts never need)

        text = "+" + value[2:] if region is None and value.startswith("00") else value
        try:
            return bool(phonenumbers.is_valid_number(phonenumbers.parse(text, region)))
        except phonenumbers.NumberParseException:
            return False
