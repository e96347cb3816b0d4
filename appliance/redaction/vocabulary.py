# ruff: noqa: E501  (lists of words)
"""The words that explain a value: cues, field labels, titles and months, in several languages.

Everything here is compared with the lower-cased detection copy (`fold`), so accents do not matter
and entries are folded when the module is loaded. Languages: English, German, French, Spanish,
Italian, Dutch throughout; others where a national identifier asks for them.

- `CUES`: group → words and phrases near which a number of that group is believed.
- `LABELS`: phrase → `Label`; what follows `phrase:` is taken whatever its form.
- `LABEL_ENDS`, `OPENERS`, `JOINERS`: single words for the segmentation of a text into blocks.
"""

from typing import NamedTuple

from appliance.redaction.fold import fold


def plain(phrase: str) -> tuple[str, ...]:
    """A phrase as it stands in a lower-cased detection copy.

    Two forms where capitals look like other letters than small ones do (Н like H, н like nothing).
    """
    forms = (fold(phrase).text.lower(), fold(phrase.upper()).text.lower())
    return forms[:1] if phrase.isascii() else tuple(dict.fromkeys(forms))


def _words(text: str) -> tuple[str, ...]:
    phrases = (phrase.strip() for phrase in text.split(","))
    return tuple(form for phrase in phrases if phrase for form in plain(phrase))


