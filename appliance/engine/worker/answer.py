"""One generation in the worker: its sequence, its sampler, its text, and when it ends.

Contract: `Answer.take` is told every sampled token and collects what the caller is to be sent;
`progress` hands that out, once per step; `ended` is the ending as soon as there is one. Resuming
after a crash begins with the tokens of before: they count, their text is known to the caller.
"""

from appliance.engine.wire import Generate, Progress
from appliance.engine.worker.sampling import Sampler, Surroundings
from appliance.engine.worker.sequence import Sequence
from appliance.engine.worker.text import TextStream
from appliance.engine.worker.vocabulary import Vocabulary
from appliance.generation.outcome import Finished, FinishReason, Usage


class Answer:
    """Mutable; owned by the step loop; `close` frees the sampler."""

    __slots__ = (
        "_ends",
        "_pieces",
        "_stream",
        "_text",
        "_texts",
        "_tokens",
        "end_ids",
        "ended",
        "may_end_at",
        "sampler",
        "seed",
        "sequence",
    )

    def __init__(
        self, message: Generate, prompt: list[int], vocabulary: Vocabulary, limit: int
    ) -> None:
        """`limit` is the most tokens that prompt and answer may have together."""
        request = message.request
        if request.max_tokens is not None:
            limit = min(limit, len(prompt) + request.max_tokens)
        self.sequence = Sequence(
            id=message.id,
            domain=message.domain,
            tokens=prompt + list(message.resume),
            limit=limit,
            priority=request.priority,
            prompt_tokens=len(prompt),
        )
        self.seed = message.seed if request.sampling.seed is None else request.sampling.seed
        ends = vocabulary.ends
        around = Surroundings(vocabulary.handle, vocabulary.size, limit)
        self.sampler = Sampler(request.sampling, self.seed, ends, around)
        self.sampler.accept(self.sequence.tokens)
        self._ends = frozenset[int]() if request.sampling.ignore_eos else ends
        self.may_end_at = len(prompt) + request.sampling.min_tokens
        """Number of tokens before which no end may be chosen."""
        self.end_ids = vocabulary.end_ids
        self._pieces, self._texts = vocabulary.pieces, vocabulary.texts
        self._stream = TextStream(request.stop)
        self._text = ""
        self._tokens: list[int] = []
        self.ended: Finished | None = None
        for token in message.resume:
            self._text += self._stream.feed(self._pieces[token], self._texts[token])
        self._text = self._text[message.released :]
        if self._stream.stopped:
            self._end(FinishReason.STOP)
        elif len(self.sequence.tokens) >= limit:
            self._end(FinishReason.LENGTH)

    def take(self, token: int) -> bool:
        """A token was sampled; true if the sequence goes on with it."""
        if token in self._ends:
            self._end(FinishReason.STOP)
            return False
        sequence, stream = self.sequence, self._stream
        sequence.tokens.append(token)
        self._tokens.append(token)
        self._text += stream.feed(self._pieces[token], self._texts[token])
        if stream.stopped:
            self._end(FinishReason.STOP)
        elif len(sequence.tokens) >= sequence.limit:
            self._end(FinishReason.LENGTH)
        else:
            return True
        return False

    def cancel(self) -> None:
        """The caller went away."""
        self._end(FinishReason.CANCELLED)

    def progress(self) -> Progress | None:
        """What is new since the last call."""
        if not self._tokens and not self._text:
            return None
        news = Progress(id=self.sequence.id, text=self._text, tokens=tuple(self._tokens))
        self._text = ""
        self._tokens.clear()
        return news

    def close(self) -> None:
        """Free what belongs to llama.cpp."""
        self.sampler.close()

    def _end(self, reason: FinishReason) -> None:
        if reason is not FinishReason.CANCELLED:
            self._text += self._stream.finish()
        sequence = self.sequence
        self.ended = Finished(
            reason=reason,
            seed=self.seed,
            usage=Usage(
                prompt_tokens=sequence.prompt_tokens,
                completion_tokens=len(sequence.tokens) - sequence.prompt_tokens,
                cached_tokens=sequence.cached,
            ),
        )
