"""What the operator sees: log lines and metrics, both without content.

Log lines are JSON on stderr, for journald. Only values that this module's callers pass as keywords
are written, and no caller passes text of a request; an exception is written as its type and where
it was raised, never as its message, which may hold content.
"""

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

import psutil
import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from structlog.typing import EventDict, WrappedLogger

Log = structlog.stdlib.BoundLogger

GaugeSource: TypeAlias = Callable[[], Mapping[str, Mapping[str, float]]]
"""Model → gauge (`_ENGINE_GAUGES`) → value, read at every scrape."""

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


def configure_logging(*, pretty: bool) -> None:
    """Set up structlog once per process: JSON lines, or text for a person at a terminal."""
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if pretty
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _without_content,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


def logger(room: str) -> Log:
    """Return the logger of a room."""
    bound: Log = structlog.get_logger(room=room)
    return bound


def _without_content(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    error = event.pop("error", None)
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)
        event["error"] = type(error).__name__
        event["at"] = [f"{frame.name}:{frame.lineno}" for frame in frames[-4:]]
    return event


class Telemetry:
    """The metrics of one process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._exchanges = Counter(
            "cloister_exchanges_total",
            "Exchanges that ended, by model and outcome.",
            ["model", "outcome"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "cloister_tokens_total",
            "Tokens prefilled or generated, by model.",
            ["model", "kind"],
            registry=self._registry,
        )
        self._first_text = Histogram(
            "cloister_first_text_seconds",
            "From admission to the first text released by the policy.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._duration = Histogram(
            "cloister_exchange_seconds",
            "From admission to the closing entry.",
            ["model"],
            buckets=_SECONDS,
            registry=self._registry,
        )

    def watch_engine(self, gauges: GaugeSource) -> Callable[[], None]:
        """Show the workers' gauges at every scrape; returns what ends that."""
        collector = _EngineCollector(gauges)
        self._registry.register(collector)
        return lambda: self._registry.unregister(collector)

    def exchange_ended(
        self,
        model: str,
        outcome: str,
        prompt_tokens: int,
        completion_tokens: int,
        first_text: float,
        duration: float,
    ) -> None:
        """Count one exchange; times in seconds."""
        self._exchanges.labels(model, outcome).inc()
        self._tokens.labels(model, "prompt").inc(prompt_tokens)
        self._tokens.labels(model, "completion").inc(completion_tokens)
        self._first_text.labels(model).observe(first_text)
        self._duration.labels(model).observe(duration)

    def render(self) -> bytes:
        """Write all metrics in Prometheus' text format."""
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """Reads gauges when they are asked for, so that the token path does not write any."""

    def __init__(self, gauges: GaugeSource) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield one family per gauge, one sample per model, and this process's memory."""
        now = self._gauges()
        for name, text in _ENGINE_GAUGES.items():
            family = GaugeMetricFamily(f"cloister_engine_{name}", text, labels=["model"])
            for model, gauges in now.items():
                if name in gauges:
                    family.add_metric([model], gauges[name])
            yield family
        resident = psutil.Process().memory_info().rss
        yield GaugeMetricFamily(
            "cloister_gateway_resident_bytes", "Memory of the gateway process.", value=resident
        )


_ENGINE_GAUGES = {
    "running": "Sequences in the batch.",
    "waiting": "Generations in the queue.",
    "cells_used": "KV cells in use.",
    "cells_total": "KV cells there are.",
    "step_seconds": "Duration of the last engine step.",
    "held": "Generations without an ending.",
    "restarts": "Workers that were replaced.",
    "resumed": "Generations that went on in another worker.",
    "poisoned": "Generations that failed because they killed their worker twice.",
    "hung": "Workers that were replaced because a step took too long.",
}
