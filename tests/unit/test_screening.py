# ruff: noqa: E501  (texts stay whole)
"""Screening: the default policy as a whole, from its file to scrubbed text, streamed or not."""

import base64
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.errors import ConfigurationError
from appliance.policy.decision import Subject
from appliance.policy.document import Direction
from appliance.policy.entities import ENTITIES
from appliance.redaction.kinds import RULES
from appliance.redaction.scrubber import Blocked, Scrubber
from appliance.redaction.vocabulary import LABELS
from appliance.screening import Screening

POLICIES = Path(__file__).parents[2] / "policies"
KEY = bytes(range(32))
ANY = Subject()


@pytest.fixture(scope="module")
def default() -> Screening:
    return Screening.load(POLICIES, "default", KEY)


@pytest.fixture(scope="module")
def scrubber(default: Screening) -> Scrubber:
    return default.input_scrubber(ANY)


def streamed(scrubber: Scrubber, text: str, sizes: list[int]) -> tuple[str, object]:
    stream = scrubber.stream()
    out, position, turn = [], 0, 0
    while position < len(text):
        size = sizes[turn % len(sizes)]
        out.append(stream.feed(text[position : position + size]))
        position += size
        turn += 1
    out.append(stream.finish())
    return "".join(out), stream.spans


@pytest.mark.parametrize("name", sorted(p.stem for p in POLICIES.glob("*.yaml")))
def test_every_policy_passes_its_own_test_cases(name: str) -> None:
    assert Screening.load(POLICIES, name, KEY).document.tests


def test_the_policy_knows_exactly_what_the_detectors_report() -> None:
    reported = {r.type for r in RULES} | {x.type for x in LABELS.values()} | {"CREDIT_CARD"}
    assert reported == ENTITIES