CUES: dict[str, tuple[str, ...]] = {
    group: _words(text)
    for group, text in {
        "card": "card, credit, debit, cc, visa, mastercard, amex, american express, discover, "
        "diners, maestro, pan, kreditkarte, kartennummer, karte, kartennr, carte, tarjeta, carta, "
        "creditcard, kaart, kaartnummer, cartao, karta, kort",
        "cvv": "cvv, cvv2, cvc, cvc2, cid, card verification, security code, prufziffer, "
        "prüfnummer, kartenprüfnummer, cryptogramme, codigo de seguridad, codice di sicurezza",
        "bank": "account, acct, a/c, bank, konto, kontonummer, kontonr, compte, cuenta, conto, "
        "rekening, rekeningnummer, checking, savings, ccc, conta, konto nr, account number",
        "routing": "routing, aba, rtn, transit, bankleitzahl, blz, sort code, sortcode, bsb",
        "bic": "bic, swift, swift-bic, bic/swift",
        "iban": "iban",
        "phone": "phone, telephone, tel, telefon, telefonnummer, telephon, téléphone, teléfono, "
        "telefono, telefoon, tlf, tfno, mobile, cell, cellphone, handy, mobil, mobilnummer, "
        "portable, móvil, celular, cellulare, mobiel, gsm, fax, telefax, call, calling, called, "
        "ring, reach, text, sms, whatsapp, contact number, rufnummer, anrufen, appeler, "
        "llamar, chiamare, bellen, durchwahl, messages to, answering at, number is, hotline, "
        "phone number, pager, beeper, numaram, cep, numara, desk, call me, receiving messages",
        "birth": "born, birth, dob, d.o.b, birthdate, birthday, geboren, geburtsdatum, geb, "
        "geburtstag, né le, née le, naissance, ddn, nacimiento, nacido, nacida, fn, "
        "nascita, nato, nata, geboortedatum, geb.datum, geboren op, nascimento, f. nac, fecha nac",
        "passport": "passport, reisepass, pass-nr, passnr, passnummer, pass nr, passeport, "
        "pasaporte, passaporto, paspoort, paspoortnummer, passaporte, paszport, pass no, 여권, pasaport",
        "licence": "license, licence, driver, drivers, driving, dl, führerschein, permis, "
        "permis de conduire, permiso de conducir, carnet de conducir, patente, rijbewijs, fahrerlaubnis",
        "id": "id card, identity, identity card, personalausweis, ausweis, ausweisnummer, "
        "ausweis-nr, carte d'identité, cni, documento, dni, carta d'identità, identiteitskaart, "
        "national id, national identity, identification number, personal number, id number, "
        "identification, id no, id-nummer, person number, personal code, citizen, ssn, id code, id",
        "ssn": "ssn, social security, social insurance, soc sec, social sec, ssa, socialsecurity",
        "tax": "tax, tin, taxpayer, tax id, taxid, steuer, steuer-id, steuer-idnr, idnr, "
        "steueridentifikationsnummer, steuer-identifikationsnummer, steuernummer, st-nr, stnr, "
        "fiscal, fiscale, numéro fiscal, spi, nif, cif, codice fiscale, partita iva, p.iva, piva, "
        "vat, vat no, ust-idnr, ust-id, umsatzsteuer, tva, iva, btw, itin, ein, fein, utr, belasting, "
        "gst, gstin, abn, vergi, cuit, rut, rfc, cnpj, nip, regon, oib, inn, инн",
        "health": "health, medicare, medicaid, insurance, member, nhs, krankenversicherung, "
        "versichertennummer, krankenkasse, egk, kvnr, versichertennr, versicherten-nr, "
        "versicherungsnummer, sécurité sociale, securite sociale, nir, carte vitale, "
        "seguridad social, nass, nuss, naf, cipa, tsi, cip, tessera sanitaria, bsn, "
        "zorgverzekering, mutuelle, healthcard, mbi, hicn, svnr, sv-nr, ahv, avs",
        "provider": "npi, provider, prescriber, dea, lanr, arztnummer, bsnr, betriebsstättennummer, "
        "rpps, adeli, colegiado, ncol, gmc, physician, betriebsstätte, certificate number, dea number",
        "plate": "plate, number plate, registration, reg, vehicle, vehicles, license plate, licence plate, kennzeichen, "
        "kfz, kfz-kennzeichen, immatriculation, plaque, matrícula, targa, kenteken, plaka, plakası, vrm",
        "postcode": "zip, postcode, postal code, post code, plz, postleitzahl, code postal, "
        "código postal, cp, cap, zip code, zipcode, pincode",
        "device": "imei, meid, serial, serial number, device, seriennummer, s/n, sn, udi, esn, iccid, imsi",
        "voter": "voter, vote, epic, election, elector, electoral",
        "company": "register, handelsregister, company number, registration number, siren, siret, "
        "orgnummer, organisationsnummer, organization number, brn, uen, acn, crn, kvk, chamber of commerce",
        "crypto": "bitcoin, btc, wallet, crypto, ethereum, eth",
        "secret": "password, passwd, pwd, passwort, kennwort, mot de passe, contraseña, wachtwoord, "
        "api key, apikey, api_key, secret, token, access key, private key, bearer, credential, pin",
    }.items()
}


class Label(NamedTuple):
    """What a field with this label holds."""

    type: str
    shape: str
    """`id`, `name`, `address`, `date`, `phone`, `secret`, `place`, `age`: how far its value reaches."""


_SHAPES = {
    "id": 3,
    "name": 6,
    "address": 14,
    "date": 5,
    "phone": 5,
    "secret": 2,
    "place": 5,
    "age": 2,
}

