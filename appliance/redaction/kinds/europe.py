# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Europe: identity, tax, social security, health insurance, licences, plates, post codes."""

from appliance.redaction import checks
from appliance.redaction.checks import stdnum, stdnum_compact
from appliance.redaction.rule import rule


def _de_mrz(text: str) -> bool:
    """ICAO Doc 9303: weights 7-3-1 over the serial, check digit last."""
    value = text.upper()
    total = sum(w * int(c, 36) for w, c in zip((7, 3, 1) * 3, value[:-1], strict=False))
    return any(c.isdigit() for c in value[:-1]) and str(total % 10) == value[-1]


def _de_idnr(text: str) -> bool:
    """BZSt: ISO 7064 MOD 11,10, no digit more than three times; test numbers need not repeat one."""
    d = [int(c) for c in checks.digits_of(text)]
    if max(map(d[:10].count, d[:10])) > 3:
        return False
    product = 10
    for x in d[:10]:
        product = ((product + x) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == d[10]


def _de_kvnr(text: str) -> bool:
    """GKV: the letter as two digits, weights 1-2 with digit sums, modulo 10."""
    value = text.upper().replace(" ", "")
    digits = f"{ord(value[0]) - 64:02d}" + value[1:-1]
    total = sum(sum(divmod(int(d) * w, 10)) for d, w in zip(digits, (1, 2) * 5, strict=True))
    return str(total % 10) == value[-1]


def _de_rvnr(text: str) -> bool:
    """VKVV §4: weights 2-1-2-5-7-1-2-1-2-1-2-1 with digit sums over the number, letter as two digits."""
    value = checks.alphanumerics(text)
    day, month = int(value[2:4]), int(value[4:6])
    if not (1 <= day <= 31 or 51 <= day <= 81) or not 1 <= month <= 12:
        return False
    digits = value[:8] + f"{ord(value[8]) - 64:02d}" + value[9:11]
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(int(d) * w, 10)) for d, w in zip(digits, weights, strict=True))
    return str(total % 10) == value[-1]


def _de_lanr(text: str) -> bool:
    """KBV: weights 4-9 over six digits, complement to ten as the seventh."""
    d = [int(c) for c in text]
    total = sum(w * x for w, x in zip((4, 9, 4, 9, 4, 9), d, strict=False))
    return len(set(d[:7])) > 1 and (10 - total % 10) % 10 == d[6]


def _fi_hetu(text: str) -> bool:
    """DVV: date and individual number modulo 31; markers of 2023 included."""
    number = int(text[:6] + text[7:10])
    return "0123456789ABCDEFHJKLMNPRSTUVWXY"[number % 31] == text[10].upper()


def _de_licence(text: str) -> bool:
    """Eleven characters: authority, number, check, issue; DE and nine digits is a VAT number."""
    return any(c.isdigit() for c in text) and not (text[:2] == "DE" and text[2:].isdigit())


def _pl_id(text: str) -> bool:
    """Polish identity card: letters count from 10, weights 7-3-1, the first digit checks."""
    value = checks.alphanumerics(text)
    numbers = [int(c, 36) for c in value]
    weights = (7, 3, 1, 0, 7, 3, 1, 7, 3)
    return sum(w * n for w, n in zip(weights, numbers, strict=True)) % 10 == numbers[3]


