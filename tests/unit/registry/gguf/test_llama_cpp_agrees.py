"""llama.cpp itself loads what the gate calls clean, for every architecture in the tables.

In a process of its own: a wrong table makes llama.cpp throw or abort.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.gguf.family import COMMON
from appliance.registry.scan import scan_file, scan_source
from tests.support.gguf_builder import Field
from tests.support.gguf_families import EXPERTS, model_of
from tests.support.gguf_sources import CountingSource

LOAD = """
import sys
import llama_cpp as ll

def decode(path):
    parameters = ll.llama_model_default_params()
    parameters.check_tensors = True
    model = ll.llama_model_load_from_file(path.encode(), parameters)
    if not model:
        return "does not load"
    settings = ll.llama_context_default_params()
    settings.n_ctx, settings.n_threads, settings.n_threads_batch = 32, 1, 1
    settings.embeddings = embeds = ".embeds." in path
    context = ll.llama_init_from_model(model, settings)
    tokens = (ll.llama_token * 3)(4, 5, 6)
    batch = ll.llama_batch_get_one(tokens, 3)
    code = (ll.llama_encode if embeds else ll.llama_decode)(context, batch)
    ll.llama_free(context)
    ll.llama_model_free(model)
    return f"decodes {code}"

ll.llama_backend_init()
for path in sys.argv[1:]:
    print(path, decode(path), sep="\\t", flush=True)
"""


def load_all(paths: list[Path]) -> dict[str, str]:
    """What became of each model: in one process, and in another after one that ended it."""
    results: list[str] = []
    while len(results) < len(paths):
        done = subprocess.run(
            [sys.executable, "-c", LOAD, *map(str, paths[len(results) :])],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},
        )
        rows = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("/")]
        results += (said for _, said in rows)
        if len(results) < len(paths):
            said = [line for line in done.stderr.splitlines() if "ASSERT" in line][-1:]
            results.append(f"ended the process: {said} {done.returncode}")
    return {path.name: said for path, said in zip(paths, results, strict=True)}


def file_of(folder: Path, architecture: str, name: str) -> Path:
    """Its last suffixes tell the loader whether the model decodes or embeds."""
    family = BY_ARCHITECTURE.get(architecture)
    return folder / f"{name}{'.embeds' if family is not None and family.embeds else ''}.gguf"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    made = {name: model_of(name) for name in BY_ARCHITECTURE}
    made["llama-experts"] = model_of("llama", experts=True)
    made["gemma4-experts"] = model_of("gemma4", experts=True)
    made |= {f"{name}-fused": model_of(name, fused=True) for name in ("llama", "phi3", "gemma4")}
    made["gemma4-experts-fused"] = model_of("gemma4", experts=True, fused=True)
    for name, model in made.items():
        path = file_of(folder, name, name)
        path.write_bytes(model.bytes())
    return sorted(folder.iterdir())


def test_the_gate_calls_every_one_clean(models: list[Path]) -> None:
    refused = {path.stem: scan_file(path).reasons for path in models}
    assert {name: reasons for name, reasons in refused.items() if reasons} == {}


def test_llama_cpp_loads_and_decodes_every_one(models: list[Path]) -> None:
    results = load_all(models)
    assert {name: said for name, said in results.items() if said != "decodes 0"} == {}


def test_llama_cpp_decodes_with_every_edit_of_a_number_that_the_gate_lets_through(
    tmp_path: Path,
) -> None:
    """The gate's promise, the other way round: what is clean does not end the worker."""
    passed = []
    for architecture in BY_ARCHITECTURE:
        built = model_of(architecture).build()
        for field in built.fields:
            number = field.name.startswith(f"pair[{architecture}.") and ".key." not in field.name
            if not number and not field.name.endswith("_token_id].value"):
                continue
            for edit in edits_of(field, field.read(built.data)):
                data = field.write(built.data, edit)
                if scan_source(CountingSource(data), "m").verdict == "clean":
                    name = f"{architecture}-{len(passed)}-{field.name}={edit}"
                    passed.append(file_of(tmp_path, architecture, name))
                    passed[-1].write_bytes(data)
    assert len(passed) > 100
    results = load_all(passed)
    assert {name: said for name, said in results.items() if said != "decodes 0"} == {}


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "gemma3", "gemma4", "gpt-oss"])
def test_llama_cpp_decodes_with_every_added_number_that_the_gate_lets_through(
    architecture: str, tmp_path: Path
) -> None:
    passed = []
    base = model_of(architecture)
    for number in (*COMMON, *BY_ARCHITECTURE[architecture].numbers):
        for value in (0, 1, 16):
            key = f"{architecture}.{number.name}"
            model = base.copy().set(key, int(number.type), value)
            data = model.bytes()
            if scan_source(CountingSource(data), "m").verdict == "clean":
                passed.append(file_of(tmp_path, architecture, f"{len(passed)}-{key}={value}"))
                passed[-1].write_bytes(data)
    assert len(passed) > 20
    results = load_all(passed)
    assert {name: said for name, said in results.items() if said != "decodes 0"} == {}


def edits_of(field: Field, value: float) -> set[float]:
    if field.format == "f":
        return {0.0, 1e-6, 1e6}
    limit = 255 if field.format == "B" else 2**31 - 1
    whole = int(value)
    edits = {0, 1, 8, whole + 1, whole // 2, whole * 2, limit} - {whole}
    return {edit for edit in edits if edit <= limit}


def test_the_tables_of_experts_are_among_them() -> None:
    assert set(BY_ARCHITECTURE) >= EXPERTS
