"""`scan_file` and `scan_source`: any file, any medium, a bounded number of bytes, one report."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from appliance.registry.gguf.header import HEADER_BUDGET
from appliance.registry.gguf.reader import WINDOW
from appliance.registry.scan import ScanReport, scan_file, scan_source
from tests.support.gguf_builder import (
    ARRAY,
    F32,
    I32,
    STRING,
    TYPE_Q8_0,
    U32,
    Entry,
    Gguf,
    Pair,
    large_array,
    llama_model,
)
from tests.support.gguf_sources import (
    BadSectorSource,
    CountingSource,
    PulledOutSource,
    ShortSource,
)

ROOT = Path(__file__).parents[3]
DEMO_MODEL = ROOT / "images" / "demo-model" / "cloister-demo.gguf"
TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(llama_model().bytes())
    return path


def test_a_valid_model_is_clean_and_described(model_file: Path) -> None:
    model = llama_model(blocks=2)
    model.set("tokenizer.chat_template", STRING, TEMPLATE)
    model.set("tokenizer.chat_template.tool_use", STRING, TEMPLATE)
    model_file.write_bytes(model.bytes())
    report = scan_file(model_file)
    assert report.verdict == "clean"
    assert report.file == str(model_file)
    assert report.size == model_file.stat().st_size
    facts = report.facts
    assert facts is not None
    assert (facts.kind, facts.architecture, facts.name) == ("generate", "llama", "tiny")
    assert (facts.block_count, facts.vocabulary, facts.tensors) == (2, 64, 20)
    assert [template.key for template in facts.templates] == [
        "tokenizer.chat_template",
        "tokenizer.chat_template.tool_use",
    ]


def test_the_demo_model_is_clean() -> None:
    report = scan_file(DEMO_MODEL)
    assert report.reasons == ()
    assert report.facts is not None
    assert report.facts.templates


def test_a_report_is_one_json_object_and_comes_back(model_file: Path) -> None:
    report = scan_file(model_file)
    line = msgspec.json.encode(report)
    assert b"\n" not in line
    assert msgspec.json.decode(line, type=ScanReport) == report


def test_a_hostile_template_is_refused_with_its_key() -> None:
    model = llama_model()
    model.set("tokenizer.chat_template.rag", STRING, "{{ ''.__class__ }}")
    report = scan_source(CountingSource(model.bytes()), "m")
    assert report.rules == ("template",)
    assert report.reasons[0].startswith("tokenizer.chat_template.rag: line 1: ")


def test_a_template_that_is_no_string_is_refused() -> None:
    model = llama_model()
    model.set("tokenizer.chat_template", U32, 1)
    assert "template" in scan_source(CountingSource(model.bytes()), "m").rules


def test_a_template_longer_than_any_is_refused() -> None:
    model = llama_model()
    model.set("tokenizer.chat_template", STRING, "a" * 70_000)
    report = scan_source(CountingSource(model.bytes()), "m")
    assert "70000 characters" in report.reasons[0]
    model.set("tokenizer.chat_template.rag", STRING, "a" * 30_000)
    report = scan_source(CountingSource(model.bytes()), "m")
    assert "100000 bytes in all variants" in report.reasons[0]


def test_many_templates_are_refused() -> None:
    model = llama_model()
    for index in range(17):
        model.set(f"tokenizer.chat_template.t{index}", STRING, TEMPLATE)
    assert "17 variants" in scan_source(CountingSource(model.bytes()), "m").reasons[0]


def test_a_template_in_a_file_of_its_own_is_scanned(tmp_path: Path) -> None:
    path = tmp_path / "chat.jinja"
    path.write_text(TEMPLATE)
    report = scan_file(path)
    assert (report.verdict, report.facts) == ("clean", None)
    assert report.template is not None
    assert report.template.sha256 == hashlib.sha256(TEMPLATE.encode()).hexdigest()
    for content, words in (
        (b"{{ ''.__class__ }}", "belongs to Python"),
        (b"a\xff", "offset 1: is not valid UTF-8"),
        (b"a" * 100_000, "has 100000 bytes"),
    ):
        path.write_bytes(content)
        report = scan_file(path)
        assert report.verdict == "refused"
        assert words in report.reasons[0]


# Files that are none


@pytest.mark.parametrize("kind", ["missing", "directory", "pipe", "device", "loop", "empty name"])
def test_what_is_no_file_is_refused_and_not_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    report = scan_file("bad\0name" if kind == "empty name" else path)
    assert report.verdict == "refused"
    assert report.rules == ("unreadable",)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.gguf"
    path.touch()
    assert scan_file(path).rules == ("truncated",)


# Media


def test_short_reads_make_no_difference() -> None:
    data = llama_model(blocks=2).bytes()
    assert scan_source(ShortSource(data), "m") == scan_source(CountingSource(data), "m")


def test_a_bad_sector_in_the_header_is_refused_with_its_place() -> None:
    data = llama_model().bytes()
    report = scan_source(BadSectorSource(data, 700), "m")
    assert report.rules == ("unreadable",)
    assert "Input/output error" in report.reasons[0]
    assert "another copy or medium" in report.reasons[0]


def test_a_bad_sector_met_only_by_a_check_is_refused() -> None:
    class LaterBad(CountingSource):
        """Fails from the second pass on."""

        def read_at(self, offset: int, length: int) -> bytes:
            if self.calls > 2:
                raise OSError(5, "Input/output error")
            return super().read_at(offset, length)

    assert scan_source(LaterBad(llama_model().bytes()), "m").rules == ("unreadable",)


@pytest.mark.parametrize("end", [0, 10, 100, 1000, 2000])
def test_a_medium_pulled_out_is_refused(end: int) -> None:
    report = scan_source(PulledOutSource(llama_model().bytes(), end), "m")
    assert report.rules == ("truncated",)
    assert "copy it again" in report.reasons[0]


# Bounds: counted in bytes, not in seconds


def big_vocabulary(tokens: int) -> Gguf:
    model = llama_model()
    for name, element, values in (
        ("tokens", STRING, [f"t{index:x}" for index in range(tokens)]),
        ("token_type", I32, [1] * tokens),
        ("scores", F32, [0.5] * tokens),
        ("merges", STRING, ["a b"] * 2 * tokens),
    ):
        model.drop(f"tokenizer.ggml.{name}")
        model.pairs.append(large_array(f"tokenizer.ggml.{name}", element, values))
    model.set("llama.vocab_size", U32, tokens)
    embedding = model.tensor("token_embd.weight")
    embedding.shape, embedding.type = (32, tokens), TYPE_Q8_0
    return model


def test_a_model_of_100_gb_costs_what_its_header_costs() -> None:
    model = llama_model()
    feed = 2**21
    blocks = 130
    entry = model.tensors
    model.set("llama.block_count", U32, blocks)
    model.set("llama.feed_forward_length", U32, feed)
    model.tensors = [entry[0], entry[-1]]
    for block in range(blocks):
        for part in entry[1:-1]:
            name = str(part.name).replace("blk.0", f"blk.{block}")
            shape = tuple(feed if extent == 64 else extent for extent in part.shape)
            model.tensors.append(Entry(name, shape, part.type))
    model.with_data = False
    header = model.bytes()
    end = -(-len(header) // 32) * 32 + sum(-(-e.size // 32) * 32 for e in model.tensors)
    assert end > 100 * 10**9
    source = CountingSource(header, size=end)
    report = scan_source(source, "m")
    assert report.reasons == ()
    assert source.bytes_read < len(header) + 8 * WINDOW


def test_every_byte_of_a_header_is_read_at_most_twice() -> None:
    data = big_vocabulary(50_000).bytes()
    source = CountingSource(data)
    assert scan_source(source, "m").reasons == ()
    header = data.rindex(b"output_norm.weight")
    assert source.bytes_read < 2 * header + 8 * WINDOW


def test_lengths_that_lie_cost_nothing() -> None:
    for pair in (
        Pair("k", STRING, raw=(2**62).to_bytes(8, "little")),
        Pair("k", ARRAY, [], STRING, count=2**20),
        Pair("k", ARRAY, [], 10, count=2**20),
        Pair("k", STRING, raw=(HEADER_BUDGET * 2).to_bytes(8, "little")),
    ):
        source = CountingSource(Gguf(pairs=[pair]).bytes(), size=2**40)
        assert scan_source(source, "m").verdict == "refused"
        assert source.bytes_read <= 40 * WINDOW


def test_a_header_that_never_ends_is_given_up() -> None:
    """Metadata of zeros: empty strings without end, in a file of a terabyte."""
    built = Gguf(pair_count=4096, pairs=[Pair("k", ARRAY, [], STRING, count=2**20)])
    source = CountingSource(built.bytes(), size=2**40)
    report = scan_source(source, "m")
    assert report.verdict == "refused"
    assert source.bytes_read <= HEADER_BUDGET + WINDOW


MEASURE = """
import resource, sys
from appliance.registry.scan import scan_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
reports = [scan_file(path) for path in sys.argv[1:]]
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
print(*(report.verdict for report in reports))
"""


def test_memory_stays_below_64_mb_for_a_large_vocabulary_and_a_large_file(tmp_path: Path) -> None:
    large = tmp_path / "large.gguf"
    large.write_bytes(big_vocabulary(262_144).bytes())
    sparse = tmp_path / "sparse.gguf"
    sparse.write_bytes(llama_model().bytes())
    os.truncate(sparse, 100 * 10**9)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(large), str(sparse)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    growth, verdicts = done.stdout.splitlines()
    assert verdicts == "clean refused"
    assert int(growth) <= 64
