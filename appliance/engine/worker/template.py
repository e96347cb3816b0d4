"""A conversation rendered with the model's own chat template, so that content stays content.

Contract: `ChatTemplate.render` gives the text of a conversation as parts: plain text, which is to
be tokenized without control tokens, and control tokens, which only the template itself may write. A
message that spells out `<|im_end|>` therefore never ends a turn. The template is foreign code: it
runs in Jinja's immutable sandbox, without loaders, under a time limit and an output limit.

How content is kept apart: before rendering, a separator that nobody can guess is put into every
place of a message where a control token stands, or could come to stand together with what the
template writes next to it. Afterwards the rendered text is split at the control tokens that are
left, and the separators are taken out of the plain text between. Everything else a template looks
for in a message (`</think>`, leading spaces) it finds unchanged.
"""

import datetime
import hashlib
import json
import re
import secrets
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeAlias

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.sandbox

from appliance.errors import Code, refuse
from appliance.generation.prompt import Message

MAX_TEMPLATE_BYTES = 512 << 10
"""The longest template known is 17 kB."""

MAX_RENDERED_CHARACTERS = 32 << 20
RENDER_SECONDS = 5.0

Part: TypeAlias = str | int
"""Plain text, or the id of a control token."""


class TemplateUnusableError(Exception):
    """The model's template cannot be compiled; the model takes no conversations."""


class _TimeLimitError(Exception):
    """Rendering took longer than `RENDER_SECONDS`."""


class _TemplateRefusedError(Exception):
    """The template called `raise_exception`; the text is the template author's."""


class ControlTokens:
    """The control tokens of a vocabulary: finds them in text, keeps content from being one."""

    def __init__(
        self,
        texts: Mapping[str, int],
        strips_left: frozenset[int] = frozenset(),
        strips_right: frozenset[int] = frozenset(),
    ) -> None:
        """`texts` maps a token's text to its id; the sets say which swallow space beside them."""
        self._ids = {text: token for text, token in texts.items() if text}
        self._strips_left, self._strips_right = strips_left, strips_right
        ordered = sorted(self._ids, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, ordered)) or r"(?!)")
        self._beginnings = {text[:n] for text in ordered for n in range(1, len(text))}
        self._endings = {text[-n:] for text in ordered for n in range(1, len(text))}
        self._longest = max(map(len, ordered), default=0)

    def guard(self, content: str, separator: str) -> str:
        """Content in which no control token stands and with which none can be completed."""
        if not self._ids:
            return content
        # Overlapping occurrences: after each hit go on one character later.
        cuts: set[int] = set()
        match = self._pattern.search(content)
        while match is not None:
            cuts.add(match.start() + 1)
            match = self._pattern.search(content, match.start() + 1)
        # One separator per end is not enough: a short piece may be the middle of a token.
        for n in range(1, min(self._longest, len(content) + 1)):
            if content[-n:] in self._beginnings:
                cuts.add(len(content) if n == 1 else len(content) - n + 1)
            if content[:n] in self._endings:
                cuts.add(0 if n == 1 else n - 1)
        if len(content) < self._longest and any(content in text for text in self._ids):
            cuts |= {0, len(content)}
        pieces, last = [], 0
        for cut in sorted(cuts):
            pieces.append(content[last:cut])
            last = cut
        pieces.append(content[last:])
        return separator.join(pieces)

    def split(self, rendered: str, separator: str) -> list[Part]:
        """Plain text and control tokens of a rendered conversation, separators gone."""
        parts: list[Part] = []
        at = 0
        for match in self._pattern.finditer(rendered):
            self._add_text(parts, rendered[at : match.start()], separator)
            parts.append(self._ids[match.group()])
            at = match.end()
        self._add_text(parts, rendered[at:], separator)
        return self._stripped(parts)

    @staticmethod
    def _add_text(parts: list[Part], text: str, separator: str) -> None:
        text = text.replace(separator, "") if separator else text
        if text:
            parts.append(text)

    def _stripped(self, parts: list[Part]) -> list[Part]:
        """Let the control tokens that do so swallow the white space beside them."""
        for at, part in enumerate(parts):
            if isinstance(part, str):
                text = part
                if at and parts[at - 1] in self._strips_right:
                    text = text.lstrip()
                if at + 1 < len(parts) and parts[at + 1] in self._strips_left:
                    text = text.rstrip()
                parts[at] = text
        return [part for part in parts if part != ""]


def _raise_exception(message: object) -> NoReturn:
    raise _TemplateRefusedError(str(message))


