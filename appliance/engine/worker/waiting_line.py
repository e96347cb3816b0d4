"""Who is admitted next: by priority, then domain by domain, then first come first served."""

from collections import deque
from collections.abc import Iterator

from appliance.engine.worker.sequence import Sequence
from appliance.generation.request import Priority


class WaitingLine:
    """Sequences in order of priority, domains taking turns within one."""

    def __init__(self) -> None:
        self._lines: dict[Priority, dict[str, deque[Sequence]]] = {p: {} for p in Priority}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, sequence: Sequence, *, first: bool = False) -> None:
        """Put it at the end of its domain's line, or in front of it."""
        line = self._lines[sequence.priority].setdefault(sequence.domain, deque())
        if first:
            line.appendleft(sequence)
        else:
            line.append(sequence)
        self._count += 1

    def remove(self, sequence: Sequence) -> None:
        """Take it out, wherever it stands."""
        lines = self._lines[sequence.priority]
        lines[sequence.domain].remove(sequence)
        if not lines[sequence.domain]:
            del lines[sequence.domain]
        self._count -= 1

    def turns(self, priority: Priority) -> Iterator[Sequence]:
        """In the order in which they are due: the first of each domain, then the second of each."""
        lines = [iter(tuple(line)) for line in self._lines[priority].values()]
        while lines:
            still = []
            for line in lines:
                sequence = next(line, None)
                if sequence is not None:
                    yield sequence
                    still.append(line)
            lines = still

    def served(self, sequence: Sequence) -> None:
        """Take it out because it was admitted: its domain goes to the end of the round."""
        self.remove(sequence)
        lines = self._lines[sequence.priority]
        if sequence.domain in lines:
            lines[sequence.domain] = lines.pop(sequence.domain)
