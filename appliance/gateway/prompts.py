"""Takes a prompt, in any of its forms, through a policy."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from appliance.errors import Code, refuse
from appliance.generation.prompt import Chat, Prompt, Text, Tokens
from appliance.redaction.scrubber import Finding, Scrubber


def scrub(
    prompt: Prompt, scrubber: Scrubber, vocabulary: Sequence[bytes]
) -> tuple[Prompt, dict[str, int]]:
    """Return the prompt that the model may see, and what was found: type → count.

    Token ids are read as the text they stand for. If there is nothing to take out of it they are
    used as they came; otherwise the scrubbed text takes their place.

    Raises:
        Blocked: the policy lets none of it through.
        RefusalError: a token id that the vocabulary does not have.
    """
    findings: list[Finding] = []

    def scrubbed(text: str) -> str:
        result = scrubber.scrub(text)
        findings.extend(result.findings)
        return result.text

    clean: Prompt
    match prompt:
        case Chat(messages=messages):
            clean = Chat(
                messages=tuple(
                    msgspec.structs.replace(
                        message,
                        content=scrubbed(message.content),
                        name=None if message.name is None else scrubbed(message.name),
                    )
                    for message in messages
                )
            )
        case Text(text=text):
            clean = Text(text=scrubbed(text))
        case Tokens(tokens=tokens):
            text = _text_of(tokens, vocabulary)
            kept = scrubbed(text)
            clean = prompt if kept == text else Text(text=kept)
    return clean, counts(findings)


def counts(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by type, as the log does: no values, no places."""
    total: Counter[str] = Counter()
    for finding in findings:
        total[finding.type] += finding.count
    return dict(total)


def _text_of(tokens: Sequence[int], vocabulary: Sequence[bytes]) -> str:
    try:
        pieces = [vocabulary[token] for token in tokens]
    except IndexError:
        raise refuse(
            Code.INVALID_REQUEST,
            f"a token id of the prompt is not below {len(vocabulary)}, the size of this model's "
            "vocabulary",
            param="prompt",
        ) from None
    return b"".join(pieces).decode(errors="replace")