def _nl_id(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _fr_nir(text: str) -> bool:
    """Thirteen characters and, if written, the key 97 - n modulo 97 (2A as 19, 2B as 18)."""
    value = checks.alphanumerics(text)
    body = value[:13].replace("2A", "19", 1).replace("2B", "18", 1)
    if not body.isdigit():
        return False
    return len(value) == 13 or (len(value) == 15 and int(value[13:]) == 97 - int(body) % 97)


def _at_svnr(text: str) -> bool:
    d = [int(c) for c in checks.digits_of(text)]
    if not 1 <= d[4] * 10 + d[5] <= 31 or d[0] == 0:
        return False
    total = sum(w * x for w, x in zip((3, 7, 9, 0, 5, 8, 4, 2, 1, 6), d, strict=True))
    return total % 11 == d[3]


_CODICE = r"(?i)\b[A-Z]{6}[ ]?[0-9LMNPQRSTUV]{2}[ABCDEHLMPRST][0-9LMNPQRSTUV]{2}[ ]?[A-Z][0-9LMNPQRSTUV]{3}[A-Z]\b"
_UK_POSTCODE = r"\b(?:GIR ?0AA|(?:[A-PR-UWYZ](?:\d{1,2}|[A-HK-Y]\d|[A-HK-Y]\d\d|\d[A-HJKPSTUW]|[A-HK-Y]\d[ABEHMNPRV-Y])) ?\d[ABD-HJLNP-UW-Z]{2})\b"
_KFZ = r"(?:[A-ZÄÖÜ]{1,3}[ \-][A-Z]{1,2}[ \-]?[1-9]\d{0,3}[EH]?)"


def _it_codice(text: str) -> bool:
    """Agenzia delle Entrate: odd and even tables, remainder modulo 26."""
    value = text.replace(" ", "").upper()
    odd = (
        1,
        0,
        5,
        7,
        9,
        13,
        15,
        17,
        19,
        21,
        2,
        4,
        18,
        20,
        11,
        3,
        6,
        8,
        12,
        14,
        16,
        10,
        22,
        25,
        24,
        23,
    )
    total = 0
    for place, c in enumerate(value[:15]):
        number = int(c) if c.isdigit() else ord(c) - 65
        total += number if place % 2 else odd[number]
    return chr(65 + total % 26) == value[15]


def _es_nuss(text: str) -> bool:
    """Seguridad Social: province and number modulo 97 (a number below ten million is added)."""
    d = checks.digits_of(text)
    province, number, control = d[:2], int(d[2:10]), int(d[10:])
    base = int(province) * 10_000_000 + number if number < 10_000_000 else int(d[:10])
    return base % 97 == control


RULES = (
    # Germany, Austria, Switzerland
    rule("de_tax_id", "DE_TAX_ID", r"\b[1-9]\d[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}\b", _de_idnr, 0.3, "tax", at="DE", alone=0.75),
    rule("de_tax_number", "DE_TAX_NUMBER", r"\b\d{2,3}/\d{3,4}/\d{4,5}\b", None, 0.7, "tax", at="DE"),
    rule("de_tax_number_long", "DE_TAX_NUMBER", r"\b(?:0[1-9]|1[0-6])\d{2}0\d{8}\b|\b(?:0[1-9]|1[0-6])\d{11}\b", checks.distinct, 0.1, "tax", at="DE", alone=0.5),
    rule("de_vat_id", "EU_VAT_ID", r"\bDE[ \-]?\d{3}[ \-]?\d{3}[ \-]?\d{3}\b", None, 0.8, "tax", at="DE"),
    rule("de_id_card", "DE_ID_CARD", r"(?i)\b[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{7}\d\b", _de_mrz, 0.45, "id passport", at="DE"),
    rule("de_id_card_old", "DE_ID_CARD", r"\b\d{10}D?[ ]?<?[ ]?\d{7}[ ]?<?[ ]?\d{7}[ ]?<+[ ]?\d\b", None, 0.8, "id", at="DE"),
    rule("de_passport", "DE_PASSPORT", r"(?i)\b[CFGHJKLMNPRTVWXYZ][CFGHJKLMNPRTVWXYZ0-9]{8}\b", lambda v: sum(c.isdigit() for c in v) > 2, 0.0, "passport id", at="DE", alone=0.0),
    rule("de_social_security", "DE_SOCIAL_SECURITY", r"(?i)\b\d{2}[ ]?\d{6}[ ]?[A-Z][ ]?\d{2}[ ]?\d\b", _de_rvnr, 0.9, words="rvnr, sozialversicherungsnummer, rentenversicherungsnummer, sv-nummer", cues="health", at="DE"),
    rule("de_health_insurance", "DE_HEALTH_INSURANCE", r"(?i)\b[A-Z]\d{9}\b", _de_kvnr, 0.6, "health", at="DE"),
    rule("de_lanr", "DE_LANR", r"\b\d{9}\b", _de_lanr, 0.1, words="lanr, arztnummer, lebenslange arztnummer", at="DE", alone=0.6),
    rule("de_bsnr", "DE_BSNR", r"\b\d{9}\b", checks.distinct, 0.0, words="bsnr, betriebsstättennummer, betriebsstätte", at="DE", alone=0.5),
    rule("de_driving_licence", "DE_DRIVING_LICENCE", r"(?i)\b[A-Z]{2}\d{8}[0-9A-Z]\b|\b[A-Z]\d{2}[0-9A-Z]{6}\d[0-9A-Z]\b", _de_licence, 0.55, "licence", at="DE"),
    rule("de_commercial_register", "DE_HANDELSREGISTER", r"(?i)\bHR[AB][ ]?\d{1,6}(?:[ ]?[A-Z]{1,2})?\b", None, 0.85, at="DE"),
    rule("de_plate", "LICENSE_PLATE", r"\b" + _KFZ + r"\b", None, 0.3, "plate", at="DE", alone=0.6),
    rule("de_plate_hyphen", "LICENSE_PLATE", r"\b[A-ZÄÖÜ]{1,3}-[A-Z]{1,2}[ \-][1-9]\d{0,3}[EH]?\b", None, 0.7, "plate", at="DE"),
    rule("de_plate_lower", "LICENSE_PLATE", r"(?i)\b" + _KFZ + r"\b", None, 0.0, "plate", at="DE", alone=0.5),
    rule("de_plz", "ZIP_CODE", r"\b(?:0[1-9]|[1-9]\d)\d{3}\b", lambda v: v != "99999", 0.0, "postcode", at="DE", alone=0.5),
    rule("de_plz_place", "ZIP_CODE", r"\b(?:D-|A-|CH-|F-|B-|L-|NL-|I-|E-|DK-)\d{4,5}\b", None, 0.7, "postcode"),
    rule("at_svnr", "AT_SVNR", r"\b\d{4}[ \-]?(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-5])\d{2}\b", _at_svnr, 0.4, "health", words="svnr, sozialversicherungsnummer, sv-nummer, versicherungsnummer", at="AT"),
    rule("at_tax", "AT_TAX_NUMBER", r"\b\d{2}-?\d{3}/?\d{4}\b", stdnum_compact("at.tin"), 0.2, "tax", at="AT", alone=0.5),
    rule("ch_ahv", "CH_AHV", r"\b756[.\- ]?\d{4}[.\- ]?\d{4}[.\- ]?\d{2}\b", stdnum_compact("ch.ssn"), 0.9, "health", words="ahv, avs, sozialversicherungsnummer", at="CH"),
    rule("ch_uid", "CH_UID", r"\bCHE[-. ]?\d{3}[. ]?\d{3}[. ]?\d{3}(?: ?(?:MWST|TVA|IVA))?\b", None, 0.85, "tax", at="CH"),
    # United Kingdom and Ireland
    rule("uk_nhs", "UK_NHS", r"\b\d{3}[ \-]\d{3}[ \-]\d{4}\b", stdnum_compact("gb.nhs"), 0.7, "health", words="nhs, nhs number", at="GB"),
    rule("uk_nhs_bare", "UK_NHS", r"\b\d{10}\b", stdnum_compact("gb.nhs"), 0.2, words="nhs, nhs number, nhs no", at="GB", alone=0.64),
    rule("uk_nino", "UK_NINO", r"(?i)\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z][ \-]?\d{2}[ \-]?\d{2}[ \-]?\d{2}[ \-]?[A-D]\b", lambda v: v[:2].upper() not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ"), 0.85, words="nino, national insurance, ni number", at="GB"),
    rule("uk_driving_licence", "UK_DRIVING_LICENCE", r"(?i)\b[A-Z][A-Z9]{4}\d(?:[05][1-9]|[16][0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}[0-9A-Z][A-Z]{2}\b|\b[A-Z]{2,5}9{0,3}\d[0156]\d\d{2}\d[A-Z9]{2}[0-9A-Z][A-Z]{2}\b", lambda v: len(v) == 16, 0.9, "licence", at="GB"),
    rule("uk_passport", "UK_PASSPORT", r"\b(?:\d{9}|[A-Z]{2}\d{7})\b", checks.distinct, 0.0, "passport", at="GB", alone=0.0),
    rule("uk_utr", "UK_UTR", r"\b\d{5}[ ]?\d{5}\b", stdnum_compact("gb.utr"), 0.1, words="utr, unique taxpayer reference", at="GB", alone=0.3),
    rule("uk_plate", "LICENSE_PLATE", r"\b[A-HJ-PR-Y][A-HJ-PR-Y](?:0[2-9]|[1-7]\d)[ \-]?[A-HJ-PR-Z]{3}\b", lambda v: not (v[2:4] == "20" and False) and v[2:4] not in ("01", "00", "50"), 0.6, "plate", at="GB"),
    rule("uk_plate_prefix", "LICENSE_PLATE", r"\b[A-HJ-NPR-TV-Y]\d{1,3}[ \-]?[A-HJ-PR-Y][A-Z]{2}\b", None, 0.4, "plate", at="GB"),
    rule("uk_plate_suffix", "LICENSE_PLATE", r"\b[A-Z]{3}[ \-]?\d{1,3}[A-HJ-NPR-TV-Y]\b", None, 0.4, "plate", at="GB"),
    rule("uk_postcode", "ZIP_CODE", _UK_POSTCODE, None, 0.6, "postcode", at="GB"),
    rule("ie_pps", "IE_PPS", r"(?i)\b\d{7}[A-W][A-IW]?\b", stdnum_compact("ie.pps"), 0.6, words="pps, ppsn", at="IE"),
    # France, Belgium, Netherlands, Luxembourg
    rule("fr_nir", "FR_NIR", r"(?i)\b[12378][ .]?\d{2}[ .]?(?:0[1-9]|1[0-2]|[2-9]\d)[ .]?(?:\d{2}|2[AB])[ .]?\d{3}[ .]?\d{3}(?:[ .]?(?:cl[eé]\s?:?\s?)?\d{2})\b", lambda v: _fr_nir(v.lower().replace("cle", "")), 0.85, "health ssn", words="nir, insee", at="FR"),
    rule("fr_nir_short", "FR_NIR", r"(?i)\b[12][ .]?\d{2}[ .]?(?:0[1-9]|1[0-2])[ .]?(?:\d{2}|2[AB])[ .]?\d{3}[ .]?\d{3}\b", _fr_nir, 0.1, "health ssn", words="nir, insee", at="FR", alone=0.3),
    rule("fr_tax", "FR_TAX_ID", r"\b[0-3]\d[ ]?\d{2}[ ]?\d{3}[ ]?\d{3}[ ]?\d{3}\b", stdnum_compact("fr.nif"), 0.3, "tax", words="spi, numero fiscal", at="FR"),
    rule("fr_siret", "FR_SIRET", r"\b\d{3}[ ]?\d{3}[ ]?\d{3}[ ]?\d{5}\b", stdnum_compact("fr.siret"), 0.3, "company", at="FR"),
    rule("fr_siren", "FR_SIREN", r"\b\d{3}[ ]?\d{3}[ ]?\d{3}\b", stdnum_compact("fr.siren"), 0.1, "company", at="FR", alone=0.3),
    rule("fr_id_card", "FR_ID_CARD", r"\b\d{12}\b|\b[A-Z0-9]{9}\b", lambda v: sum(c.isdigit() for c in v) > 3, 0.0, words="cni, carte d'identite, carte nationale d'identite", at="FR", alone=0.0),
    rule("fr_passport", "FR_PASSPORT", r"\b\d{2}[A-Z]{2}\d{5}\b", None, 0.45, "passport", at="FR"),
    rule("fr_plate", "LICENSE_PLATE", r"\b[A-HJ-NP-TV-Z]{2}-\d{3}-[A-HJ-NP-TV-Z]{2}\b", None, 0.75, "plate", at="FR"),
    rule("be_nn", "BE_NATIONAL_NUMBER", r"\b\d{2}[.\- ]?\d{2}[.\- ]?\d{2}[.\- ]?\d{3}[.\- ]?\d{2}\b", stdnum_compact("be.nn"), 0.55, "id", words="rijksregisternummer, registre national, rrn, insz, niss", at="BE"),
    rule("be_eid", "BE_ID_CARD", r"\b\d{3}-\d{7}-\d{2}\b", None, 0.6, "id", at="BE"),
    rule("nl_bsn", "NL_BSN", r"\b\d{4}[. ]?\d{2}[. ]?\d{3}\b|\b\d{8,9}\b", stdnum_compact("nl.bsn"), 0.15, words="bsn, burgerservicenummer, sofinummer, sofi", cues="health", at="NL", alone=0.53),
    rule("nl_id", "NL_ID_CARD", r"\b[A-NP-Z]{2}[A-NP-Z0-9]{6}\d\b", _nl_id, 0.0, "passport id", at="NL", alone=0.0),
    rule("nl_postcode", "ZIP_CODE", r"\b[1-9]\d{3} ?(?:[A-RT-Z][A-Z]|S[BCE-RT-Z])\b", None, 0.3, "postcode", at="NL", alone=0.6),
    rule("nl_plate", "LICENSE_PLATE", r"\b(?:[A-Z]{2}-\d{3}-[A-Z]|[A-Z]-\d{3}-[A-Z]{2}|\d{2}-[A-Z]{3}-\d|\d-[A-Z]{3}-\d{2}|[A-Z]{2}-[A-Z]{2}-\d{2}|\d{2}-[A-Z]{2}-[A-Z]{2}|[A-Z]{2}-\d{2}-[A-Z]{2})\b", None, 0.6, "plate", at="NL"),
    rule("lu_matricule", "LU_NATIONAL_ID", r"\b(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{5}\b", checks.luhn, 0.4, "id", words="matricule", at="LU", alone=0.5),
    # Spain, Portugal, Italy, Greece, Malta, Cyprus
    rule("es_nif", "ES_NIF", r"(?i)\b\d{7,8}[ \-]?[A-HJ-NP-TV-Z]\b|\b\d{2}\.\d{3}\.\d{3}[ \-]?[A-HJ-NP-TV-Z]\b", lambda v: stdnum("es.dni")(checks.alphanumerics(v).zfill(9)), 0.85, "tax id", words="dni, nif", at="ES"),
    rule("es_nie", "ES_NIE", r"(?i)\b[XYZ][ \-]?\d{7}[ \-]?[A-Z]\b", stdnum_compact("es.nie"), 0.9, "tax id", words="nie", at="ES"),
    rule("es_cif", "ES_CIF", r"(?i)\b[ABCDEFGHJNPQRSUVW]-?\d{7}-?[0-9A-J]\b", stdnum_compact("es.cif"), 0.5, "tax", words="cif", at="ES", alone=0.56),
    rule("es_nuss", "ES_NUSS", r"\b\d{2}[ /\-]?\d{8}[ /\-]?\d{2}\b", _es_nuss, 0.45, "health ssn", words="nass, nuss, naf", at="ES"),
    rule("es_passport", "ES_PASSPORT", r"(?i)\b[A-Z]{3}\d{6}\b", None, 0.1, "passport", at="ES", alone=0.5),
    rule("es_plate", "LICENSE_PLATE", r"\b\d{4}[ \-]?[BCDFGHJKLMNPRSTVWXYZ]{3}\b", None, 0.35, "plate", at="ES", alone=0.5),
    rule("es_ccc", "ES_CCC", r"\b\d{4}[ \-]\d{4}[ \-]\d{2}[ \-]\d{10}\b|\b\d{20}\b", stdnum_compact("es.ccc"), 0.85, "bank", at="ES"),
    rule("pt_nif", "PT_NIF", r"\b[1235689]\d{2}[ ]?\d{3}[ ]?\d{3}\b", stdnum_compact("pt.nif"), 0.2, "tax", words="nif, contribuinte", at="PT", alone=0.52),
    rule("pt_cc", "PT_CC", r"(?i)\b\d{8}[ ]?\d[ ]?[A-Z0-9]{2}\d\b", lambda v: any(c.isalpha() for c in v) and stdnum_compact("pt.cc")(v), 0.8, "id", at="PT"),
    rule("it_fiscal_code", "IT_FISCAL_CODE", _CODICE, _it_codice, 0.95, "tax", at="IT"),
    rule("it_fiscal_code_shape", "IT_FISCAL_CODE", _CODICE, None, 0.6, words="codice fiscale, cf, c.f., cod. fiscale", at="IT"),
    rule("it_vat", "IT_VAT_CODE", r"\b\d{11}\b", lambda v: checks.distinct(v) and stdnum("it.iva")(v), 0.2, "tax", words="p. iva, partita iva, p.iva", at="IT", alone=0.56),
    rule("it_driving_licence", "IT_DRIVER_LICENSE", r"(?i)\b(?:[A-Z]{2}\d{7}[A-Z]|U1[BCDFGHLJKMNPRSTUWYXZ0-9]{7}[A-Z])\b", None, 0.55, "licence", at="IT"),
    rule("it_id_card", "IT_IDENTITY_CARD", r"(?i)\b(?:C[A-Z]\d{5}[A-Z]{2}|[A-Z]{2}[ ]?\d{7})\b", None, 0.1, "id", at="IT", alone=0.4),
    rule("it_passport", "IT_PASSPORT", r"(?i)\b[A-Z]{2}\d{7}\b", None, 0.1, "passport", at="IT", alone=0.56),
    rule("gr_amka", "GR_AMKA", r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{7}\b", stdnum("gr.amka"), 0.45, "health", words="amka, αμκα", at="GR", alone=0.7),
    rule("gr_afm", "GR_AFM", r"\b\d{9}\b", stdnum("gr.vat"), 0.1, "tax", words="afm, αφμ", at="GR", alone=0.3),
    # North
    rule("se_personnummer", "SE_PERSONNUMMER", r"((?:18|19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|[6-8]\d|9[01])[-+]?\d{4})\b", stdnum("se.personnummer"), 0.6, "id", words="personnummer, pnr, samordningsnummer", at="SE", loose=True),
    rule("se_orgnr", "SE_ORGANISATIONSNUMMER", r"\b\d{2}[2-9]\d{3}-?\d{4}\b", stdnum_compact("se.orgnr"), 0.3, "company", at="SE", alone=0.62),
    rule("no_fnr", "NO_FODSELSNUMMER", r"\b\d{6}[ ]?\d{5}\b", stdnum_compact("no.fodselsnummer"), 0.6, "id", words="fodselsnummer, personnummer, fnr", at="NO"),
    rule("dk_cpr", "DK_CPR", r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[- ]?\d{4}\b", None, 0.1, "id", words="cpr, personnummer, cpr-nr, cpr-nummer", at="DK", alone=0.3),
    rule("dk_cpr_hyphen", "DK_CPR", r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}-\d{4}\b", None, 0.6, words="cpr", at="DK"),
    rule("fi_hetu", "FI_PERSONAL_IDENTITY_CODE", r"(?i)((?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{2}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y])\b", _fi_hetu, 0.95, "id", words="hetu, henkilotunnus", at="FI", loose=True),
    rule("is_kennitala", "IS_KENNITALA", r"\b(?:[04][1-9]|[1256]\d|[37][01])(?:0[1-9]|1[0-2])\d{2}-?\d{3}[089]\b", stdnum_compact("is_.kennitala"), 0.5, "id", words="kennitala, kt", at="IS"),
    # Centre and East
    rule("pl_pesel", "PL_PESEL", r"\b\d{11}\b", stdnum("pl.pesel"), 0.7, "id", words="pesel", at="PL", alone=0.76),
    rule("pl_nip", "PL_NIP", r"\b\d{3}-?\d{3}-?\d{2}-?\d{2}\b", stdnum_compact("pl.nip"), 0.3, "tax", words="nip", at="PL"),
    rule("pl_regon", "PL_REGON", r"\b\d{9}(?:\d{5})?\b", stdnum("pl.regon"), 0.1, words="regon", at="PL", alone=0.3),
    rule("pl_id_card", "PL_ID_CARD", r"(?i)\b[A-Z]{3}[ ]?\d{6}\b", _pl_id, 0.3, "id", words="dowod, dowod osobisty", at="PL", alone=0.4),
    rule("cz_rc", "CZ_RODNE_CISLO", r"\b\d{2}[0-8]\d[0-3]\d/\d{3,4}\b", stdnum("cz.rc"), 0.85, "id", words="rodne cislo, rc", at="CZ SK"),
    rule("cz_rc_bare", "CZ_RODNE_CISLO", r"\b\d{2}[0-8]\d[0-3]\d{5}\b", stdnum("cz.rc"), 0.2, "id", words="rodne cislo, rc", at="CZ SK", alone=0.6),
    rule("hu_taj", "HU_TAJ", r"\b\d{3}[ \-]?\d{3}[ \-]?\d{3}\b", checks.weighted((3, 7, 3, 7, 3, 7, 3, 7), 10, complement=False), 0.1, words="taj, taj szam", at="HU", alone=0.3),
    rule("ro_cnp", "RO_CNP", r"\b[1-9]\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{6}\b", stdnum("ro.cnp"), 0.75, "id", words="cnp", at="RO"),
    rule("bg_egn", "BG_EGN", r"\b\d{10}\b", stdnum("bg.egn"), 0.35, "id", words="egn, егн", at="BG", alone=0.6),
    rule("hr_oib", "HR_OIB", r"\b\d{11}\b", stdnum("hr.oib"), 0.2, "tax", words="oib", at="HR", alone=0.5),
    rule("si_emso", "SI_EMSO", r"\b(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d{9}\b", stdnum("si.emso"), 0.7, "id", words="emso, jmbg", at="SI RS BA ME MK HR"),
    rule("lt_ak", "LT_ASMENS_KODAS", r"\b[1-6]\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}\b", stdnum("lt.asmens"), 0.5, "id", words="asmens kodas", at="LT"),
    rule("ee_ik", "EE_ISIKUKOOD", r"\b[1-8]\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{4}\b", stdnum("ee.ik"), 0.5, "id", words="isikukood", at="EE"),
    rule("lv_pk", "LV_PERSONAS_KODS", r"\b\d{6}-\d{5}\b", stdnum_compact("lv.pvn"), 0.6, "id", words="personas kods", at="LV"),
    rule("ua_rntrc", "UA_RNTRC", r"\b\d{10}\b", stdnum("ua.rntrc"), 0.1, "tax", words="рнокпп, ипн, iпн", at="UA", alone=0.3),
    rule("ru_inn", "RU_INN", r"\b\d{10}(?:\d{2})?\b", stdnum("ru.inn"), 0.1, words="inn, инн", at="RU", alone=0.3),
    rule("ru_snils", "RU_SNILS", r"\b\d{3}-\d{3}-\d{3}[ \-]\d{2}\b", None, 0.8, words="snils, снилс", at="RU"),
    rule("tr_tckn", "TR_NATIONAL_ID", r"\b[1-9]\d{10}\b", stdnum("tr.tckimlik"), 0.4, "id", words="tckn, tc kimlik, kimlik", at="TR", alone=0.74),
    rule("tr_plate", "LICENSE_PLATE", r"\b(?:0[1-9]|[1-7]\d|8[01])[ ]?(?:[A-Z][ ]?\d{2,5}|[A-Z]{2}[ ]?\d{2,4}|[A-Z]{3}[ ]?\d{2,4})\b", None, 0.25, "plate", at="TR", alone=0.5),
    rule("eu_vat", "EU_VAT_ID", r"\b(?:ATU\d{8}|BE[01]\d{9}|BG\d{9,10}|CY\d{8}[A-Z]|CZ\d{8,10}|DK\d{8}|EE\d{9}|EL\d{9}|ES[A-Z0-9]\d{7}[A-Z0-9]|FI\d{8}|FR[A-Z0-9]{2}\d{9}|HR\d{11}|HU\d{8}|IE\d[A-Z0-9+*]\d{5}[A-Z]{1,2}|IT\d{11}|LT(?:\d{9}|\d{12})|LU\d{8}|LV\d{11}|MT\d{8}|NL\d{9}B\d{2}|PL\d{10}|PT\d{9}|RO\d{2,10}|SE\d{12}|SI\d{8}|SK\d{10})\b", stdnum("eu.vat"), 0.8, "tax"),
)  # fmt: skip
