"""llama.cpp itself loads what the gate calls clean, for every architecture in the tables.

In a process of its own: a wrong table makes llama.cpp throw or abort.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.registry.gguf.families import BY_ARCHITECTURE
from appliance.registry.scan import scan_file
from tests.support.gguf_families import EXPERTS, model_of

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
    settings.embeddings = embeds = "bert" in path or "embedding" in path
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
    """What became of each model; those after one that ends the process are not reached."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ | {"GGML_NO_BACKTRACE": "1"},
    )
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.startswith("/")]
    results = {Path(path).stem: said for path, said in rows}
    for path in paths:
        results.setdefault(path.stem, f"ended the process: {done.stderr[-2000:]}")
    return results


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("models")
    made = {name: model_of(name) for name in BY_ARCHITECTURE}
    made["llama-experts"] = model_of("llama", experts=True)
    made["gemma4-experts"] = model_of("gemma4", experts=True)
    made |= {f"{name}-fused": model_of(name, fused=True) for name in ("llama", "phi3", "gemma4")}
    made["gemma4-experts-fused"] = model_of("gemma4", experts=True, fused=True)
    for name, model in made.items():
        (folder / f"{name}.gguf").write_bytes(model.bytes())
    return sorted(folder.iterdir())


def test_the_gate_calls_every_one_clean(models: list[Path]) -> None:
    refused = {path.stem: scan_file(path).reasons for path in models}
    assert {name: reasons for name, reasons in refused.items() if reasons} == {}


def test_llama_cpp_loads_and_decodes_every_one(models: list[Path]) -> None:
    results = load_all(models)
    assert {name: said for name, said in results.items() if said != "decodes 0"} == {}


def test_the_tables_of_experts_are_among_them() -> None:
    assert set(BY_ARCHITECTURE) >= EXPERTS