_LABELS: dict[tuple[str, str], str] = {
    ("MEDICAL_RECORD_NUMBER", "id"): "mrn, mr#, mr no, medical record, medical record number, medical record no, "
    "medical rec no, record number, chart number, chart no, hospital number, hospital no, hosp no, unit number, "
    "patient id, patient-id, patientid, patient no, patient number, patient identifier, pat id, pid, "
    "patientennummer, patienten-nr, patientennr, patienten-id, fallnummer, fall-nr, fallnr, fall-nummer, "
    "aufnahmenummer, aufnahme-nr, krankenblattnummer, aktenzeichen, aktennummer, akten-nr, "
    "nhc, nº historia, historia clinica, número de historia, numero de historia clinica, cipa, nº de historia, "
    "episodio, ipp, numéro de dossier, numero de dossier, n° dossier, dossier, nda, numéro patient, "
    "cartella clinica, numero cartella, cartella, nosologico, id paziente, codice paziente, "
    "patiëntnummer, patientnummer, patnr, dossiernummer, zisnummer, encounter, encounter id, "
    "visit number, accession, accession number, accession no, specimen, specimen id, sample id, csn, fin, case number, case no, case id, "
    "admission number, admission no, mrn number, hospital id, medical id",
    ("HEALTH_INSURANCE_NUMBER", "id"): "nass, nuss, naf, member id, member number, subscriber id, "
    "policy number, policy no, insurance number, insurance id, insurance no, versichertennummer, versicherten-nr, "
    "versichertennr, krankenversicherungsnummer, kvnr, egk-nummer, nir, numéro de sécurité sociale, "
    "n° sécurité sociale, numero de seguridad social, nº seguridad social, tessera sanitaria, polisnummer, "
    "polizzennummer, verzekeringsnummer, medicare number, medicare no, medicaid id, health card, "
    "group number, beneficiary number, beneficiary id, hicn, mbi, nhs number, nhs no, policennummer, polizza, "
    "health plan number, health insurance number, insurance policy number, plan number, sv-nummer, svnr",
    ("ACCOUNT_NUMBER", "id"): "account, acct, account number, account no, acct no, acct number, acct #, a/c, a/c no, "
    "konto, kontonummer, konto-nr, kontonr, kontonr., compte, numéro de compte, n° de compte, cuenta, "
    "número de cuenta, nº de cuenta, nº cuenta, conto, conto corrente, numero conto, c/c, "
    "rekening, rekeningnummer, rekeningnr, customer number, customer id, customer no, client number, client id, "
    "client no, kundennummer, kunden-nr, kundennr, numéro client, número de cliente, "
    "codice cliente, klantnummer, contract number, contract no, vertragsnummer, loan number, loan no, "
    "depot, depotnummer, sparkonto, bank account, bank account number, savings account, checking account, account id, "
    "iban/account, member account",
    ("IBAN_CODE", "id"): "iban",
    ("SWIFT_BIC", "id"): "bic, swift, swift code, swift/bic, bic/swift, swift-bic, bic code, bic-code",
    ("CREDIT_CARD", "id"): "card number, card no, credit card number, kreditkartennummer, kartennummer, "
    "numéro de carte, número de tarjeta, numero di carta, numero carta, creditcardnummer, kaartnummer, credit card no, debit card number",
    ("CVV", "id"): "cvv, cvv2, cvc, cvc2, card verification code, card verification value, kartenprüfnummer, cid code",
    ("US_SSN", "id"): "ssn, social security number, social security no, social security, soc sec no, social security #",
    ("TAX_ID", "id"): "tax id, tax number, tax no, tin, taxpayer id, steuer-id, steuernummer, steuer-nr, "
    "steuer-idnr, steueridentifikationsnummer, idnr, numéro fiscal, nif, cif, codice fiscale, partita iva, "
    "p.iva, btw-nummer, ust-idnr, ust-id, vat number, vat no, ein, itin, tva, cod. fiscale, c.f",
    ("NATIONAL_ID", "id"): "national id, national id number, identity number, identity card, id number, id card number, "
    "personalausweisnummer, personalausweis, ausweisnummer, ausweis-nr, carte d'identité, dni, nie, "
    "dni/nif, nif/nie, carta d'identità, identiteitskaart, bsn, burgerservicenummer, personnummer, cpr, "
    "cpr-nummer, pesel, nino, national insurance number, national insurance, ni number, rodné číslo, cnp, egn, "
    "jmbg, oib, emšo, asmens kodas, isikukood, hetu, henkilötunnus, curp, cpf, aadhaar, documento",
    ("PASSPORT", "id"): "passport, passport number, passport no, reisepass, reisepassnummer, pass-nr, passnummer, "
    "passeport, n° passeport, numéro de passeport, pasaporte, nº pasaporte, passaporto, paspoort, paspoortnummer",
    ("DRIVER_LICENSE", "id"): "driver's license, drivers license, driver license, driver's licence, driving licence, "
    "driving license, dl, dl no, dl number, license number, licence number, führerschein, führerscheinnummer, "
    "führerschein-nr, permis de conduire, permiso de conducir, patente di guida, patente, rijbewijs, rijbewijsnummer",
    ("PROVIDER_ID", "id"): "npi, dea, dea number, dea no, license no, lanr, bsnr, nºcol, nº col, ncol, n.º col, "
    "nº colegiado, colegiado, rpps, adeli, agb-code, big-nummer, gmc, gmc number, arztnummer",
    ("DEVICE_ID", "id"): "imei, meid, serial number, serial no, serial, s/n, device id, device serial, udi, "
    "seriennummer, gerätenummer, numéro de série, número de serie, numero di serie, serienummer, lot number, "
    "device identifier, iccid, imsi, implant serial",
    ("LICENSE_PLATE", "id"): "license plate, licence plate, number plate, plate, plate number, vehicle registration, "
    "kennzeichen, kfz-kennzeichen, immatriculation, plaque, matrícula, targa, kenteken, vin",
    ("PHONE_NUMBER", "phone"): "phone, phone number, phone no, telephone, telephone number, tel, tel no, telefon, "
    "telefonnummer, telefon-nr, téléphone, tél, teléfono, tfno, tlf, telefono, telefoon, telefoonnummer, "
    "mobile, mobile number, mobile phone, cell, cell phone, handy, mobil, mobilnummer, portable, móvil, celular, cellulare, "
    "mobiel, gsm, fax, fax number, telefax, pager, home phone, work phone, contact number, rückruf, home, work, desk, "
    "direct, office, ph, whatsapp, hotline, emergency contact number, callback number, fax no",
    ("EMAIL_ADDRESS", "id"): "email, e-mail, mail, email address, e-mail address, e-mail-adresse, "
    "courriel, correo, correo electrónico, posta elettronica, adresse e-mail",
    ("USERNAME", "id"): "username, user name, user id, userid, login, login name, benutzername, nutzername, "
    "identifiant, usuario, nombre de usuario, nome utente, gebruikersnaam",
    ("PASSWORD", "secret"): "password, passwd, pwd, passwort, kennwort, mot de passe, contraseña, wachtwoord, "
    "passphrase, api key, api-key, api_key, apikey, secret, secret key, secret_key, access key, access token, "
    "auth token, token, client secret, client_secret, private key, pin, pin code, pin-code, parola d'ordine, otp",
    ("DATE_OF_BIRTH", "date"): "dob, d.o.b, date of birth, birth date, birthdate, born, birthday, geburtsdatum, geb.-datum, "
    "geburtstag, geb, geboren, geboren am, geb. am, date de naissance, né le, née le, ddn, fecha de nacimiento, "
    "f. nacimiento, fecha nac, fecha de nac, f. nac, nacido el, nacida el, nacido, data di nascita, nato il, nata il, nato, "
    "geboortedatum, geb.datum, geboren op, patient dob, data de nascimento",
    ("PERSON", "name"): "name, patient name, patient, full name, first name, last name, surname, given name, "
    "forename, family name, middle name, maiden name, customer name, client name, account holder, cardholder, "
    "card holder, cardholder name, name on card, name of patient, next of kin, emergency contact, "
    "attending, attending physician, physician, doctor, surgeon, provider name, referring physician, "
    "primary care physician, pcp, nurse, signed by, signed, dictated by, electronically signed by, "
    "reported by, ordered by, prepared by, reviewed by, beneficiary, sender, recipient, payee, consultant, seen by, gp, "
    "author, guardian, mother, father, spouse, husband, wife, contact person, insured, policyholder, "
    "nachname, vorname, familienname, vor- und nachname, patientin, patientenname, name des patienten, "
    "arzt, ärztin, hausarzt, behandelnder arzt, kontoinhaber, karteninhaber, ansprechpartner, unterzeichner, "
    "nom, prénom, nom de famille, nom du patient, patiente, médecin, médecin traitant, titulaire, "
    "nombre, apellidos, apellido, nombre y apellidos, nombre del paciente, paciente, médico, médica, "
    "titular, remitido por, firmado, firmado por, responsable clinico, facultativo, "
    "nome, cognome, nome e cognome, paziente, nome del paziente, medico, medico curante, intestatario, "
    "naam, voornaam, achternaam, patiënt, naam patiënt, arts, huisarts, behandelend arts, rekeninghouder",
    ("LOCATION", "address"): "address, home address, street address, street, mailing address, residence, billing address, "
    "shipping address, adresse, anschrift, wohnhaft, wohnort, straße, strasse, domicile, demeurant, domicilio, "
    "dirección, direccion, calle, indirizzo, residenza, residente, adres, woonadres, woonplaats, lives at, resides at, "
    "patient address",
    ("LOCATION", "place"): "city, town, stadt, ort, ville, ciudad, localidad, localidad/ provincia, provincia, "
    "città, comune, plaats, municipio, birthplace, place of birth, geburtsort, lieu de naissance, "
    "lugar de nacimiento, luogo di nascita, geboorteplaats",
    ("ZIP_CODE", "id"): "zip, zip code, postcode, postal code, plz, postleitzahl, code postal, cp, código postal, cap",
}  # fmt: skip

