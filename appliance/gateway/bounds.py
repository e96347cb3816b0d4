"""Holds a request against what policy allows its caller: models, length, tokens."""

import msgspec

from appliance.errors import Code, Refusal
from appliance.generation.prompt import Chat, Prompt, Text
from appliance.generation.request import GenerationRequest
from appliance.policy.decision import Decision


def bounded(
    request: GenerationRequest, model: str, decision: Decision
) -> GenerationRequest | Refusal:
    """Return the request with policy's token limit in it, or the refusal.

    A limit that the caller did not know of is filled in; one that the caller asked to exceed is
    refused, so that no answer ends early without its caller knowing why.
    """
    if not decision.permits_model(model):
        return Refusal(
            code=Code.MODEL_NOT_ALLOWED,
            message=f"the policy {decision.policy} does not allow this model",
            param="model",
        )
    limits = decision.limits
    length = _characters(request.prompt)
    if limits.max_input_characters is not None and length > limits.max_input_characters:
        return Refusal(
            code=Code.REQUEST_TOO_LARGE,
            message=f"the prompt has {length} characters; the policy {decision.policy} allows "
            f"{limits.max_input_characters}: send less at once",
            param="messages" if isinstance(request.prompt, Chat) else "prompt",
        )
    if limits.max_tokens is None:
        return request
    if request.max_tokens is None:
        return msgspec.structs.replace(request, max_tokens=limits.max_tokens)
    if request.max_tokens > limits.max_tokens:
        return Refusal(
            code=Code.INVALID_REQUEST,
            message=f"the policy {decision.policy} allows {limits.max_tokens} tokens an answer: "
            "ask for fewer",
            param="max_tokens",
        )
    return request


def _characters(prompt: Prompt) -> int:
    """Return the length of all text; a token id counts as one character, the least it can be."""
    match prompt:
        case Chat(messages=messages):
            return sum(len(message.content) for message in messages)
        case Text(text=text):
            return len(text)
        case _:
            return len(prompt.tokens)