VALUES = [
    "4111 1111 1111 1111", "4111111111111111", "5500-0000-0000-0004", "371449635398431",
    "GB29 NWBK 6016 1331 9268 19", "DE89370400440532013000", "ana.ruiz+x@example.org",
    "(415) 555-0132", "+49 30 1234567", "+33 1 42 68 53 00", "536-90-4399", "192.168.14.7",
    "2001:db8::8a2e:370:7334", "00:1A:2B:3C:4D:5E", "https://example.org/a?b=c",
    "RSSMRA85T10A562S", "943 476 5919", "AKIAIOSFODNN7EXAMPLE", "756.9217.0769.85",
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("around", ["{}", "It is {}.", "({}), please", "a\n{}\nb", '{{"v": "{}"}}'])
def test_a_value_is_gone_whatever_stands_around_it(
    scrubber: Scrubber, value: str, around: str
) -> None:
    assert value not in scrubber.scrub(around.format(value)).text


@pytest.mark.parametrize(
    "text",
    [
        "４１１１１１１１１１１１１１１１",
        "4111\u200b1111\u200b1111\u200b1111",
        "4111\u00ad1111\u00ad1111\u00ad1111",
        "4111💳1111💳1111💳1111",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "4111-1111\n1111-1111",
        "4111.1111.1111.1111",
        "**4111** **1111** **1111** **1111**",
        "4111<b>1111</b>1111<i>1111",
        "\u202e4111111111111111\u202c",
        "٤١١١١١١١١١١١١١١١",
        "4️⃣111111111111111",
        r"\u0034111111111111111",
        "4111%201111%201111%201111",
    ],
)
def test_a_disguised_card_number_is_found(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text.strip("*\u202e\u202c") == "[CREDIT_CARD]"


@pytest.mark.parametrize(
    "text",
    [
        "ana@exam\u200bple.org",
        "аna@example.org",
        "ana＠example.org",
        r"ana\u0040example.org",
        "ana%40example.org",
        "ana&#64;example.org",
        "ana[at]example[dot]org",
        "ana(at)example.org",
        "ａｎａ@example.org",
    ],
)
def test_a_disguised_address_is_found(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(f"write to {text} now").text == "write to [EMAIL_ADDRESS] now"


@pytest.mark.parametrize(
    "text",
    [
        "BP 120/80 mmHg, pulse 72, temperature 37.2 °C on 2024-05-06",
        "Sodium 138 mmol/l, potassium 4.1, creatinine 88 µmol/l, CRP < 5 mg/l",
        "Metoprolol 47.5 mg 1-0-1, insulin 12 IU at 08:00 and 20:00",
        "The balance is EUR 12,345.67 (previous: 1.234.567,89)",
        "Version 3.11.4 replaces 3.10.12; see RFC 6962 section 2.1.3",
        "In 1998 and 2004, between 10 and 15 of 1200 patients",
        "Room 214, bed 3, floor 2, 15:30 h, ICD-10 I21.4, TNM pT2 N0 M0",
        "Order 66: 10 x 250 ml, 0.9 %, 3.5e-4, 1/2, 3:1, 100%",
        "GPT-4 and Llama 3.1 405B were compared on 8 GPUs with 80 GB each",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20",
    ],
)
def test_ordinary_numbers_are_left_alone(scrubber: Scrubber, text: str) -> None:
    assert scrubber.scrub(text).text == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He lives at 12 Main Street, Apt 4, near us", "He lives at [LOCATION], near us"),
        ("Sie wohnt Hauptstraße 12, 2. OG", "Sie wohnt [LOCATION], 2. OG"),
        ("wohnt 12 rue de la Paix à Paris", "wohnt [LOCATION] à Paris"),
        ("vive en Calle de Alcalá 45, 2º", "vive en [LOCATION], 2º"),
        ("abita in Via Giuseppe Verdi, 12", "abita in [LOCATION]"),
        ("woont Kalverstraat 92 in Amsterdam", "woont [LOCATION] in Amsterdam"),
        ("write to P.O. Box 123 or Postfach 1234", "write to [LOCATION] or [LOCATION]"),
        ("During 2017 Germany won 3 Gold medals", "During 2017 Germany won 3 Gold medals"),
        ("Mein Arbeitsplatz 3 ist frei", "Mein Arbeitsplatz 3 ist frei"),
    ],
)
def test_street_addresses_go_in_the_order_people_write_them(
    scrubber: Scrubber, text: str, expected: str
) -> None:
    assert scrubber.scrub(text).text == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, my name is Dan Tailor and I", "Hello, my name is [PERSON] and I"),
        ("Guten Tag, mein Name ist Jürgen Groß.", "Guten Tag, mein Name ist [PERSON]."),
        ("Bonjour, je m'appelle Anne de la Tour", "Bonjour, je m'appelle [PERSON]"),
        ("Best regards,\nAna Ruiz\nWard 4", "Best regards,\n[PERSON]\nWard 4"),
        ("We saw the patient John Smith again", "We saw the patient [PERSON] again"),
        ("her daughter Mary Jane Fox called", "her daughter [PERSON] called"),
        ("Patient Discharge Summary", "Patient Discharge Summary"),
        ("The name is The Beacon", "The name is The Beacon"),
        ("the answer is Berlin", "the answer is Berlin"),
    ],
)
def test_names_that_a_phrase_announces_go(scrubber: Scrubber, text: str, expected: str) -> None:
    assert scrubber.scrub(text).text == expected


