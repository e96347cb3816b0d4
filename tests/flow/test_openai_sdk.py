"""The official SDK, with `base_url` and key changed and nothing else."""

import asyncio

import openai
import pytest

from tests.support.box import Box

QUESTION = [{"role": "user", "content": "Triage this note: patient fell, hip pain, cannot walk."}]


@pytest.fixture
def client(box: Box) -> openai.OpenAI:
    return openai.OpenAI(base_url=box.base_url, api_key=box.api_key, max_retries=0)


def test_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="demo", messages=QUESTION, temperature=0)
    choice = answer.choices[0]
    assert choice.message.role == "assistant"
    assert choice.message.content
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_streaming_chat_gives_the_same_text_and_the_counts(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="demo", messages=QUESTION, temperature=0)
    stream = client.chat.completions.create(
        model="demo",
        messages=QUESTION,
        temperature=0,
        stream=True,
        stream_options={"include_usage": True},
    )
    text, reasons, usage = "", [], None
    for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            if choice.finish_reason:
                reasons.append(choice.finish_reason)
        usage = chunk.usage or usage
    assert text == whole.choices[0].message.content
    assert reasons == ["stop"]
    assert usage == whole.usage or (
        usage is not None
        and whole.usage is not None
        and usage.total_tokens == whole.usage.total_tokens
    )


def test_completions_with_text(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="demo", prompt="The patient", max_tokens=8)
    assert answer.usage is not None
    assert answer.usage.completion_tokens <= 8
    assert answer.choices[0].finish_reason in {"stop", "length"}


def test_completions_with_token_ids_stream(client: openai.OpenAI) -> None:
    ids = [300, 301, 302]
    whole = client.completions.create(model="demo", prompt=ids, max_tokens=8, temperature=0)
    stream = client.completions.create(
        model="demo", prompt=ids, max_tokens=8, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text
    assert whole.usage is not None
    assert whole.usage.prompt_tokens == 3


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["demo"]
    assert client.models.retrieve("demo").owned_by == "cloister"


def test_the_asynchronous_client(box: Box) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=box.base_url, api_key=box.api_key) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(model="demo", messages=QUESTION, temperature=0)
                    for _ in range(4)
                )
            )
        return [answer.choices[0].message.content or "" for answer in answers]

    answers = asyncio.run(ask())
    assert len(set(answers)) == 1
    assert answers[0]


def test_stop_strings_end_the_answer_and_are_not_in_it(client: openai.OpenAI) -> None:
    whole = client.completions.create(
        model="demo", prompt="The patient", max_tokens=24, temperature=0
    )
    text = whole.choices[0].text
    stop = text[len(text) // 2 :][:3]
    cut = client.completions.create(
        model="demo", prompt="The patient", max_tokens=24, temperature=0, stop=[stop]
    )
    assert cut.choices[0].text == text[: text.index(stop)]
    assert cut.choices[0].finish_reason == "stop"


def test_a_seed_repeats_a_sampled_answer(client: openai.OpenAI) -> None:
    def sampled(seed: int) -> str:
        answer = client.completions.create(
            model="demo", prompt="The patient", max_tokens=24, temperature=1.5, seed=seed
        )
        return answer.choices[0].text

    assert sampled(1) == sampled(1)
    assert len({sampled(seed) for seed in range(2, 8)}) > 1


def test_a_wrong_key_raises_the_sdks_own_error(box: Box) -> None:
    client = openai.OpenAI(base_url=box.base_url, api_key="clst_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="demo", messages=QUESTION)


def test_an_unknown_model_raises_the_sdks_own_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(model="gpt-9", messages=QUESTION)
    assert raised.value.code == "model_not_found"
    assert raised.value.request_id