def _to_json(
    value: object,
    indent: int | None = None,
    ensure_ascii: bool = False,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as the templates' authors saw it: unlike Jinja's own, nothing escaped for HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


class _Sandbox(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which also refuses to build huge strings by multiplication."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: object, right: object
    ) -> object:
        """Evaluate `*` and `**` on small numbers only."""
        numbers = (int, float)
        if isinstance(left, numbers) and isinstance(right, numbers):
            if operator == "*" and abs(left) < 1e9 and abs(right) < 1e9:
                return left * right
            if operator == "**" and abs(left) < 1e6 and 0 <= right < 10:
                return left**right
        if (
            operator == "*"
            and isinstance(left, str)
            and isinstance(right, int)
            and len(left) * right <= 10_000
        ):
            return left * right
        raise jinja2.exceptions.SecurityError("an operation too large for a chat template")


class _GenerationTag(jinja2.ext.Extension):
    """`{% generation %}` marks the assistant's words for training; here it is its body."""

    tags = {"generation"}  # noqa: RUF012 -- Jinja declares it as an instance's attribute

    def parse(self, parser: jinja2.parser.Parser) -> list[jinja2.nodes.Node]:
        """Part of Jinja's extension protocol."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


class ChatTemplate:
    """A model's chat template, compiled once."""

    def __init__(
        self,
        source: str,
        control: ControlTokens,
        variables: Mapping[str, str],
        now: Callable[[], datetime.datetime],
    ) -> None:
        """`variables` are the vocabulary's own (`bos_token`, `eos_token`).

        Raises `TemplateUnusableError`.
        """
        if len(source.encode()) > MAX_TEMPLATE_BYTES:
            raise TemplateUnusableError("the chat template is too long")
        self.digest = hashlib.sha256(source.encode()).hexdigest()
        self._control = control
        self._variables = dict(variables)
        environment = _Sandbox(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[jinja2.ext.loopcontrols, _GenerationTag],
            cache_size=0,
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = lambda form: now().strftime(str(form))
        try:
            with _time_limit(RENDER_SECONDS):
                self._template = environment.from_string(source)
        except (jinja2.TemplateError, RecursionError, _TimeLimitError, ValueError) as error:
            raise TemplateUnusableError(
                f"the chat template cannot be compiled ({type(error).__name__})"
            ) from None

    def render(self, messages: Sequence[Message]) -> list[Part]:
        """The conversation, ready for the assistant's turn.

        Raises `RefusalError` if the template refuses the conversation or exceeds a limit.
        """
        separator = f"\uf8ff{secrets.randbits(128):039d}\uf8ff"
        turns = [self._turn(message, separator) for message in messages]
        try:
            with _time_limit(RENDER_SECONDS):
                rendered = self._joined(
                    self._template.generate(
                        messages=turns, add_generation_prompt=True, **self._variables
                    )
                )
        except _TemplateRefusedError as error:
            reason = _authors_words(str(error).replace(separator, ""), messages)
            raise refuse(
                Code.INVALID_REQUEST,
                f"The model's chat template refuses this conversation: {reason}",
                param="messages",
            ) from None
        except _TimeLimitError:
            raise _too_much() from None
        except Exception as error:  # foreign code may raise anything
            raise refuse(
                Code.INVALID_REQUEST,
                "The model's chat template cannot render this conversation "
                f"({type(error).__name__}); check the roles and their order.",
                param="messages",
            ) from None
        return self._control.split(rendered, separator)

    def _turn(self, message: Message, separator: str) -> dict[str, str]:
        turn = {
            "role": message.role,
            "content": self._control.guard(message.content, separator),
        }
        if message.name is not None:
            turn["name"] = self._control.guard(message.name, separator)
        return turn

    @staticmethod
    def _joined(pieces: Iterator[str]) -> str:
        written, total = [], 0
        for piece in pieces:
            total += len(piece)
            if total > MAX_RENDERED_CHARACTERS:
                raise _TimeLimitError
            written.append(piece)
        return "".join(written)


def _too_much() -> Exception:
    return refuse(
        Code.INVALID_REQUEST,
        "The model's chat template takes too long over this conversation; shorten it.",
        param="messages",
    )


def _authors_words(text: str, messages: Sequence[Message]) -> str:
    """What the template says, unless it quotes a message."""
    for message in messages:
        for value in (message.content, message.name):
            if value and value in text:
                return "(its reason quotes the conversation and is left out)"
    return text[:200]


@contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt foreign Python code. Main thread only, as signals are."""

    def expire(_signal: int, _frame: FrameType | None) -> NoReturn:
        raise _TimeLimitError

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
