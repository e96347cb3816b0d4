"""Entries' bytes: canonical, unchanged since they were first written, readable for ever."""

import json
from pathlib import Path
from typing import get_args

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from appliance.audit.clock import Stamp, format_utc, parse_utc
from appliance.audit.entries import (
    MAX_BYTES,
    Actor,
    ActorKind,
    decode_entry,
    encode_entry,
    event_of,
    frame_entry,
    split_bundle,
)
from appliance.audit.events import EVENTS, Event, ExchangeOpened, ModelRefused, Usage
from appliance.errors import Code, ConfigurationError, IntegrityError

GOLDEN = Path(__file__).parents[2] / "vectors" / "audit" / "entries-v1.jsonl"
STAMP = Stamp(1_800_000_000_123_456_000, "ab" * 16, 77)
ACTOR = Actor(kind=ActorKind.USER, id="ada", source="10.0.0.7")


def example(kind: type[Event]) -> Event:
    """An event with every field set to something that is not its default."""
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        options = get_args(field.type) or (field.type,)
        values[field.name] = {
            str: f"<{field.name}>",
            int: 7,
            bool: True,
            Code: Code.INVALID_API_KEY,
            Usage: Usage(prompt_tokens=1, cached_tokens=2, completion_tokens=3),
        }.get(options[0], f"<{field.name}>")
        if field.type == dict[str, int]:
            values[field.name] = {"EMAIL": 2, "CARD": 1}
        elif field.type == tuple[str, ...]:
            values[field.name] = ("one", "two")
    return msgspec.convert(values, kind)


def test_every_event_type_is_written_as_it_always_was() -> None:
    lines = GOLDEN.read_bytes().splitlines()
    golden = {json.loads(line)["action"]: line for line in lines}
    assert list(golden) == sorted(EVENTS), "a new event type: add its line to the golden file"
    for seq, (action, line) in enumerate(golden.items()):
        event = example(EVENTS[action])
        assert encode_entry(event, ACTOR, seq, STAMP) == line
        entry = decode_entry(line)
        assert event_of(entry) == event
        assert (entry.stamp, entry.actor, entry.seq) == (STAMP, ACTOR, seq)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


@given(text=_TEXT, counts=st.dictionaries(st.text("AZ_09", max_size=9), st.integers(0, 2**53 - 1)))
def test_an_entry_is_rfc_8785_canonical_json(text: str, counts: dict[str, int]) -> None:
    event = ExchangeOpened(exchange=text, kind=text, route=text, model=text, redactions=counts)
    data = encode_entry(event, Actor(kind=ActorKind.KEY, id=text), 3, STAMP)
    assert rfc8785.dumps(json.loads(data)) == data
    assert event_of(decode_entry(data)) == event


def test_an_entry_of_a_later_version_can_be_read_as_far_as_it_is_known() -> None:
    data = encode_entry(example(EVENTS["key.created"]), ACTOR, 0, STAMP)
    newer = json.loads(data)
    newer["member"] = 1
    newer["details"]["field"] = 2
    entry = decode_entry(json.dumps(newer).encode())
    assert event_of(entry) == example(EVENTS["key.created"])
    newer["action"] = "something.new"
    assert event_of(decode_entry(json.dumps(newer).encode())) is None


@pytest.mark.parametrize(
    ("member", "value"),
    [("v", 2), ("time", "yesterday"), ("mono", "x"), ("seq", "1"), ("boot", None), ("actor", {})],
)
def test_an_entry_that_is_not_the_houses_is_refused(member: str, value: object) -> None:
    broken = json.loads(encode_entry(example(EVENTS["key.created"]), ACTOR, 0, STAMP))
    broken[member] = value
    with pytest.raises(IntegrityError):
        decode_entry(json.dumps(broken).encode())


def test_an_entry_fills_a_bundles_length_and_not_a_byte_more() -> None:
    empty = len(encode_entry(ModelRefused(model="m", gate=""), ACTOR, 0, STAMP))
    exact = ModelRefused(model="m", gate="x" * (MAX_BYTES - empty))
    data = encode_entry(exact, ACTOR, 0, STAMP)
    assert len(data) == MAX_BYTES
    assert list(split_bundle(frame_entry(data) * 2)) == [data, data]
    with pytest.raises(ConfigurationError, match="digest"):
        encode_entry(ModelRefused(model="mm", gate=exact.gate), ACTOR, 0, STAMP)


@given(st.lists(st.binary(max_size=50), max_size=5), st.integers(1, 52))
def test_a_bundle_splits_into_its_entries_and_a_cut_one_is_refused(
    entries: list[bytes], cut: int
) -> None:
    bundle = b"".join(map(frame_entry, entries))
    assert list(split_bundle(bundle)) == entries
    boundaries = {len(b"".join(map(frame_entry, entries[:n]))) for n in range(len(entries) + 1)}
    if len(bundle) - cut > 0 and len(bundle) - cut not in boundaries:
        with pytest.raises(IntegrityError):
            list(split_bundle(bundle[:-cut]))


@given(st.integers(0, 253_402_300_799_000_000))
def test_times_read_back_to_the_microsecond_and_sort_as_text(microseconds: int) -> None:
    text = format_utc(microseconds * 1000)
    assert parse_utc(text) == microseconds * 1000
    assert format_utc(microseconds * 1000 + 999) == text


@pytest.mark.parametrize("text", ["2026-11-21T07:30:00Z", "2026-11-21T07:30:00.123456+01:00", ""])
def test_a_time_in_another_spelling_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_utc(text)
