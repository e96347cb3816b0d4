"""One generation as the scheduler sees it: tokens, and how many of them lie in the KV cache."""

from dataclasses import dataclass

from appliance.generation.request import Priority


@dataclass(slots=True, eq=False)
class Sequence:
    """Mutable; owned by one scheduler.

    Every running sequence has at least one token that is not computed yet: computing the last
    one gives the logits of the next. With one such token it decodes, with more it prefills.
    """

    id: int
    domain: str
    tokens: list[int]
    """Prompt, then what was generated."""
    limit: int
    """Most tokens it may come to hold."""
    priority: Priority = Priority.INTERACTIVE
    prompt_tokens: int = 0
    """Of `tokens`, those that were asked, not generated."""
    computed: int = 0
    """Of `tokens`, those whose cells are in the KV cache."""
    cached: int = 0
    """Prompt tokens that were found there at the first admission."""
    slot: int = -1
    """The llama.cpp sequence id it is computed under; -1 while it waits."""
    arrival: int = 0

    @property
    def pending(self) -> int:
        """Tokens still to compute before the next one can be sampled."""
        return len(self.tokens) - self.computed
