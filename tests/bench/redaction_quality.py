# ruff: noqa: E501  (tables stay whole)
"""How well the default policy finds what other people's documents hold; JSON lines on stdout.

Reads `../shared/pii/dev` beside the repository (or the folder given as the first argument):
- `recognizer_cases.jsonl`: for each kind that the policy covers, finds of that kind against the
  expected number. Recall counts expected values, precision counts finds of the kind.
- `presidio_research.jsonl`: per type, the share of annotated characters that are gone (span-masked
  recall), and characters redacted outside any annotation.
`--misses` prints each case that went wrong.
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from appliance.policy.decision import Subject
from appliance.screening import Screening

ROOT = Path(__file__).parents[2]

KINDS: dict[str, str] = {
    "aba_routing": "ABA_ROUTING_NUMBER", "au_abn": "AU_ABN", "au_acn": "AU_ACN", "au_medicare": "AU_MEDICARE",
    "au_tfn": "AU_TFN", "ca_sin": "CA_SIN", "certificate_number": "US_DEA_NUMBER MEDICAL_LICENSE", "credit_card": "CREDIT_CARD",
    "crypto": "CRYPTO", "date": "DATE_TIME", "de_bsnr": "DE_BSNR", "de_fuehrerschein": "DE_DRIVING_LICENCE",
    "de_handelsregister": "DE_HANDELSREGISTER", "de_health_insurance": "DE_HEALTH_INSURANCE", "de_id_card": "DE_ID_CARD DE_PASSPORT",
    "de_kfz": "LICENSE_PLATE", "de_lanr": "DE_LANR", "de_passport": "DE_PASSPORT DE_ID_CARD", "de_plz": "ZIP_CODE",
    "de_social_security": "DE_SOCIAL_SECURITY", "de_tax_id": "DE_TAX_ID", "de_tax_number": "DE_TAX_NUMBER",
    "de_vat_id": "EU_VAT_ID", "email": "EMAIL_ADDRESS", "es_nie": "ES_NIE", "es_nif": "ES_NIF", "es_passport": "ES_PASSPORT",
    "fi_personal_identity_code": "FI_PERSONAL_IDENTITY_CODE", "iban": "IBAN_CODE", "in_aadhaar": "IN_AADHAAR",
    "in_gstin": "IN_GSTIN", "in_pan": "IN_PAN", "in_passport": "IN_PASSPORT", "in_vehicle_registration": "LICENSE_PLATE",
    "in_voter": "IN_VOTER", "ip": "IP_ADDRESS", "it_driver_license": "IT_DRIVER_LICENSE", "it_fiscal_code": "IT_FISCAL_CODE",
    "it_passport": "IT_PASSPORT IT_IDENTITY_CARD", "it_vat_code": "IT_VAT_CODE", "kr_brn": "KR_BRN",
    "kr_driver_license": "KR_DRIVER_LICENSE", "kr_frn": "KR_FRN", "kr_passport": "KR_PASSPORT", "kr_rrn": "KR_RRN",
    "mac": "MAC_ADDRESS", "ng_nin": "NG_NIN", "ng_vehicle_registration": "LICENSE_PLATE", "ph_mobile_number": "PHONE_NUMBER",
    "ph_tin": "PH_TIN", "phone": "PHONE_NUMBER", "pl_pesel": "PL_PESEL", "se_organisationsnummer": "SE_ORGANISATIONSNUMMER",
    "se_personnummer": "SE_PERSONNUMMER", "sg_fin": "SG_NRIC_FIN", "sg_uen": "SG_UEN", "th_tnin": "TH_TNIN",
    "tr_license_plate": "LICENSE_PLATE", "tr_national_id": "TR_NATIONAL_ID", "tr_phone_number": "PHONE_NUMBER",
    "uk_driving_licence": "UK_DRIVING_LICENCE", "uk_nhs": "UK_NHS", "uk_nino": "UK_NINO", "uk_passport": "UK_PASSPORT",
    "uk_postcode": "ZIP_CODE", "uk_vehicle_registration": "LICENSE_PLATE", "url": "URL", "us_driver_license": "US_DRIVER_LICENSE",
    "us_itin": "US_ITIN", "us_mbi": "US_MBI", "us_npi": "US_NPI", "us_passport": "US_PASSPORT", "us_ssn": "US_SSN",
    "za_id_number": "ZA_ID_NUMBER",
}  # fmt: skip


def recognizers(screening: Screening, folder: Path, misses: bool) -> None:
    """Recall and precision per kind: by the kind's own type, and by anything found at all."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in (folder / "recognizer_cases.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        kind, expected = case["recognizer"], max(0, case["expected"])
        if kind not in KINDS:
            continue
        _, spans = screening.scrub_text(case["text"])
        own = sum(s.type in KINDS[kind].split() for s in spans)
        count = counts[kind]
        count["expected"] += expected
        count["found"] += min(own, expected)
        count["covered"] += min(len(spans), expected)
        count["wrong"] += max(0, own - expected)
        count["touched"] += max(0, len(spans) - expected)
        if misses and (own != expected or len(spans) != expected):
            found = [(s.type, case["text"][s.start : s.end], s.score) for s in spans]
            print(
                json.dumps(
                    {"kind": kind, "text": case["text"], "expected": expected, "found": found},
                    ensure_ascii=False,
                )
            )
    total: Counter[str] = Counter()
    for kind, count in sorted(counts.items()):
        total.update(count)
        if not misses:
            print(json.dumps({"bench": "recognizer", "kind": kind, **count}))
    print(
        json.dumps(
            {
                "bench": "recognizers",
                **total,
                "recall_own_type": round(total["found"] / total["expected"], 4),
                "recall_any_type": round(total["covered"] / total["expected"], 4),
                "precision_own_type": round(total["found"] / (total["found"] + total["wrong"]), 4),
                "precision_any_type": round(
                    total["covered"] / (total["covered"] + total["touched"]), 4
                ),
            }
        )
    )


