# ruff: noqa: E501  (texts stay whole)
"""How fast scrubbing is, on one core; JSON lines on stdout. CPU time: neighbours do not count.

Per case: 16,000 characters as a whole (milliseconds, p50 and p99), and in chunks of one to six
characters (microseconds per chunk, and characters held back: mean and p95).
"""

import json
import random
import sys
import time
from pathlib import Path

from appliance.policy.decision import Subject
from appliance.redaction.scrubber import Scrubber
from appliance.screening import Screening

ROOT = Path(__file__).parents[2]
SIZE = 16_000

PROSE = (
    "The patient was admitted with chest pain that had begun two days before, after she had carried "
    "shopping up the stairs. She had taken aspirin at home and was free of pain on arrival. On examination "
    "her heart sounds were normal, and there was no swelling of the legs. The electrocardiogram showed no "
    "change from the one made in the spring. We agreed to watch her overnight and to repeat the blood tests.\n\n"
)
NOTE = (
    "Patient: Ana Ruiz\nDOB: 3 March 1961\nMRN: 0047-113\nTel: +34 612 345 678\nSodium 138 mmol/l, potassium 4.1, "
    "creatinine 88, CRP < 5 mg/l. Metoprolol 47.5 mg 1-0-1 since 2023-04-01, BP 120/80 on 12 May 2024 at 08:30. "
    "Dr. Smith asked her to write to ana.ruiz@example.org; the bill goes to DE89 3704 0044 0532 0130 00.\n"
)
CASES = {
    "prose": PROSE,
    "ward_notes": NOTE,
    "mixed": PROSE * 3 + NOTE,
    "german_prose": "Die Patientin wurde wegen Brustschmerzen aufgenommen, die zwei Tage zuvor begonnen hatten. Über Nacht blieb sie beschwerdefrei. ",
    "digits": "4",
    "random_digits": "",
    "spaced_digits": "4 1 ",
    "digit_groups": "123 456 789 012 ",
    "brackets": "[(",
    "long_words": "abcdefghij",
    "combining_marks": "e\u0301\u0302\u0303",
    "at_signs": "@",
    "at_words": "a@b@c.",
    "dots": "a.b.",
    "colons": "a:b:",
    "capitals": "AB12 ",
    "labels": "MRN: Name: ",
    "zero_width": "4\u200b",
    "full_width": "４",
    "emoji": "💳",
    "escapes": "\\u0034",
}


def text_of(name: str) -> str:
    """The text of a case, `SIZE` characters."""
    if name == "random_digits":
        draw = random.Random(1)
        return "".join(draw.choices("0123456789 -", k=SIZE))
    return (CASES[name] * (SIZE // len(CASES[name]) + 1))[:SIZE]


def measure(scrubber: Scrubber, text: str) -> dict[str, float]:
    """Figures for one text."""
    whole = []
    for _ in range(15):
        start = time.thread_time()
        scrubber.scrub(text)
        whole.append((time.thread_time() - start) * 1e3)
    draw = random.Random(2)
    chunks, position = [], 0
    while position < len(text):
        size = draw.randint(1, 6)
        chunks.append(text[position : position + size])
        position += size
    stream = scrubber.stream()
    held = []
    start = time.thread_time()
    for chunk in chunks:
        stream.feed(chunk)
        held.append(stream.held)
    stream.finish()
    spent = time.thread_time() - start
    held.sort()
    whole.sort()
    return {
        "whole_ms_p50": round(whole[len(whole) // 2], 3),
        "whole_ms_p99": round(whole[-1], 3),
        "chunk_us": round(spent / len(chunks) * 1e6, 2),
        "held_mean": round(sum(held) / len(held), 1),
        "held_p95": held[int(len(held) * 0.95)],
    }


def main() -> None:
    """Print a line per case."""
    policy = sys.argv[1] if len(sys.argv) > 1 else "default"
    start = time.perf_counter()
    screening = Screening.load(ROOT / "policies", policy, bytes(32))
    print(json.dumps({"bench": "redaction_load", "seconds": round(time.perf_counter() - start, 3)}))
    scrubber = screening.input_scrubber(Subject())
    for name in CASES:
        print(
            json.dumps(
                {
                    "bench": "redaction",
                    "policy": policy,
                    "case": name,
                    **measure(scrubber, text_of(name)),
                }
            )
        )


if __name__ == "__main__":
    main()