LABELS: dict[str, Label] = {
    phrase: Label(kind, shape) for (kind, shape), text in _LABELS.items() for phrase in _words(text)
}


_GROUP_OF = {
    "ACCOUNT_NUMBER": "bank", "IBAN_CODE": "iban", "SWIFT_BIC": "bic", "CREDIT_CARD": "card", "CVV": "cvv",
    "US_SSN": "ssn", "TAX_ID": "tax", "NATIONAL_ID": "id", "PASSPORT": "passport", "DRIVER_LICENSE": "licence",
    "PROVIDER_ID": "provider", "DEVICE_ID": "device", "LICENSE_PLATE": "plate", "PHONE_NUMBER": "phone",
    "DATE_OF_BIRTH": "birth", "HEALTH_INSURANCE_NUMBER": "health",
}  # fmt: skip
for _phrase, _label in LABELS.items():
    if _label.type in _GROUP_OF:
        _group = _GROUP_OF[_label.type]
        if _phrase not in CUES[_group]:
            CUES[_group] = (*CUES[_group], _phrase)


def _last_word(phrase: str) -> str:
    letters = "".join(c if c.isalpha() else " " for c in phrase).split()
    return letters[-1] if letters else ""


LABEL_ENDS: dict[str, int] = {}
"""Last word of a label → how many cold words its value may take."""
for _phrase, _label in LABELS.items():
    _end = _last_word(_phrase)
    if _end:
        LABEL_ENDS[_end] = max(LABEL_ENDS.get(_end, 0), _SHAPES[_label.shape])