@pytest.mark.parametrize("alphabet", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_hides_nothing(scrubber: Scrubber, alphabet: Callable[[bytes], bytes]) -> None:
    for said, type in (
        ("write to ana@example.org??>", "EMAIL_ADDRESS"),
        ("4111111111111111", "CREDIT_CARD"),
    ):
        run = alphabet(said.encode()).decode()
        assert scrubber.scrub(f"decode {run} please").text == f"decode [{type}] please"


def test_base64_longer_than_a_window_hides_nothing(scrubber: Scrubber) -> None:
    said = "nothing to see here, go on. " * 30 + "ana@example.org" + " and so on" * 60
    run = base64.b64encode(said.encode()).decode()
    out = scrubber.scrub(f"decode {run} please").text
    left = "".join(c for c in out if c.isascii())
    assert base64.b64encode(b"ana@example.org")[3:15].decode() not in left
    assert "[EMAIL_ADDRESS]" in out


def test_digests_and_ordinary_base64_stay(scrubber: Scrubber) -> None:
    text = "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 and aGVsbG8gd29ybGQhIQ=="
    assert scrubber.scrub(text).text == text


PIECES = st.one_of(
    st.text(max_size=12),
    st.sampled_from(VALUES),
    st.sampled_from(
        ["Patient: ", "DOB: ", "3 March 1961", " ", "\n", "\n\n", "  ", ", ", "Dr. ", "Ana Ruiz", "MRN 12",
         "card ", "the ", "password: ", "[EMAIL_ADDRESS]", "x" * 70, "9" * 40, "1 " * 30, "@", "@" * 9, "\u200b", "４",
         "Name", ":", "Frau ", "phone ", "https://", "\\u0040", "%40", "aB" * 40 + ":", "-----BEGIN PRIVATE KEY-----"]
    ),
)  # fmt: skip


@cache
def _shared(policy: str) -> Scrubber:
    """A fixture would be made anew, or complained about, for each example."""
    return Screening.load(POLICIES, policy, KEY).input_scrubber(ANY)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(PIECES, max_size=14),
    st.lists(st.integers(1, 40), min_size=1, max_size=6),
    st.sampled_from(sorted(p.stem for p in POLICIES.glob("*.yaml"))),
)
def test_any_chunking_of_any_text_gives_what_the_whole_gives(
    pieces: list[str], sizes: list[int], policy: str
) -> None:
    scrubber = _shared(policy)
    text = "".join(pieces)
    assert _ending(lambda: streamed(scrubber, text, sizes)) == _ending(
        lambda: streamed(scrubber, text, [len(text) + 1])
    )


def _ending(scrub: Callable[[], object]) -> object:
    """What came out, or what it was blocked for."""
    try:
        return scrub()
    except Blocked as blocked:
        return blocked.types


def test_chunking_does_not_matter_in_long_texts(scrubber: Scrubber) -> None:
    draw = random.Random(7)
    words = ["the", "Patient:", "Dr.", "Ana", "4111", "1111", "x@y.de", "12", "/", "März", "1961", "\n", "\n\n",
             "9" * 700, "a" * 300, "@" * 600, "DE89", "3704", "0044", "A" * 80 + "1"]  # fmt: skip
    for _ in range(60):
        text = " ".join(draw.choices(words, k=60))
        whole = scrubber.scrub(text)
        assert streamed(scrubber, text, [draw.randint(1, 90) for _ in range(5)]) == (
            whole.text,
            whole.spans,
        )


@pytest.mark.parametrize("value", VALUES)
def test_scrubbed_text_scrubs_to_itself(scrubber: Scrubber, value: str) -> None:
    once = scrubber.scrub(f"Patient: Ana Ruiz, phone: {value}, card {value}. Thanks, {value}!").text
    assert scrubber.scrub(once).text == once


def test_prose_is_not_held_back(scrubber: Scrubber) -> None:
    text = (
        "The patient was admitted with chest pain that had begun two days before. She had taken "
        "aspirin at home and was free of pain on arrival. "
    ) * 8
    stream = scrubber.stream()
    held = []
    for position in range(0, len(text), 4):
        stream.feed(text[position : position + 4])
        held.append(stream.held)
    assert sum(held) / len(held) <= 8
    assert sorted(held)[int(len(held) * 0.95)] <= 40


def test_a_value_longer_than_any_window_does_not_come_through(scrubber: Scrubber) -> None:
    url = "https://example.org/" + "secret" * 500
    assert scrubber.scrub(f"see {url} now").text == "see [URL] now"


def test_a_private_key_is_dropped_up_to_its_end(scrubber: Scrubber) -> None:
    body = "\n".join(["QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJz"] * 30)
    text = f"key:\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nthat was it"
    out = scrubber.scrub(text).text
    assert "QUJD" not in out
    assert out.endswith("\nthat was it")


def test_a_number_in_json_stays_json(scrubber: Scrubber) -> None:
    text = '{"card": 4111111111111111, "n": 3}'
    assert scrubber.scrub(text).text == '{"card": "[CREDIT_CARD]", "n": 3}'


