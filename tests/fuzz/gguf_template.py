"""Coverage-guided fuzzing of the template gate. Not part of `make test`; needs atheris.

    python -m tests.fuzz.gguf_template [-max_total_time=3600] [other options of libFuzzer]

The corpus starts with the real templates of llama.cpp's source; what the fuzzer finds is kept
beside them under `build/fuzz/template/`. The gate must return for every text, and give the same
answer for the same text.
"""

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance.registry"]):
    from appliance.registry.template_gate import check_template
    from tests.support.llama_cpp_tree import llama_cpp_tree

CORPUS = Path(__file__).parents[2] / "build" / "fuzz" / "template"


def one_input(data: bytes) -> None:
    """What libFuzzer calls with every input."""
    text = data.decode("utf-8", "replace")
    report = check_template(text)
    assert (report.verdict == "clean") == (not report.reasons)
    assert all(reason.isprintable() for reason in report.reasons)
    assert check_template(text) == report


def main() -> None:
    """Write the seeds and hand over to libFuzzer."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for path in (llama_cpp_tree() / "models" / "templates").glob("*.jinja"):
        (CORPUS / f"seed-{path.stem}").write_bytes(path.read_bytes())
    atheris.Setup([*sys.argv, str(CORPUS)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
