# ruff: noqa: E501  (a table reads best with one rule on one line)
"""Accounts, routing codes and payment data. Card numbers have a detector of their own (`cards`)."""

from appliance.redaction import checks
from appliance.redaction.rule import rule

RULES = (
    rule("iban", "IBAN_CODE",
         r"(?i)\b([A-Z]{2}[ .\-]?\d{2}(?:[ .\-]{0,2}[0-9A-Z]){11,30})\b",
         checks.iban, 0.97, "iban bank", trim=checks.iban_length),
    rule("iban_mistyped", "IBAN_CODE", r"\b[A-Z]{2}\d{2}[ ]?(?:[0-9A-Z]{4}[ ]?){2,7}[0-9A-Z]{1,4}\b", None, 0.0, "iban",
         words="transfer, wire, payment, überweisung, virement, transferencia, bonifico, overschrijving", trim=checks.iban_length, alone=0.0, cued=0.7),
    rule("card_mistyped", "CREDIT_CARD", r"\b\d(?:[ \-]?\d){11,18}\b", checks.distinct, 0.0, "card", alone=0.0, cued=0.6),
    rule("swift_bic", "SWIFT_BIC",
         r"\b[A-Z]{4}(?:A[DEFGILMORSTUWZ]|B[ABDEFGHIJLMNORSTWYZ]|C[ADFGHILMNORUVWYZ]|D[EJKMOZ]|E[CEGHRST]|F[IJKMOR]|G[ABDEGHILMNPQRTUWY]|"
         r"H[KMNRTU]|I[DELMNOQRST]|J[EMOP]|K[EGHIMNPRWYZ]|L[ABCIKRSTUVY]|M[ACDEFGHKLMNOPQRSTUVWXYZ]|N[ACEFGILOPRUZ]|OM|P[AEFGHKLMNRSTWY]|QA|"
         r"R[EOSUW]|S[ABCDEGHIJKLMNORSTVXYZ]|T[CDFGHJKLMNORTVWZ]|U[AGSYZ]|V[ACEGINU]|W[FS]|XK|Y[ET]|Z[AMW])[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b",
         None, 0.0, "bic", alone=0.0),
    rule("aba_routing", "ABA_ROUTING_NUMBER", r"\b\d{9}\b|\b\d{4}-\d{4}-\d\b", checks.aba, 0.2,
         "routing", at="US"),
    rule("us_bank_account", "US_BANK_NUMBER", r"\b\d{8,17}\b", checks.distinct, 0.0, "bank",
         at="US", alone=0.0, cued=0.6),
    rule("bank_account", "ACCOUNT_NUMBER", r"\b\d[\d \-]{4,20}\d\b", checks.distinct, 0.0,
         words="account, account number, acct, konto, kontonummer, cuenta, compte, rekening, conto, kto",
         cued=0.65, alone=0.0),
    rule("uk_sort_code", "UK_SORT_CODE", r"\b\d{2}[ \-]?\d{2}[ \-]?\d{2}\b", None, 0.0,
         words="sort code, sort-code, sortcode", at="GB", alone=0.0),
    rule("cvv", "CVV", r"\b\d{3,4}\b", None, 0.0, "cvv", alone=0.0, cued=0.9),
    rule("track_data", "TRACK_DATA", r"%?B\d{12,19}\^[^^\n]{2,26}\^\d{4}\d{3}[^?\n]{0,80}\??|;\d{12,19}=\d{7,40}\??",
         None, 0.98, loose=True, needs="^ ="),
    rule("bitcoin", "CRYPTO", r"\b[13][1-9A-HJ-NP-Za-km-z]{25,34}\b", checks.base58check, 0.97, "crypto"),
    rule("bitcoin_segwit", "CRYPTO", r"(?i)\bbc1[02-9ac-hj-np-z]{11,71}\b", checks.bech32, 0.97, "crypto"),
    rule("ethereum", "CRYPTO", r"\b0x[0-9a-fA-F]{40}\b", None, 0.9, "crypto"),
    rule("lei", "LEI", r"\b[A-Z0-9]{18}\d{2}\b", checks.all_of(checks.stdnum("lei"), lambda v: not v.isdigit()), 0.6, "company"),
)  # fmt: skip
