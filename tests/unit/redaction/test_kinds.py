"""The tables of identifiers: each compiles, and published examples of many countries are found."""

import pytest
import re2

from appliance.redaction.cues import CueFinder
from appliance.redaction.kinds import RULES
from appliance.redaction.patterns import PatternDetector
from appliance.redaction.vocabulary import CUES
from appliance.redaction.window import Window

DETECTOR = PatternDetector(RULES)
FINDER = CueFinder({**CUES, **PatternDetector.cues(RULES)})


def types(text: str) -> set[str]:
    window = Window(text, 0, len(text), alone=False, cues=FINDER)
    return {span.type for span in DETECTOR.find(window)}


def test_names_are_unique_and_every_pattern_is_linear() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        re2.compile(rule.pattern)
        assert set(rule.groups) <= CUES.keys(), rule.name


def test_at_least_thirty_countries_have_identifiers() -> None:
    assert len({country for rule in RULES for country in rule.countries}) >= 30


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("SSN 536-90-4399", "US_SSN"),
        ("Medicare 1EG4-TE5-MK73", "US_MBI"),
        ("NPI 1234567893", "US_NPI"),
        ("SIN 046 454 286 is no valid one, 130 692 544 is", "CA_SIN"),
        ("CPF 390.533.447-05", "BR_CPF"),
        ("CURP BOXW310820HNERXN09", "MX_CURP"),
        ("RUT 30.686.957-4", "CL_RUT"),
        ("NINO AB 12 34 56 C", "UK_NINO"),
        ("NHS 943 476 5919", "UK_NHS"),
        ("Steuer-ID 36 574 261 809", "DE_TAX_ID"),
        ("Rentenversicherungsnummer 15070649C103", "DE_SOCIAL_SECURITY"),
        ("AHV 756.9217.0769.85", "CH_AHV"),
        ("SVNR 1237 010180", "AT_SVNR"),
        ("NIR 2 95 10 99 126 111 93", "FR_NIR"),
        ("DNI 54362315K", "ES_NIF"),
        ("NIE X2482300W", "ES_NIE"),
        ("codice fiscale RCCMNL83S18D969H", "IT_FISCAL_CODE"),
        ("NIF 501 964 843", "PT_NIF"),
        ("BSN 1112.22.333", "NL_BSN"),
        ("Rijksregisternummer 85.07.30-033.28", "BE_NATIONAL_NUMBER"),
        ("personnummer 880320-0016", "SE_PERSONNUMMER"),
        ("fødselsnummer 151086 95088", "NO_FODSELSNUMMER"),
        ("CPR 211062-5629", "DK_CPR"),
        ("henkilötunnus 131052-308T", "FI_PERSONAL_IDENTITY_CODE"),
        ("kennitala 450401-3150", "IS_KENNITALA"),
        ("PESEL 44051401359", "PL_PESEL"),
        ("rodné číslo 710319/2745", "CZ_RODNE_CISLO"),
        ("CNP 1630615123457", "RO_CNP"),
        ("ЕГН 7523169263", "BG_EGN"),
        ("OIB 33392005961", "HR_OIB"),
        ("EMŠO 0101006500006", "SI_EMSO"),
        ("isikukood 36805280109", "EE_ISIKUKOOD"),
        ("asmens kodas 33309240064", "LT_ASMENS_KODAS"),
        ("AMKA 01013099997", "GR_AMKA"),
        ("PPS 6433435F", "IE_PPS"),
        ("TC kimlik 17291716060", "TR_NATIONAL_ID"),
        ("ТИН 12; ИНН 123456789047", "RU_INN"),
        ("ABN 51 824 753 556", "AU_ABN"),
        ("TFN 123 456 782", "AU_TFN"),
        ("Aadhaar 2341 2341 2346", "IN_AADHAAR"),
        ("PAN ACUPA7085R", "IN_PAN"),
        ("身份证 11010519491231002X", "CN_RESIDENT_ID"),
        ("RRN 971013-9019902 or 960121-1234567", "KR_RRN"),
        ("NRIC S9108268C", "SG_NRIC_FIN"),
        ("My Number 6214 9832 0257", "JP_MY_NUMBER"),
        ("SA ID 7503305044089", "ZA_ID_NUMBER"),
        ("Emirates ID 784-1984-1234567-8 is wrong, 784-1980-1234567-9 too", ""),
    ],
)
def test_an_identifier_with_its_cue_is_found(text: str, type: str) -> None:
    assert type in types(text) if type else "AE_EMIRATES_ID" not in types(text)


@pytest.mark.parametrize(
    "number",
    [
        "12345678",
        "123456789",
        "1234567890",
        "31415926535",
        "20240506123",
        "98765432",
        "100000000000",
    ],
)
def test_a_bare_number_in_prose_is_no_identifier(number: str) -> None:
    assert types(f"the reactor produced {number} pulses during the run") == set()
