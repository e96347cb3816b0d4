"""The chat template: the text of a conversation as the model reads it.

Contract: `render(messages, add_generation_prompt)` gives exactly what a server makes of the
template inside the GGUF file; it is rendered in the same sandbox such a server uses.
"""

from pathlib import Path

from jinja2.sandbox import ImmutableSandboxedEnvironment

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    Path(__file__).with_name("chat-template.jinja").read_text(encoding="utf-8").rstrip("\n")
)


def render(messages: list[dict[str, str]], add_generation_prompt: bool) -> str:
    """The text of a conversation."""
    template = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True).from_string(
        CHAT_TEMPLATE
    )
    return template.render(messages=messages, add_generation_prompt=add_generation_prompt)
