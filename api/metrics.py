"""What Prometheus reads: the store's totals, which hold for all workers, and the requests of this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from agentic import usage

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each one, which nobody reads


@dataclass(frozen=True, slots=True)
class Total:
    """A counter kept by the store; where it has two labels, their values are joined by `|`."""

    labels: tuple[str, ...]
    help: str


TOTALS: dict[str, Total] = {
    "events": Total(("result",), "Events by what the queue did with them: accepted, duplicate, full, pushed, …"),
    "records": Total(("status",), "History records written, by how the handling ended"),
    "diagnoses": Total(("category",), "Failures diagnosed, by root cause"),
    "effects": Total(("action", "status"), "Steps carried out or refused, by how they ended"),
    "feedback": Total(("verdict",), "Feedback given by people"),
}
GAUGES: dict[str, tuple[str, str]] = {
    "queue_depth": ("queue_depth", "Events waiting"),
    "queue_limit": ("queue_limit", "Events that may wait at most"),
    "queue_oldest_age_seconds": ("oldest_age_seconds", "Age of the oldest event without a record"),
    "in_flight": ("in_flight", "Events in workers' hands"),
    "delayed": ("delayed", "Events put aside until they are due"),
    "dead_letters": ("dead", "Dead letters kept"),
    "history_records": ("history_length", "History records kept"),
}
"""Gauge to the entry of the store's status that it shows, and what it means."""
HISTOGRAMS: dict[str, tuple[str, str, str, tuple[float, ...]]] = {
    "gen_ai_seconds": (
        "gen_ai_client_operation_duration_seconds",
        "Time that questions to the model took, failed ones with the type of their error",
        "error_type",
        usage.SECONDS,
    ),
    "gen_ai_tokens": (
        "gen_ai_client_token_usage",
        "Tokens of questions to the model and of its answers",
        "gen_ai_token_type",
        usage.TOKENS,
    ),
}
"""Total kept by the store to the histogram that it is: name, help, second label and buckets.

The names are those of OpenTelemetry's GenAI conventions, so they have no prefix of ours.
"""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """Counts and times requests by the route's template, never by the path a client made up."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "autoremedy_http_requests_total",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "autoremedy_http_request_seconds",
            "Time from the first byte of a request's head to the end of its answer",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        ProcessCollector(namespace="autoremedy", registry=self.registry)
        self._bound: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def observe(self, method: str, scope: Scope, status: int, seconds: float) -> None:
        """Count one request."""
        key = (method if method in METHODS else "other", _route(scope), status)
        bound = self._bound.get(key)
        if bound is None:
            bound = (self._requests.labels(*map(str, key)), self._seconds.labels(*key[:2]))
            self._bound[key] = bound
        bound[0].inc()
        bound[1].observe(seconds)


def _route(scope: Scope) -> str:
    route = scope.get("route")
    if route is not None:
        return str(route.path)
    return "/static" if scope["path"].startswith("/static/") else "unmatched"


class _Snapshot(Collector):
    """What the store said a moment ago, as metrics."""

    def __init__(
        self,
        version: str,
        totals: Mapping[str, Mapping[str, float]] | None,
        status: Mapping[str, Any] | None,
    ) -> None:
        self._version = version
        self._totals = totals
        self._status = status

    def collect(self) -> Iterable[Metric]:
        """Yield every metric."""
        build = GaugeMetricFamily("autoremedy_build_info", "Version of this program", labels=["version"])
        build.add_metric([self._version], 1)
        yield build
        up = self._status is not None
        yield GaugeMetricFamily("autoremedy_store_up", "1 while the store answers", value=float(up))
        if self._status is not None:
            yield from self._gauges(self._status)
        for name, total in TOTALS.items() if self._totals is not None else ():
            family = CounterMetricFamily(f"autoremedy_{name}", total.help, labels=total.labels)
            for values, count in (self._totals or {}).get(name, {}).items():
                family.add_metric(_label_values(values, len(total.labels)), count)
            yield family
        yield from self._histograms(self._totals or {})

    @staticmethod
    def _histograms(totals: Mapping[str, Mapping[str, float]]) -> Iterable[Metric]:
        for name, (metric, text, label, bounds) in HISTOGRAMS.items():
            labels = ["gen_ai_operation_name", "gen_ai_request_model", label]
            family = HistogramMetricFamily(metric, text, labels=labels)
            series: dict[tuple[str, str], dict[str, float]] = {}
            for values, amount in totals.get(name, {}).items():
                model, second, bucket = _label_values(values, 3)
                series.setdefault((model, second), {})[bucket] = amount
            for (model, second), found in series.items():
                reached = list(accumulate(found.get(str(n), 0.0) for n in range(len(bounds) + 1)))
                edges = [*(str(float(bound)) for bound in bounds), "+Inf"]
                buckets = list(zip(edges, reached, strict=True))
                family.add_metric(["chat", model, second], buckets=buckets, sum_value=found.get("sum", 0.0))
            yield family

    @staticmethod
    def _gauges(status: Mapping[str, Any]) -> Iterable[Metric]:
        for name, (entry, text) in GAUGES.items():
            value = status.get(entry)
            if value is not None:
                yield GaugeMetricFamily(f"autoremedy_{name}", text, value=float(value))
        paused = float(bool(status.get("paused")))
        yield GaugeMetricFamily("autoremedy_paused", "1 while no automatic action may begin", value=paused)
        workers = status.get("workers")
        if workers is not None:
            yield GaugeMetricFamily("autoremedy_workers", "Workers that were heard of lately", value=len(workers))
        llm = (status.get("llm") or {}).get("state")
        if llm in ("up", "down"):
            yield GaugeMetricFamily("autoremedy_llm_up", "1 while the model answers", value=float(llm == "up"))


def _label_values(joined: str, count: int) -> list[str]:
    values = joined.split("|", count - 1)
    return values + [""] * (count - len(values))


def exposition(
    http: HttpMetrics,
    version: str,
    totals: Mapping[str, Mapping[str, float]] | None,
    status: Mapping[str, Any] | None,
) -> bytes:
    """Write everything in Prometheus' text format; None stands for a store that does not answer."""
    registry = CollectorRegistry()
    registry.register(_Snapshot(version, totals, status))
    return generate_latest(registry) + generate_latest(http.registry)
