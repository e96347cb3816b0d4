"""The entities a policy can name: every type the detectors report, in groups an officer can read.

A policy names single entities (`CREDIT_CARD`) or groups (`financial`); `structured` is everything
but names, places and dates in general. A test compares this list with what the detectors report.
"""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GROUPS: dict[str, tuple[str, ...]] = {
    "financial": _names(
        "ABA_ROUTING_NUMBER ACCOUNT_NUMBER AR_CBU CREDIT_CARD CRYPTO CVV ES_CCC IBAN_CODE "
        "SWIFT_BIC TRACK_DATA UK_SORT_CODE US_BANK_NUMBER"
    ),
    "card_data": ("CREDIT_CARD", "CVV", "TRACK_DATA"),
    "contact": ("EMAIL_ADDRESS", "PHONE_NUMBER", "USERNAME"),
    "network": ("IP_ADDRESS", "MAC_ADDRESS", "URL", "DEVICE_ID"),
    "credentials": ("API_KEY", "PASSWORD", "PRIVATE_KEY"),
    "health": _names(
        "MEDICAL_RECORD_NUMBER HEALTH_INSURANCE_NUMBER AT_SVNR AU_MEDICARE CA_HEALTH_CARD "
        "CH_AHV DE_HEALTH_INSURANCE DE_SOCIAL_SECURITY ES_NUSS FR_NIR GR_AMKA HU_TAJ MX_NSS "
        "NZ_NHI UK_NHS US_MBI"
    ),
    "providers": _names("PROVIDER_ID US_NPI US_DEA_NUMBER MEDICAL_LICENSE DE_LANR DE_BSNR"),
    "national_ids": _names(
        "AE_EMIRATES_ID AR_DNI BE_ID_CARD BE_NATIONAL_NUMBER BG_EGN BR_CPF CA_SIN CL_RUT "
        "CN_RESIDENT_ID CO_CEDULA CZ_RODNE_CISLO DE_ID_CARD DK_CPR DO_CEDULA EC_CEDULA "
        "EE_ISIKUKOOD ES_NIE ES_NIF FI_PERSONAL_IDENTITY_CODE FR_ID_CARD HK_ID ID_NIK IE_PPS "
        "IL_ID IN_AADHAAR IN_VOTER IS_KENNITALA IT_FISCAL_CODE IT_IDENTITY_CARD JP_MY_NUMBER "
        "KR_FRN KR_RRN LT_ASMENS_KODAS LU_NATIONAL_ID LV_PERSONAS_KODS MX_CURP MY_NRIC NATIONAL_ID "
        "NG_NIN NL_BSN NL_ID_CARD NO_FODSELSNUMMER PE_DNI PK_CNIC PL_ID_CARD PL_PESEL PT_CC "
        "RO_CNP RU_SNILS SE_PERSONNUMMER SG_NRIC_FIN SI_EMSO TH_TNIN TR_NATIONAL_ID TW_ID "
        "UK_NINO US_SSN UY_CI ZA_ID_NUMBER"
    ),
    "tax_ids": _names(
        "AR_CUIT AT_TAX_NUMBER AU_ABN AU_ACN AU_TFN BR_CNPJ CH_UID CO_NIT DE_HANDELSREGISTER "
        "DE_TAX_ID DE_TAX_NUMBER ES_CIF EU_VAT_ID FR_SIREN FR_SIRET FR_TAX_ID GR_AFM HR_OIB "
        "IN_GSTIN IN_PAN IT_VAT_CODE KR_BRN LEI MX_RFC NZ_IRD PE_RUC PH_TIN PL_NIP PL_REGON "
        "PT_NIF RU_INN SE_ORGANISATIONSNUMMER SG_UEN TAX_ID UA_RNTRC UK_UTR US_EIN US_ITIN"
    ),
    "passports": _names(
        "PASSPORT DE_PASSPORT ES_PASSPORT FR_PASSPORT IN_PASSPORT IT_PASSPORT KR_PASSPORT "
        "UK_PASSPORT US_PASSPORT"
    ),
    "licences": _names(
        "DRIVER_LICENSE DE_DRIVING_LICENCE IT_DRIVER_LICENSE KR_DRIVER_LICENSE "
        "UK_DRIVING_LICENCE US_DRIVER_LICENSE"
    ),
    "vehicles": ("LICENSE_PLATE", "VEHICLE_ID"),
    "birth": ("DATE_OF_BIRTH",),
    "postcodes": ("ZIP_CODE",),
    "names": ("PERSON",),
    "places": ("LOCATION",),
    "dates": ("DATE_TIME",),
    "ages": ("AGE",),
}

_UNSTRUCTURED = ("names", "places", "dates", "ages", "card_data")

GROUPS["structured"] = tuple(
    dict.fromkeys(e for name, es in GROUPS.items() if name not in _UNSTRUCTURED for e in es)
)

ENTITIES: frozenset[str] = frozenset(entity for members in GROUPS.values() for entity in members)
"""Every type there is."""


def expand(name: str) -> tuple[str, ...]:
    """The entities that a name in a policy means; empty if it means none."""
    if name in GROUPS:
        return GROUPS[name]
    return (name,) if name in ENTITIES else ()