def research(screening: Screening, folder: Path, misses: bool) -> None:
    """Span-masked recall per type, and characters redacted where nothing was annotated."""
    whole: Counter[str] = Counter()
    spans_of: Counter[str] = Counter()
    gone: Counter[str] = Counter()
    over: Counter[str] = Counter()
    for line in (folder / "presidio_research.jsonl").read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        text = case["text"]
        _, spans = screening.scrub_text(text)
        masked = [""] * len(text)
        for span in spans:
            masked[span.start : span.end] = [span.type] * (span.end - span.start)
        for gold in case["spans"]:
            places = [i for i in range(gold["start"], gold["end"]) if text[i].isalnum()]
            hit = sum(bool(masked[i]) for i in places)
            spans_of[gold["type"]] += 1
            whole[gold["type"]] += hit == len(places)
            gone[gold["type"]] += hit > 0
            if (
                misses
                and hit < len(places)
                and gold["type"]
                not in ("GPE", "TITLE", "NRP", "AGE", "ORGANIZATION", "STREET_ADDRESS", "PERSON")
            ):
                print(
                    json.dumps(
                        {
                            "missed": gold["type"],
                            "value": text[gold["start"] : gold["end"]],
                            "text": text[max(0, gold["start"] - 60) : gold["end"] + 30],
                        },
                        ensure_ascii=False,
                    )
                )
            for i in range(gold["start"], gold["end"]):
                masked[i] = ""
        for span in spans:
            extra = sum(bool(masked[i]) for i in range(span.start, span.end))
            over[span.type] += extra
            if misses and extra:
                print(
                    json.dumps(
                        {
                            "over": span.type,
                            "value": text[span.start : span.end],
                            "text": text[max(0, span.start - 60) : span.end + 30],
                        },
                        ensure_ascii=False,
                    )
                )
    for type in sorted(spans_of):
        print(
            json.dumps(
                {
                    "bench": "research",
                    "type": type,
                    "spans": spans_of[type],
                    "masked_whole": round(whole[type] / spans_of[type], 4),
                    "touched": round(gone[type] / spans_of[type], 4),
                }
            )
        )
    print(json.dumps({"bench": "research_over", **dict(over.most_common())}))


def main() -> None:
    """Print every figure."""
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    folder = Path(arguments[0]) if arguments else ROOT.parent / "shared" / "pii" / "dev"
    misses = "--misses" in sys.argv
    name = next((a.partition("=")[2] for a in sys.argv if a.startswith("--policy=")), "default")
    screening = Screening.load(ROOT / "policies", name, bytes(32))
    screening.input_scrubber(Subject())
    recognizers(screening, folder, misses)
    research(screening, folder, misses)


if __name__ == "__main__":
    main()
