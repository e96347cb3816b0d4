"""Coverage-guided fuzzing of the GGUF gate. Not part of `make test`; needs `pip install atheris`.

    python -m tests.fuzz.gguf_scan [-max_total_time=3600] [other options of libFuzzer]

The corpus is made at run time under `build/fuzz/gguf/`: a header of every admitted architecture and
the hostile ones of the unit tests' generator; what the fuzzer finds is kept there beside them. An
input is a header: the weights that it speaks of are zeros that take no room.

A scan must return for every input, with the same report however short the reads are, and without
reading more than the header a few times over.
"""

import re
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["appliance.registry"]):
    from appliance.registry.gguf.families import BY_ARCHITECTURE
    from appliance.registry.gguf.reader import WINDOW
    from appliance.registry.scan import ScanReport, scan_source
    from tests.support.gguf_builder import STRING, Gguf, llama_model
    from tests.support.gguf_families import model_of
    from tests.support.gguf_sources import CountingSource, ShortSource

CORPUS = Path(__file__).parents[2] / "build" / "fuzz" / "gguf"
TEMPLATE = "{% for m in messages %}{{ m.content|trim }}{% endfor %}"
_ENDS = re.compile(r"ends at (\d+), beyond")


def seeds() -> dict[str, Gguf]:
    """Headers to start from."""
    made = {name: model_of(name) for name in BY_ARCHITECTURE}
    made["experts"] = model_of("llama", experts=True)
    made["fused"] = model_of("phi3", fused=True)
    made["template"] = llama_model().set("tokenizer.chat_template", STRING, TEMPLATE)
    made["small"] = llama_model(vocabulary=12)
    made["empty"] = Gguf()
    for model in made.values():
        model.with_data = False
    return made


def scan_with_weights(data: bytes) -> ScanReport:
    """Scan a header, in a file that goes as far as its tensors do."""
    size = len(data)
    for _ in range(64):
        source = CountingSource(data, size=size)
        report = scan_source(source, "fuzz")
        assert source.bytes_read <= 4 * len(data) + 32 * WINDOW, "reads more than the header"
        ends = [int(match[1]) for match in map(_ENDS.search, report.reasons) if match]
        if not ends:
            break
        size = ends[0]
    return report


def one_input(data: bytes) -> None:
    """What libFuzzer calls with every input."""
    report = scan_with_weights(data)
    assert (report.verdict == "clean") == (not report.reasons) == (report.facts is not None)
    assert len(report.reasons) == len(report.rules) <= 100
    assert all(reason.isprintable() for reason in report.reasons)
    assert scan_source(ShortSource(data), "fuzz") == scan_source(CountingSource(data), "fuzz")


def main() -> None:
    """Write the seeds and hand over to libFuzzer."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    for name, model in seeds().items():
        (CORPUS / f"seed-{name}").write_bytes(model.bytes())
    atheris.Setup([*sys.argv, str(CORPUS)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
