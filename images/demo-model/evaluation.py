"""Evaluation: the exported file, through llama.cpp, on cases it has never seen anything like.

Contract: `python evaluation.py MODEL OUT [COUNT]` writes figures as JSON. Sentences, wordings,
layouts, names, drugs, wards, shops and so on of the cases are all from the held-out lists;
decoding is greedy. A summary or reply counts as naming its fact if it ends its turn, is one
sentence long and holds every field of the expected one.
"""

import json
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import corpus
from corpus import Case
from runtime import Answer, Runtime

SEED = 7


def main(model: Path, out: Path, count: int) -> int:
    """Answer all cases and write the figures."""
    runtime, tally = Runtime(model), Tally()
    started = time.monotonic()
    for case in corpus.cases(SEED, count) + corpus.fresh(SEED, count) + corpus.handwritten():
        tally.add(case, runtime.answer(case.messages))
    figures = tally.figures() | {"seed": SEED, "seconds": round(time.monotonic() - started)}
    out.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    out.with_name("mistakes.txt").write_text("\n".join(tally.mistakes), encoding="utf-8")
    print(
        json.dumps(
            {name: value for name, value in figures.items() if name != "confusions"}, indent=1
        )
    )
    return 0


class Tally:
    """Counts hits per measure; `figures` turns them into rates."""

    def __init__(self) -> None:
        self.hits: dict[str, list[bool]] = defaultdict(list)
        self.confusions: Counter[str] = Counter()
        self.mistakes: list[str] = []
        self.longest = 0

    def add(self, case: Case, answer: Answer) -> None:
        """Hold one answer against its case."""
        text = answer.text.strip()
        self.longest = max(self.longest, answer.prompt_tokens)
        self.hits["turn ends"].append(answer.ended)
        self.hits[f"{case.kind}: exact"].append(text == case.answer)
        if case.kind == "triage" and text != case.answer:
            self.confusions[f"{case.answer} -> {text[:30]}"] += 1
        if case.kind == "extract":
            self._fields(json.loads(case.answer), _object(text))
        elif case.kind in ("summary", "reply") and case.note:
            facts = [value for value in case.note.fields.values() if value in case.answer]
            named = answer.ended and len(text) < 250 and all(fact in text for fact in facts)
            self.hits[f"{case.kind}: names the facts"].append(named)
        if text != case.answer:
            self.mistakes.append(
                f"{case.kind}\n{case.messages[-1]['content']}\n"
                f"expected {case.answer}\nanswered {text}\n"
            )

    def _fields(self, expected: dict[str, Any], found: dict[str, Any] | None) -> None:
        self.hits["extract: valid JSON"].append(found is not None)
        self.hits["extract: keys as asked"].append(
            found is not None and list(found) == list(expected)
        )
        for key, value in expected.items():
            kind = "absent is null" if value is None else "field exact"
            self.hits[f"extract: {kind}"].append(
                found is not None and key in found and found[key] == value
            )

    def figures(self) -> dict[str, Any]:
        """Rates by measure, and which categories were taken for which."""
        rates = {
            name: {"rate": round(sum(hits) / len(hits), 3), "of": len(hits)}
            for name, hits in sorted(self.hits.items())
        }
        return {
            "rates": rates,
            "confusions": dict(self.confusions.most_common(20)),
            "longest_prompt_tokens": self.longest,
        }


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


if __name__ == "__main__":
    sys.exit(
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 200)
    )
