# ruff: noqa: E501  (a table reads best with one rule on one line)
"""North and South America: social insurance, tax, health, licences."""

from appliance.redaction import checks
from appliance.redaction.checks import stdnum, stdnum_compact
from appliance.redaction.rule import rule


def _ssn(text: str) -> bool:
    """Social Security Administration: no area 000, 666 or 9xx, no group 00, no serial 0000."""
    d = checks.digits_of(text)
    area, group, serial = d[:3], d[3:5], d[5:]
    return area not in ("000", "666") and group != "00" and serial != "0000" and checks.distinct(d)


def _itin(text: str) -> bool:
    """IRS: area 9xx, group 50-65, 70-88, 90-92 or 94-99."""
    group = int(checks.digits_of(text)[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


def _dea(text: str) -> bool:
    """DEA registration: (1st+3rd+5th digit) + 2 × (2nd+4th+6th), last digit of the sum."""
    d = [int(c) for c in text[2:]]
    return (d[0] + d[2] + d[4] + 2 * (d[1] + d[3] + d[5])) % 10 == d[6]


def _npi(text: str) -> bool:
    """CMS: Luhn with the prefix 80840; the first digit is 1 or 2."""
    d = checks.digits_of(text)
    return d[0] in "12" and len(set(d)) > 2 and checks.luhn("80840" + d)


_MBI = r"(?i)\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}\b"

RULES = (
    rule("us_ssn", "US_SSN", r"\b[0-8]\d{2}[\- ./]\d{2}[\- ./]\d{4}\b", _ssn, 0.85, "ssn id", at="US"),
    rule("us_ssn_itin_like", "US_SSN", r"\b9\d{2}-\d{2}-\d{4}\b", _ssn, 0.0, "ssn", words="social security number", at="US", alone=0.0),
    rule("us_ssn_bare", "US_SSN", r"\b[0-8]\d{8}\b", _ssn, 0.2, "ssn", at="US", alone=0.57),
    rule("us_ssn_split", "US_SSN", r"\b[0-8]\d{2}\s{0,2}[-–]?\s{0,2}\d{2}\s{0,2}[-–]?\s{0,2}\d{4}\b", _ssn, 0.2, "ssn", at="US", alone=0.5),
    rule("us_ssn_last4", "US_SSN", r"(?i)(?:last\s(?:4|four)[^\d\n]{0,24}(?:ssn|social)[^\d\n]{0,12}|(?:ssn|social security)[^\d\n]{0,24}(?:last\s(?:4|four)|ending(?:\sin)?)[^\d\n]{0,10}|[x*]{3}-[x*]{2}-)(\d{4})\b", None, 0.85, loose=True, at="US", needs="last ending xxx ***"),
    rule("us_itin", "US_ITIN", r"\b9\d{2}([- ])?\d{2}[- ]?\d{4}\b".replace("([- ])?", "[- ]?"), _itin, 0.6, "tax", at="US"),
    rule("us_ein", "US_EIN", r"\b\d{2}-\d{7}\b", stdnum("us.ein"), 0.3, "tax", at="US", alone=0.5),
    rule("us_npi", "US_NPI", r"\b[12]\d{9}\b", _npi, 0.3, "provider", at="US", alone=0.66),
    rule("us_dea", "US_DEA_NUMBER", r"(?i)\b[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}\b", _dea, 0.6, "provider", at="US"),
    rule("us_medical_license", "MEDICAL_LICENSE", r"\b[A-Z]{1,2}\d{5,8}\b", None, 0.0, "provider", at="US", cued=0.6, alone=0.0),
    rule("us_mbi", "US_MBI", _MBI, None, 0.85, "health", at="US"),
    rule("us_passport", "US_PASSPORT", r"\b(?:[A-Z]\d{8}|\d{9})\b", checks.distinct, 0.1, "passport", at="US", alone=0.53),
    rule("us_driver_license", "US_DRIVER_LICENSE", r"\b(?:[A-Z]{1,2}[ \-]?\d{2,3}[ \-]?\d{2,4}[ \-]?\d{2,6}|[A-Z]\d{6,14}|[A-Z]{2}\d{2,7}[A-Z]?|\d{7,12}|\d{3,4}-\d{2,3}-\d{3,4}|[A-Z]\d{3}-\d{3,4}-\d{3,4}(?:-\d)?|[A-Z]\d{2}-\d{2}-\d{4})\b", None, 0.0, "licence", at="US", alone=0.0, cued=0.7),
    rule("us_driver_license_alone", "US_DRIVER_LICENSE", r"\b[A-Z]\d{7,8}\b", None, 0.1, "licence", at="US", alone=0.51),
    rule("us_zip4", "ZIP_CODE", r"\b\d{5}-\d{4}\b", None, 0.35, "postcode", at="US", alone=0.5),
    rule("zip", "ZIP_CODE", r"\b\d{3,6}(?:[ \-]\d{2,4})?\b", None, 0.0, "postcode", alone=0.0, cued=0.6),
    rule("us_state_zip", "ZIP_CODE", r"\b(?:A[KLRZ]|C[AOT]|D[CE]|FL|GA|HI|I[ADLN]|K[SY]|LA|M[ADEINOST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]|A[APE]),?\s(\d{5}(?:-\d{4})?)\b", None, 0.6, at="US", loose=True),
    rule("ca_sin", "CA_SIN", r"\b[1-79]\d{2}([ \-]?)\d{3}[ \-]?\d{3}\b".replace("([ \\-]?)", "[ \\-]?"), lambda v: stdnum("ca.sin")(checks.digits_of(v)) and v.count("-") in (0, 2) and v.count(" ") in (0, 2) and checks.distinct(v), 0.3, "ssn", words="sin, nas, numero d'assurance sociale, assurance sociale", at="CA", alone=0.58),
    rule("ca_ohip", "CA_HEALTH_CARD", r"\b\d{4}[ \-]\d{3}[ \-]\d{3}(?:[ \-]?[A-Z]{2})?\b", checks.luhn, 0.55, "health", words="ohip, health card", at="CA"),
    rule("ca_bc_phn", "CA_HEALTH_CARD", r"\b9\d{3}[ \-]?\d{3}[ \-]?\d{3}\b", stdnum_compact("ca.bc_phn"), 0.3, "health", words="phn, personal health number", at="CA"),
    rule("ca_postcode", "ZIP_CODE", r"\b[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ \-]?\d[ABCEGHJ-NPRSTV-Z]\d\b", None, 0.6, "postcode", at="CA"),
    rule("mx_curp", "MX_CURP", r"(?i)\b[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d\b", None, 0.9, words="curp", at="MX"),
    rule("mx_rfc", "MX_RFC", r"(?i)\b[A-ZÑ&]{3,4}-?\d{6}-?[0-9A-Z]{3}\b", stdnum_compact("mx.rfc"), 0.6, "tax", words="rfc", at="MX"),
    rule("mx_nss", "MX_NSS", r"\b\d{11}\b", checks.luhn, 0.1, words="nss, imss, seguro social", at="MX", alone=0.4),
    rule("br_cpf", "BR_CPF", r"\b\d{3}\.?\d{3}\.?\d{3}[\- ]?\d{2}\b", lambda v: checks.distinct(v) and stdnum_compact("br.cpf")(v), 0.4, words="cpf, contribuinte", cues="tax id", at="BR", alone=0.72),
    rule("br_cpf_formatted", "BR_CPF", r"\b\d{3}\.\d{3}\.\d{3}-\d{2}\b", None, 0.85, words="cpf", at="BR"),
    rule("br_cnpj", "BR_CNPJ", r"\b\d{2}\.?\d{3}\.?\d{3}/?\d{4}-?\d{2}\b", stdnum_compact("br.cnpj"), 0.6, "tax", words="cnpj", at="BR"),
    rule("ar_dni", "AR_DNI", r"\b\d{2}\.\d{3}\.\d{3}\b", None, 0.1, "id", words="dni", at="AR", alone=0.3),
    rule("ar_cuit", "AR_CUIT", r"\b(?:20|2[3-7]|3[034])-\d{8}-\d\b", stdnum_compact("ar.cuit"), 0.8, "tax", words="cuit, cuil", at="AR"),
    rule("ar_cuit_bare", "AR_CUIT", r"\b(?:20|2[3-7]|3[034])\d{9}\b", stdnum_compact("ar.cuit"), 0.2, "tax", words="cuit, cuil", at="AR", alone=0.5),
    rule("ar_cbu", "AR_CBU", r"\b\d{22}\b", stdnum("ar.cbu"), 0.7, "bank", words="cbu", at="AR"),
    rule("cl_rut", "CL_RUT", r"\b\d{1,2}\.?\d{3}\.?\d{3}-[\dkK]\b", stdnum_compact("cl.rut"), 0.85, "tax id", words="rut, run", at="CL"),
    rule("co_nit", "CO_NIT", r"\b\d{3}\.?\d{3}\.?\d{3}-\d\b", stdnum_compact("co.nit"), 0.55, "tax", words="nit", at="CO"),
    rule("co_cedula", "CO_CEDULA", r"\b\d{1,2}\.?\d{3}\.?\d{3}(?:\.?\d{3})?\b", None, 0.0, words="cedula, cc, cedula de ciudadania", at="CO", alone=0.0),
    rule("pe_dni", "PE_DNI", r"\b\d{8}(?:-?[0-9A-K])?\b", None, 0.0, words="dni", at="PE", alone=0.0),
    rule("pe_ruc", "PE_RUC", r"\b[12]\d{10}\b", stdnum("pe.ruc"), 0.3, "tax", words="ruc", at="PE", alone=0.5),
    rule("ec_ci", "EC_CEDULA", r"\b[0-2]\d{9}\b", stdnum("ec.ci"), 0.2, "id", words="cedula, ci", at="EC", alone=0.45),
    rule("uy_ci", "UY_CI", r"\b\d\.\d{3}\.\d{3}-\d\b", checks.weighted((2, 9, 8, 7, 6, 3, 4), 10), 0.85, words="ci, cedula", at="UY"),
    rule("do_cedula", "DO_CEDULA", r"\b\d{3}-?\d{7}-?\d\b", stdnum_compact("do.cedula"), 0.3, words="cedula", cues="id", at="DO", alone=0.46),
)  # fmt: skip
