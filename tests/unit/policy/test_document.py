# ruff: noqa: E501  (one policy, one line)
"""Policy documents: read strictly, refused with the line, never half understood."""

from pathlib import Path

import pytest

from appliance.policy.compare import Weight, diff
from appliance.policy.decision import Subject, decide
from appliance.policy.document import Action, Content, Direction, Document, Mode, parse
from appliance.policy.yaml_reader import MAX_BYTES, PolicyError

HEAD = "id: house\nversion: 3\n"
RULES = "rules:\n  - entities: [CREDIT_CARD]\n    action: replace\n"
TESTS = "tests:\n  - {name: plain, text: hello, expect: hello}\n"


def read(text: str, **more: object) -> Document:
    return parse(text.encode(), "house.yaml", **more)  # type: ignore[arg-type]


def test_a_small_policy_reads_with_careful_defaults() -> None:
    document = read(HEAD + RULES + TESTS)
    assert (document.mode, document.content) == (Mode.ENFORCE, Content.NONE)
    assert document.rules[0].entities == ("CREDIT_CARD",)
    assert document.rules[0].line == 4


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (HEAD + "color: blue\n" + RULES + TESTS, 3, "not a field"),
        (HEAD + "version: 4\n" + RULES + TESTS, 3, "written twice"),
        (HEAD + RULES, 1, "'tests' is missing"),
        (HEAD + "rules: []\n" + TESTS, 3, "at least one rule"),
        (HEAD + RULES + "tests: []\n", 6, "at least one test case"),
        (HEAD + "mode: audit\n" + RULES + TESTS, 3, "report, enforce"),
        (HEAD + "fail: open\n" + RULES + TESTS, 3, "block"),
        ("id: Big House\nversion: 1\n" + RULES + TESTS, 1, "small letters"),
        ("id: house\nversion: one\n" + RULES + TESTS, 2, "whole number"),
        (HEAD + "rules:\n  - {entities: [NOPE], action: replace}\n" + TESTS, 4, "neither an entity"),
        (HEAD + "rules:\n  - {entities: [], action: replace}\n" + TESTS, 4, "at least one entity"),
        (HEAD + "rules:\n  - {entities: [CVV], action: delete}\n" + TESTS, 4, "not known"),
        (HEAD + "rules:\n  - {entities: [CVV], action: block, min_score: 2}\n" + TESTS, 4, "0 to 1"),
        (HEAD + "rules:\n  - {entities: [CVV], action: block, when: {roles: []}}\n" + TESTS, 4, "leave"),
        (HEAD + "rules:\n  - {entities: [CVV], action: block, when: {direction: up}}\n" + TESTS, 4, "no direction"),
        (HEAD + "allow:\n  - {terms: [a]}\n" + RULES + TESTS, 4, "'reason' is missing"),
        (HEAD + "allow:\n  - {patterns: ['(?=a)b'], reason: r}\n" + RULES + TESTS, 4, "RE2"),
        (HEAD + "allow:\n  - {patterns: ['a**{'], reason: r}\n" + RULES + TESTS, 4, "RE2"),
        (HEAD + "allow:\n  - {patterns: ['(((a{1,999}){1,999}){1,999})'], reason: r}\n" + RULES + TESTS, 4, "RE2"),
        (HEAD + "allow:\n  - {patterns: ['.*'], reason: r}\n" + RULES + TESTS, 4, "matches everything"),
        (HEAD + "allow:\n  - {terms: [a], reason: r, expires: soon}\n" + RULES + TESTS, 4, "date"),
        (HEAD + RULES + "tests:\n  - {name: n, text: t}\n", 7, "blocked: true"),
        (HEAD + RULES + "tests:\n  - {name: n, text: t, expect: t, blocked: true}\n", 7, "either"),
        (HEAD + "jurisdictions: [Germany]\n" + RULES + TESTS, 3, "two letters"),
        (HEAD + "models: []\n" + RULES + TESTS, 3, "at least one model"),
        (HEAD + "limits: {max_tokens: 0}\n" + RULES + TESTS, 3, "whole number"),
        (HEAD + "rules: nothing\n" + TESTS, 3, "a list"),
        ("just text\n", 1, "named fields"),
        ("", 1, "empty"),
        (HEAD + "title: &a hello\n" + RULES + TESTS, 3, "anchors"),
        ("a: &a [x]\nb: [*a, *a]\n", 1, "anchors"),
        (HEAD + "title: !!python/object:os.system x\n" + RULES + TESTS, 3, "tags"),
        (HEAD + RULES + TESTS + "---\nid: b\n", 8, "one policy"),
        (HEAD + "title: [unclosed\n" + RULES, 4, "not YAML"),
        ("a: " + "[" * 40 + "]" * 40, 1, "deeply"),
        ("a: [" + "1," * 30_000 + "]", 1, "too many parts"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(PolicyError) as caught:
        read(text)
    assert str(caught.value).startswith(f"house.yaml:{line}:")
    assert words in str(caught.value)


def test_a_file_of_ten_megabytes_is_refused_unread() -> None:
    with pytest.raises(PolicyError, match=str(MAX_BYTES)):
        parse(b"a" * 10_000_000, "house.yaml")


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PolicyError, match="UTF-8"):
        parse(b"\xff\xfe", "house.yaml")