LABEL_ENDS.setdefault("is", 3)


def _single_words() -> frozenset[str]:
    phrases = [phrase for words in CUES.values() for phrase in words] + list(LABELS)
    letters = "".join(c if c.isalpha() else " " for c in " ".join(phrases))
    return frozenset(word for word in letters.split() if len(word) > 2)


EXPLAINERS: frozenset[str] = _single_words()
"""Every word of three letters or more that is part of a cue or a label."""

TITLES: frozenset[str] = frozenset(
    _words(
        "mr, mrs, ms, miss, dr, prof, professor, sir, madam, mx, rev, nurse, herr, herrn, frau, dipl, pd, priv, "
        "m, mme, mlle, monsieur, madame, mademoiselle, pr, docteur, "
        "sr, sra, srta, don, doña, señor, señora, dra, doctor, "
        "sig, sigra, signor, signora, signorina, dott, dottssa, dottor, dottoressa, "
        "dhr, mevr, mevrouw, meneer, mw, drs"
    )
)

MONTHS: dict[str, int] = {
    word: number
    for number, text in enumerate(
        (
            "january, jan, januar, jänner, janvier, janv, enero, ene, gennaio, gen, januari",
            "february, feb, februar, février, févr, fév, febrero, febbraio, februari",
            "march, mar, märz, mär, mrz, mars, marzo, maart, mrt",
            "april, apr, avril, avr, abril, abr, aprile",
            "may, mai, mayo, maggio, mag, mei",
            "june, jun, juni, juin, junio, giugno, giu",
            "july, jul, juli, juillet, juil, julio, luglio, lug",
            "august, aug, août, agosto, ago, augustus",
            "september, sep, sept, septembre, septiembre, setiembre, settembre, set",
            "october, oct, oktober, okt, octobre, octubre, ottobre, ott",
            "november, nov, novembre, noviembre",
            "december, dec, dezember, dez, décembre, déc, diciembre, dic, dicembre",
        ),
        start=1,
    )
    for word in _words(text)
}

