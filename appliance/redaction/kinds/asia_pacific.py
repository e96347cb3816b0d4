# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Asia, Africa and the Pacific: identity, tax, health, licences, plates."""

from appliance.redaction import checks
from appliance.redaction.checks import stdnum, stdnum_compact
from appliance.redaction.rule import rule


def _date(text: str) -> bool:
    """Six digits that can be a date, year first."""
    return 1 <= int(text[2:4]) <= 12 and 1 <= int(text[4:6]) <= 31


def _kr(text: str) -> bool:
    """Resident or foreigner number: begins with a date; numbers since 2020 have no check digit."""
    return _date(checks.digits_of(text))


def _kr_brn(text: str) -> bool:
    """NTS: weights 1-3-7-1-3-7-1-3-5, a tenth of the last product added, modulo 10."""
    d = [int(c) for c in checks.digits_of(text)]
    total = (
        sum(w * x for w, x in zip((1, 3, 7, 1, 3, 7, 1, 3, 5), d, strict=False)) + d[8] * 5 // 10
    )
    return checks.distinct(text) and (10 - total % 10) % 10 == d[9]


def _za(text: str) -> bool:
    """Date, citizenship 0-2, Luhn."""
    return _date(text) and text[10] in "012" and checks.luhn(text)


def _th(text: str) -> bool:
    d = [int(c) for c in checks.digits_of(text)]
    province = d[1] * 10 + d[2]
    if d[0] == 0 or d[1] == 0 or province in (28, 29, 59, 68, 69, 78, 79, 87, 88, 89, 97, 98, 99):
        return False
    return (11 - sum((13 - i) * x for i, x in enumerate(d[:12])) % 11) % 10 == d[12]


def _sg(text: str) -> bool:
    """ICA: weights 2-7-6-5-4-3-2, an offset by series, a table of letters by series."""
    value = text.upper()
    total = sum(w * int(c) for w, c in zip((2, 7, 6, 5, 4, 3, 2), value[1:8], strict=True))
    total += {"S": 0, "T": 4, "F": 0, "G": 4, "M": 3}[value[0]]
    table = {
        "S": "JZIHGFEDCBA",
        "T": "JZIHGFEDCBA",
        "F": "XWUTRQPNMLK",
        "G": "XWUTRQPNMLK",
        "M": "XWUTRQPNJLK",
    }
    letters = table[value[0]]
    return value[8] == (letters[10 - total % 11] if value[0] == "M" else letters[total % 11])


def _aadhaar(text: str) -> bool:
    d = checks.digits_of(text)
    return d != d[::-1] and stdnum("verhoeff")(d)


_GST_STATE = r"(?:0[1-9]|[12]\d|3[0-8]|97)"


def _au_medicare(text: str) -> bool:
    """Services Australia: weights 1-3-7-9 repeated over eight digits, modulo 10 as the ninth."""
    d = [int(c) for c in checks.digits_of(text)]
    return sum(w * x for w, x in zip((1, 3, 7, 9, 1, 3, 7, 9), d, strict=False)) % 10 == d[8]


