import json

import pytest

from appliance.telemetry import Telemetry, configure_logging, logger


def test_a_log_line_tells_where_an_error_was_raised_and_not_what_it_says(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(pretty=False)
    try:
        raise ValueError("the patient's name")
    except ValueError as error:
        logger("test").error("request failed", error=error)
    line = json.loads(capsys.readouterr().err)
    assert line["error"] == "ValueError"
    assert line["at"]
    assert "patient" not in json.dumps(line)


def test_metrics_count_exchanges_and_tokens_by_model() -> None:
    telemetry = Telemetry()
    telemetry.exchange_ended("demo", "finished", 7, 5, 0.01, 0.2)
    shown = telemetry.render().decode()
    assert 'cloister_exchanges_total{model="demo",outcome="finished"} 1.0' in shown
    assert 'cloister_tokens_total{kind="completion",model="demo"} 5.0' in shown


def test_engine_gauges_are_read_when_they_are_asked_for_and_no_longer_than_wanted() -> None:
    telemetry = Telemetry()
    forget = telemetry.watch_engine(lambda: {"demo": {"running": 3, "cells_used": 128}})
    shown = telemetry.render().decode()
    assert 'cloister_engine_running{model="demo"} 3.0' in shown
    assert 'cloister_engine_cells_used{model="demo"} 128.0' in shown
    forget()
    assert "cloister_engine_running" not in telemetry.render().decode()