OPENERS: dict[str, int] = {
    **dict.fromkeys(MONTHS, 0),
    **dict.fromkeys(TITLES, 3),
    **dict.fromkeys(("ssn", "mrn", "dob", "acct", "nhc", "nhs", "iban", "bic"), 0),
    **dict.fromkeys(
        (
            "rue",
            "calle",
            "avenida",
            "avda",
            "plaza",
            "paseo",
            "carrer",
            "ronda",
            "via",
            "viale",
            "corso",
            "piazza",
            "largo",
            "vicolo",
            "rua",
            "praca",
            "postfach",
            "postbus",
            "apartado",
        ),
        5,
    ),
    "begin": 4,
}
"""A word that opens a block or keeps one open → how many cold words it takes along."""

NAME_CUES: frozenset[str] = frozenset(
    _words(
        "is, name, ist, est, es, appelle, llamo, chiamo, heet, heisse, heiße, called, named, "
        "regards, sincerely, yours, truly, faithfully, grüßen, gruß, grüße, gruss, cordialement, salutations, "
        "saludos, atentamente, saluti, groeten, groet, signed, by, unterzeichnet, firmado, "
        "patient, patientin, patienten, paciente, paziente, customer, client, kunde, kundin, cliente, klant, "
        "husband, wife, son, daughter, mother, father, brother, sister, colleague, friend, nurse, surgeon, "
        "physician, consultant, ehemann, ehefrau, sohn, tochter, mutter, vater, bruder, schwester, "
        "mari, femme, fils, fille, frère, sœur, marido, esposa, hijo, hija, madre, padre, hermano, hermana, "
        "moglie, marito, figlio, figlia, fratello, sorella, zoon, dochter, moeder, vader, broer, zus"
    )
)
"""Words behind which a capitalised word may be a person's name."""

STREET_ENDS = (
    "strasse", "straße", "str", "gasse", "allee", "damm", "chaussee", "platz", "weg", "ufer",
    "straat", "laan", "plein", "gracht", "kade", "dreef", "singel", "gatan", "vagen", "vägen",
    "gade", "vej", "vegen", "veien",
)  # fmt: skip
"""A capitalised word that ends so can be a street, and its number follows."""

JOINERS: frozenset[str] = frozenset(
    ("de", "del", "of", "ext", "extn", "poste", "et", "und", "and", "the", "st", "nd", "rd", "th",
     "year", "years", "yr", "yrs", "yo", "jahre", "jahren", "ans", "anos", "anni", "jaar", "old",
     "box", "rue", "avenue", "boulevard", "place", "chemin", "quai", "la", "las", "los", "des", "du",
     "di", "le", "am", "den", "il", "el", "op", "is")
)  # fmt: skip
"""Words that can stand inside a value or between a label and its value."""