def test_spans_are_code_points_of_the_original(default: Screening) -> None:
    text = "日本 ４１１１\u200b１１１１１１１１１１１１ ok 💳 ana@example.org"
    _, spans = default.scrub_text(text)
    assert [text[s.start : s.end] for s in spans] == [
        "４１１１\u200b１１１１１１１１１１１１",
        "ana@example.org",
    ]


def _write(folder: Path, rules: str, tests: str = "", head: str = "") -> None:
    folder.joinpath("house.yaml").write_text(
        f"id: house\nversion: 1\n{head}rules:\n{rules}tests:\n"
        + (tests or '  - {name: plain, text: "nothing here", expect: "nothing here"}\n'),
        encoding="utf-8",
    )


def test_a_failing_test_case_keeps_the_policy_out(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "  - {entities: [IP_ADDRESS], action: replace}\n",
        '  - {name: the wrong hope, text: "mail a@example.org", expect: "mail [EMAIL_ADDRESS]"}\n',
    )
    with pytest.raises(ConfigurationError, match="the wrong hope"):
        Screening.load(tmp_path, "house", KEY)


def test_block_ends_the_text_and_names_types_only(tmp_path: Path) -> None:
    _write(tmp_path, "  - {entities: [CREDIT_CARD], action: block}\n")
    scrubber = Screening.load(tmp_path, "house", KEY).input_scrubber(ANY)
    with pytest.raises(Blocked) as caught:
        scrubber.scrub("card 4111 1111 1111 1111")
    assert caught.value.types == ("CREDIT_CARD",)
    assert "4111" not in str(caught.value)
    stream = scrubber.stream()
    assert stream.feed("card 4111 1111") == "card "
    assert stream.feed(" 1111 1111") == ""
    with pytest.raises(Blocked):
        stream.finish()
    with pytest.raises(ValueError, match="ended"):
        stream.feed("more")


def test_report_mode_finds_and_changes_nothing(tmp_path: Path) -> None:
    _write(tmp_path, "  - {entities: [structured], action: replace}\n", head="mode: report\n")
    screening = Screening.load(tmp_path, "house", KEY)
    scrubbed = screening.input_scrubber(ANY).scrub("card 4111 1111 1111 1111 and a@example.org")
    assert scrubbed.text == "card 4111 1111 1111 1111 and a@example.org"
    assert [f.type for f in scrubbed.findings] == ["CREDIT_CARD", "EMAIL_ADDRESS"]


def test_rules_follow_role_and_direction(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "  - {entities: [EMAIL_ADDRESS], action: replace}\n"
        "  - {entities: [EMAIL_ADDRESS], action: allow, when: {roles: [clerk], direction: [output]}}\n",
    )
    screening = Screening.load(tmp_path, "house", KEY)
    clerk = Subject(role="clerk")
    assert screening.output_scrubber(clerk).scrub("a@example.org").text == "a@example.org"
    assert screening.input_scrubber(clerk).scrub("a@example.org").text == "[EMAIL_ADDRESS]"
    assert screening.output_scrubber(ANY).scrub("a@example.org").text == "[EMAIL_ADDRESS]"
    assert screening.decide(clerk, Direction.OUTPUT).treatments == ()


def test_allowed_terms_stay_and_nothing_else(tmp_path: Path) -> None:
    _write(
        tmp_path,
        "  - {entities: [PHONE_NUMBER, EMAIL_ADDRESS], action: replace}\n",
        head=(
            "allow:\n"
            '  - {terms: ["+49 30 4500"], entities: [PHONE_NUMBER], reason: switchboard}\n'
            '  - {patterns: ["[a-z]+@clinic\\\\.example"], reason: our own desks}\n'
            "  - {terms: [old@example.org], expires: 2020-01-01, reason: until 2020}\n"
        ),
    )
    scrubber = Screening.load(tmp_path, "house", KEY).input_scrubber(ANY)
    text = "call +49 30 4500 or +49 30 45001234, write desk@clinic.example or old@example.org"
    assert scrubber.scrub(text).text == (
        "call +49 30 4500 or [PHONE_NUMBER], write desk@clinic.example or [EMAIL_ADDRESS]"
    )
