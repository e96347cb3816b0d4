"""The shipped model, greedy: 32 conversations at once say what each says alone."""

import asyncio
from pathlib import Path

import pytest

from appliance.engine.engine import Engine
from appliance.generation.prompt import Chat, Message, Tokens
from tests.support.engine_reference import differ_only_in_ties
from tests.support.engine_talk import Said, asking, say, with_model

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "images/demo-model/cloister-demo.gguf"

ASKS = [
    "Triage this note:",
    "Summarise in one sentence:",
    "Draft a short reply:",
    "Extract as JSON:",
]
NOTES = [
    "Patient in bed 4 has had a fever since Monday and coughs at night.",
    "The customer reports a card payment that she did not make.",
    "Wound on the left foot is clean, dressing changed, next visit on Friday.",
    "Standing order of 120 euros to be stopped from the first of next month.",
]


def conversations() -> list[Chat]:
    return [
        Chat(messages=(Message(role="user", content=f"{ask} {note} ({number})"),))
        for number in range(2)
        for ask in ASKS
        for note in NOTES
    ]


@pytest.mark.parametrize("cache", [True, False])
def test_thirty_two_conversations_at_once_say_what_each_says_alone(cache: bool) -> None:
    requests = [asking(chat, max_tokens=48) for chat in conversations()]

    async def alone(engine: Engine) -> list[Said]:
        return [await say(engine, request) for request in requests]

    async def together(engine: Engine) -> list[Said]:
        return list(await asyncio.gather(*(say(engine, request) for request in requests)))

    expected = with_model(MODEL, alone, sequences=1, prefix_cache=False, sequence_tokens=512)
    found = with_model(MODEL, together, sequences=32, prefix_cache=cache, sequence_tokens=512)
    for number, (left, right) in enumerate(zip(expected, found, strict=True)):
        assert left.tokens
        if left.tokens == right.tokens:
            assert left.text == right.text
            continue
        # The prompt's tokens are only needed where something differs.
        prompt = prompt_tokens(requests[number].prompt)
        assert differ_only_in_ties(MODEL, prompt, left.tokens, right.tokens)


def prompt_tokens(chat: Chat | object) -> tuple[int, ...]:
    """The tokens that a worker makes of a conversation, made here."""
    from appliance.engine.worker.binding import llama
    from appliance.engine.worker.template import ChatTemplate
    from appliance.engine.worker.vocabulary import Vocabulary

    assert isinstance(chat, Chat)
    parameters = llama.llama_model_default_params()
    parameters.vocab_only = True
    model = llama.llama_model_load_from_file(str(MODEL).encode(), parameters)
    try:
        vocabulary = Vocabulary(llama.llama_model_get_vocab(model))
        source = llama.llama_model_chat_template(model, None).decode()
        template = ChatTemplate(source, vocabulary.control, {}, lambda: None)  # type: ignore[arg-type, return-value] # no date in it
        return tuple(vocabulary.tokenize_parts(template.render(chat.messages)))
    finally:
        llama.llama_model_free(model)


def test_token_ids_of_a_prompt_give_what_its_text_gives() -> None:
    chat = conversations()[0]
    tokens = Tokens(tokens=prompt_tokens(chat))

    async def body(engine: Engine) -> None:
        rendered = await say(engine, asking(chat, max_tokens=24))
        given = await say(engine, asking(tokens, max_tokens=24))
        assert rendered.tokens == given.tokens
        assert rendered.finished.usage.prompt_tokens == len(tokens.tokens)

    with_model(MODEL, body, sequence_tokens=512)
