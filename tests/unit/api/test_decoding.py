import json

import pytest

from appliance.api.decoding import decode
from appliance.api.openai import chat, completions
from appliance.errors import Code, RefusalError
from appliance.generation.prompt import Text, Tokens

BODY = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}


def refusal(body: bytes) -> tuple[Code, str | None, str]:
    with pytest.raises(RefusalError) as refused:
        decode(body, chat.decoder).generation()
    found = refused.value.refusal
    return found.code, found.param, found.message


def changed(**fields: object) -> bytes:
    return json.dumps({**BODY, **fields}).encode()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"model": "de\xff"}', b"[" * 100_000])
def test_what_is_not_json_is_refused_with_a_sentence(body: bytes) -> None:
    code, _, message = refusal(body)
    assert code is Code.INVALID_REQUEST
    assert message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"temperature": "hot"}, "temperature"),
        ({"temperature": 3}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({"stop": ""}, "stop"),
        ({"stop": ["x"] * 17}, "stop"),
        ({"logit_bias": {"word": 1}}, "logit_bias"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(
    fields: dict[str, object], param: str
) -> None:
    code, found, _ = refusal(changed(**fields))
    assert (code, found) == (Code.INVALID_REQUEST, param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"store": True}, "store"),
        ({"no_such_field": 1}, "no_such_field"),
        ({"messages": [{"role": "user", "content": "x", "colour": 1}]}, "messages[0].colour"),
    ],
)
def test_a_field_that_is_not_honoured_is_refused_by_name(
    fields: dict[str, object], param: str
) -> None:
    code, found, message = refusal(changed(**fields))
    assert (code, found) == (Code.UNSUPPORTED_FIELD, param)
    assert param in message


def test_values_that_say_nothing_special_pass() -> None:
    body = changed(n=1, logprobs=False, tools=[], store=False, metadata={}, stream_options=None)
    assert decode(body, chat.decoder).generation().max_tokens is None


def test_no_refusal_repeats_a_value() -> None:
    secret = "4111111111111111"
    for fields in (
        {"temperature": secret},
        {"messages": [{"role": secret, "content": "x"}]},
        {"response_format": {"type": secret}},
    ):
        assert secret not in refusal(changed(**fields))[2]


def test_an_assistants_turn_that_said_nothing_is_taken_back() -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]
    decode(changed(messages=turns), chat.decoder).generation()
    code, param, _ = refusal(changed(messages=[{"role": "user", "content": None}]))
    assert (code, param) == (Code.INVALID_REQUEST, "messages[0].content")


def test_content_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    request = decode(changed(messages=[{"role": "user", "content": parts}]), chat.decoder)
    assert request.messages[0].joined() == "ab"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("x", Text(text="x")),
        (["x"], Text(text="x")),
        ([1, 2], Tokens(tokens=(1, 2))),
        ([[1, 2]], Tokens(tokens=(1, 2))),
    ],
)
def test_completions_take_text_and_token_ids(prompt: object, expected: object) -> None:
    body = json.dumps({"model": "demo", "prompt": prompt}).encode()
    assert decode(body, completions.decoder).generation().prompt == expected


@pytest.mark.parametrize("prompt", [[], ["a", "b"], [1, "a"], [[1], [2]], [[]], [-1], 5, None])
def test_completions_refuse_other_prompts(prompt: object) -> None:
    body = json.dumps({"model": "demo", "prompt": prompt}).encode()
    with pytest.raises(RefusalError) as refused:
        decode(body, completions.decoder).generation()
    assert (refused.value.refusal.param or "").startswith("prompt")
