"""Tuning tries settings on the real thing and reports every trial."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from appliance.engine.tuning import tune
from appliance.errors import UnavailableError
from tests.support.engine_talk import settings
from tests.support.engine_weights import sealed


def test_every_setting_is_tried_once_and_the_best_comes_first(small_model: Path) -> None:
    async def body() -> None:
        trials = await tune(sealed(small_model), settings(), processors=2, seconds=0.02)
        tried = [
            (t.settings.threads, t.settings.kv_type, t.settings.flash_attention) for t in trials
        ]
        assert len(set(tried)) == len(tried) >= 3
        assert {threads for threads, _, _ in tried} == {1, 2}
        scores = [trial.score for trial in trials]
        assert scores == sorted(scores, reverse=True)
        assert all(trial.alone > 0 and trial.together > 0 for trial in trials)

    uvloop.run(body())


def test_formats_that_the_house_does_not_accept_are_not_tried(small_model: Path) -> None:
    trials = asyncio.run(
        tune(sealed(small_model), settings(), processors=1, kv_types=("f16",), seconds=0.01)
    )
    assert {trial.settings.kv_type for trial in trials} == {"f16"}


def test_a_model_that_does_not_load_is_no_result(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(UnavailableError, match=r"llama\.cpp"):
        asyncio.run(tune(sealed(path), settings(), processors=1, seconds=0.01))
