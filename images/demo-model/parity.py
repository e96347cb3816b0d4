"""Parity: llama.cpp must read and compute what training read and computed.

Contract: `python parity.py MODEL REFERENCE` exits 0 and prints one JSON line if every text of the
reference is tokenised identically and the logits agree; otherwise it exits 1 and says where they
part. llama.cpp rounds activations to 8 bits inside its matrix products, hence a correlation and
not equality.
"""

import json
import sys
from pathlib import Path

import numpy as np
from runtime import Runtime

CORRELATION = 0.998


def main(model: Path, reference: Path) -> int:
    """Compare the file with the reference."""
    runtime = Runtime(model)
    expected = json.loads(reference.read_text(encoding="utf-8"))
    for text in expected["texts"]:
        if (found := runtime.tokens(text["text"])) != text["ids"]:
            print(
                f"tokenised differently: {text['text']!r}\n"
                f"  training  {text['ids']}\n  llama.cpp {found}",
                file=sys.stderr,
            )
            return 1
    worst, largest = 1.0, 0.0
    for prompt in expected["prompts"]:
        theirs, ours = runtime.logits(prompt["text"]), np.asarray(prompt["logits"])
        worst = min(worst, float(np.corrcoef(theirs, ours)[0, 1]))
        largest = max(largest, float(np.abs(theirs - ours).max()))
        if worst < CORRELATION:
            print(
                f"logits differ (correlation {worst:.4f}) after {prompt['text']!r}", file=sys.stderr
            )
            return 1
    figures = {
        "texts": len(expected["texts"]),
        "prompts": len(expected["prompts"]),
        "worst_correlation": round(worst, 5),
        "largest_difference": round(largest, 3),
    }
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