def _tw(text: str) -> bool:
    """The letter as a two-digit code, weights 1-9-8…1-1, modulo 10."""
    code = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(text[0]) + 10
    d = [code // 10, code % 10, *map(int, text[1:])]
    return sum(w * x for w, x in zip((1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1), d, strict=True)) % 10 == 0


RULES = (
    # Australia, New Zealand
    rule("au_abn", "AU_ABN", r"\b[1-9]\d[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}\b", stdnum_compact("au.abn"), 0.4, "tax company", words="abn", at="AU", alone=0.72),
    rule("au_acn", "AU_ACN", r"\b\d{3}[ ]?\d{3}[ ]?\d{3}\b", stdnum_compact("au.acn"), 0.1, "company", words="acn", at="AU", alone=0.59),
    rule("au_tfn", "AU_TFN", r"\b\d{3}[ ]?\d{3}[ ]?\d{2,3}\b", stdnum_compact("au.tfn"), 0.1, "tax", words="tfn, tax file number", at="AU", alone=0.54),
    rule("au_medicare", "AU_MEDICARE", r"\b[2-6]\d{3}[ ]?\d{5}[ ]?\d\b", _au_medicare, 0.4, "health", words="medicare", at="AU", alone=0.68),
    rule("nz_nhi", "NZ_NHI", r"\b[A-HJ-NP-Z]{3}\d{4}\b|\b[A-HJ-NP-Z]{3}\d{2}[A-HJ-NP-Z]{2}\b", None, 0.1, words="nhi, national health index", at="NZ", alone=0.3),
    rule("nz_ird", "NZ_IRD", r"\b\d{2,3}-?\d{3}-?\d{3}\b", stdnum_compact("nz.ird"), 0.1, "tax", words="ird", at="NZ", alone=0.3),
    # India, Pakistan
    rule("in_aadhaar", "IN_AADHAAR", r"\b[2-9]\d{3}[ :\-]?\d{4}[ :\-]?\d{4}\b", _aadhaar, 0.55, "id", words="aadhaar, aadhar, uid", at="IN"),
    rule("in_pan", "IN_PAN", r"(?i)\b[A-Z]{3}[ABCFGHJLPT][A-Z]\d{4}[A-Z]\b", None, 0.8, "tax", words="pan", at="IN"),
    rule("in_pan_loose", "IN_PAN", r"\b[A-Z]{5}\d{4}[A-Z]\b", None, 0.5, "tax", words="pan", at="IN"),
    rule("in_gstin", "IN_GSTIN", r"(?i)\b" + _GST_STATE + r"[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]\b", None, 0.9, "tax", at="IN"),
    rule("in_voter", "IN_VOTER", r"(?i)\b[A-Z]{3}\d{7}\b", None, 0.1, "voter", at="IN", alone=0.55),
    rule("in_passport", "IN_PASSPORT", r"(?i)\b[A-PR-WY][1-9]\d\s?\d{4}[1-9]\b", None, 0.1, "passport", at="IN", alone=0.56),
    rule("in_plate", "LICENSE_PLATE", r"\b(?:A[NPRS]|BR|C[GH]|D[DLN]|G[AJ]|H[PR]|J[HK]|K[AL]|L[AD]|M[HLNPZ]|NL|O[DRT]|P[BY]|RJ|SK|T[NRSG]|U[AKP]|WB)[ \-]?\d{1,2}[ \-]?[A-Z]{1,3}[ \-]?\d{4}\b", None, 0.7, "plate", at="IN"),
    rule("in_plate_short", "LICENSE_PLATE", r"\b[A-Z]{2,3}\d{4}\b", None, 0.0, "plate", at="IN", alone=0.53),
    rule("pk_cnic", "PK_CNIC", r"\b\d{5}-\d{7}-\d\b", None, 0.85, words="cnic, nic", at="PK"),
    # East Asia
    rule("cn_ric", "CN_RESIDENT_ID", r"(?i)\b[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[0-9X]\b", stdnum("cn.ric"), 0.9, "id", words="身份证, 身份证号", at="CN"),
    rule("cn_mobile", "PHONE_NUMBER", r"\b1[3-9]\d[ \-]?\d{4}[ \-]?\d{4}\b", None, 0.35, "phone", words="手机, 电话", at="CN"),
    rule("tw_id", "TW_ID", r"\b[A-Z][12]\d{8}\b", _tw, 0.8, "id", words="身分證", at="TW"),
    rule("hk_id", "HK_ID", r"\b[A-Z]{1,2}\d{6}\([0-9A]\)", None, 0.85, "id", words="hkid", at="HK", loose=True),
    rule("jp_my_number", "JP_MY_NUMBER", r"\b\d{4}[ \-]?\d{4}[ \-]?\d{4}\b", stdnum_compact("jp.in_"), 0.2, words="マイナンバー, my number, 個人番号", at="JP", alone=0.5),
    rule("kr_rrn", "KR_RRN", r"\b\d{6}-?[1-4]\d{6}\b", _kr, 0.2, "id", words="rrn, 주민등록번호", at="KR", alone=0.6, cued=0.7),
    rule("kr_rrn_hyphen", "KR_RRN", r"\b\d{6}-[1-4]\d{6}\b", _kr, 0.8, words="rrn", at="KR"),
    rule("kr_frn", "KR_FRN", r"\b\d{6}-?[5-8]\d{6}\b", _kr, 0.2, "id", words="frn, 외국인등록번호", at="KR", alone=0.6, cued=0.7),
    rule("kr_frn_hyphen", "KR_FRN", r"\b\d{6}-[5-8]\d{6}\b", _kr, 0.8, words="frn", at="KR"),
    rule("kr_passport", "KR_PASSPORT", r"(?i)\b[MSROD]\d{3}[A-Z]\d{4}\b|\b[MSROD]\d{8}\b", None, 0.2, "passport", at="KR", alone=0.6),
    rule("kr_driving_licence", "KR_DRIVER_LICENSE", r"\b\d{2}-\d{2}-\d{6}-\d{2}\b", None, 0.75, "licence", at="KR"),
    rule("kr_brn", "KR_BRN", r"\b\d{3}-?\d{2}-?\d{5}\b", _kr_brn, 0.3, "company tax", at="KR", alone=0.55),
    # South-East Asia
    rule("sg_nric", "SG_NRIC_FIN", r"(?i)\b[STFGM]\d{7}[A-Z]\b", _sg, 0.9, "id", words="nric, fin", at="SG"),
    rule("sg_nric_shape", "SG_NRIC_FIN", r"\b[A-Z]\d{7}[A-Z]\b", None, 0.1, "id", words="nric, fin", at="SG", alone=0.5),
    rule("sg_uen", "SG_UEN", r"\b(?:\d{8}[A-Z]|(?:18|19|20)\d{7}[A-Z]|[TSR]\d{2}[A-Z]{2}\d{4}[A-Z])\b", stdnum("sg.uen"), 0.6, "company", at="SG"),
    rule("tr_mobile", "PHONE_NUMBER", r"\b0[ \-]?\(?5\d{2}\)?[ .\-]?\d{3}[ .\-]?\d{2}[ .\-]?\d{2}\b", None, 0.7, "phone", at="TR", alone=0.86),
    rule("tr_mobile_short", "PHONE_NUMBER", r"\b(?:5\d{9}|5\d{2}[ .\-]\d{3}[ .\-]\d{2}[ .\-]\d{2})\b", None, 0.3, "phone", at="TR", alone=0.58),
    rule("my_nric", "MY_NRIC", r"\b\d{6}-\d{2}-\d{4}\b", _date, 0.8, "id", words="mykad, nric", at="MY"),
    rule("id_nik", "ID_NIK", r"\b\d{16}\b", stdnum("id.nik"), 0.4, words="nik, ktp", cues="id", at="ID"),
    rule("th_tnin", "TH_TNIN", r"\b[1-9][ \-]?\d{4}[ \-]?\d{5}[ \-]?\d{2}[ \-]?\d\b", _th, 0.5, "id", words="tnin, เลขประจำตัวประชาชน, เลขบัตรประชาชน, thai national id", at="TH", alone=0.65),
    rule("ph_tin", "PH_TIN", r"\b\d{3}-\d{3}-\d{3}(?:-\d{3,5})?\b", None, 0.4, "tax", words="tin", at="PH"),
    rule("ph_tin_long", "PH_TIN", r"\b\d{3}-\d{3}-\d{3}-\d{3,5}\b", None, 0.7, "tax", at="PH"),
    rule("ph_mobile", "PHONE_NUMBER", r"\b0[ \-]?\(?9\d{2}\)?[ \-]?\d{3}[ \-]?\d{4}\b", None, 0.7, "phone", at="PH", loose=False, alone=0.86),
    # Near East, Africa
    rule("il_id", "IL_ID", r"\b\d{9}\b|\b\d{8}-\d\b", stdnum_compact("il.idnr"), 0.1, "id", words="teudat zehut, תעודת זהות", at="IL", alone=0.3),
    rule("ae_eid", "AE_EMIRATES_ID", r"\b784-?\d{4}-?\d{7}-?\d\b", checks.luhn, 0.9, words="emirates id", at="AE"),
    rule("za_id", "ZA_ID_NUMBER", r"\b\d{13}\b", _za, 0.7, "id", words="rsa id, sa id", at="ZA", alone=0.86),
    rule("ng_nin", "NG_NIN", r"\b\d{11}\b", checks.distinct, 0.0, words="nin, national identification number", at="NG", alone=0.0),
    rule("ng_plate", "LICENSE_PLATE", r"\b[A-Z]{3}-?\d{3}[A-Z]{2}\b", None, 0.55, "plate", at="NG"),
)  # fmt: skip