def test_what_is_extended_comes_first_and_counts_in_the_digest() -> None:
    base = read(HEAD + "jurisdictions: [DE]\ncontent: redacted\n" + RULES + TESTS)
    child = read(
        "id: child\nversion: 1\nextends: house\nrules:\n  - {entities: [CVV], action: block}\n"
        + TESTS,
        parent=lambda name: base,
    )
    assert [rule.entities for rule in child.rules] == [("CREDIT_CARD",), ("CVV",)]
    assert (child.jurisdictions, child.content) == (("DE",), Content.REDACTED)
    other = read(HEAD + "jurisdictions: [AT]\n" + RULES + TESTS)
    same = read(
        "id: child\nversion: 1\nextends: house\nrules:\n  - {entities: [CVV], action: block}\n"
        + TESTS,
        parent=lambda name: other,
    )
    assert same.digest != child.digest


ANYONE = Subject()


def _decide(
    rules: str, who: Subject = ANYONE, direction: Direction = Direction.INPUT
) -> dict[str, Action]:
    decision = decide(read(HEAD + "rules:\n" + rules + TESTS), who, direction)
    return {t.entity: t.action for t in decision.treatments}


def test_the_last_rule_that_applies_decides() -> None:
    rules = "  - {entities: [CVV], action: replace}\n  - {entities: [CVV], action: mask}\n"
    assert _decide(rules) == {"CVV": Action.MASK}


def test_block_wins_whatever_comes_after() -> None:
    rules = "  - {entities: [CVV], action: block}\n  - {entities: [CVV], action: allow}\n"
    assert _decide(rules) == {"CVV": Action.BLOCK}


def test_rules_apply_to_those_they_name() -> None:
    rules = "  - {entities: [CVV], action: replace, when: {direction: output, roles: [clerk], apps: [desk]}}\n"
    clerk = Subject("clerk", "desk")
    assert _decide(rules, clerk, Direction.OUTPUT) == {"CVV": Action.REPLACE}
    assert _decide(rules, clerk, Direction.INPUT) == {}
    assert _decide(rules, Subject("clerk", ""), Direction.OUTPUT) == {}
    assert _decide(rules, Subject("", "desk"), Direction.OUTPUT) == {}


def test_diff_puts_what_is_lost_first() -> None:
    old = read(
        HEAD + "rules:\n  - {entities: [CVV, CREDIT_CARD, US_SSN], action: replace}\n" + TESTS
    )
    new = read(
        HEAD
        + "rules:\n  - {entities: [CREDIT_CARD], action: mask}\n  - {entities: [US_SSN], action: replace}\n"
        "  - {entities: [US_SSN], action: allow, when: {roles: [clerk]}}\n" + TESTS
    )
    changes = diff(old, new)
    lost = {(c.what, c.subject) for c in changes if c.weight is Weight.LOST}
    assert lost == {("CVV", "anyone"), ("CVV", "clerk"), ("US_SSN", "clerk")}
    assert changes[0].weight is Weight.LOST
    assert {c.what for c in changes if c.weight is Weight.WEAKER} == {"CREDIT_CARD"}
    assert diff(old, old) == ()


def test_every_policy_of_the_house_says_what_it_is_for() -> None:
    folder = Path(__file__).parents[3] / "policies"
    names = {p.stem for p in folder.glob("*.yaml")}
    assert names >= {"default", "hipaa-safe-harbor", "gdpr", "pci-dss", "report-only"}
    for path in folder.glob("*.yaml"):
        document = parse(
            path.read_bytes(), path.name, lambda n: parse((folder / f"{n}.yaml").read_bytes(), n)
        )
        assert document.title
