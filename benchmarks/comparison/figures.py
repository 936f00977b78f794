"""What is drawn: plain data for plots.py, which runs where matplotlib is and knows nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from . import lines
from .results import Results, summarize

Figure = dict[str, Any]


def _point(results: Results, result: str, metric: str, scale: float) -> dict[str, float] | None:
    values = results.of(result, metric)
    summary = summarize({at: value * scale for at, value in values.items()})
    if summary is None:
        return None
    return {"median": summary.median, "low": summary.low, "high": summary.high}


def _bars(results: Results, file: str, title: str, unit: str, scale: float,
          labels: dict[str, str], series: Sequence[tuple[str, Callable[[str], str], str]],
          log: bool = False) -> Figure | None:
    """`labels`: what is shown of each name. `series`: a title, what its result of a name is called,
    and its metric. None when nothing of it was measured."""
    shown = [name for name in labels
             if any(_point(results, result(name), metric, scale) for _, result, metric in series)]
    if not shown:
        return None
    drawn = [{"name": name,
              "values": [_point(results, result(one), metric, scale) for one in shown]}
             for name, result, metric in series]
    return {"file": file, "title": title, "unit": unit, "log": log,
            "labels": [labels[one] for one in shown],
            "series": [one for one in drawn if any(one["values"])]}


def _exchange(results: Results, transport: str, title: str) -> list[Figure | None]:
    def own(name: str) -> str:
        operation, size = name.split("/")
        return f"exchange/{operation}/{transport}/{size}/w1s1/sync/fp32/arena"

    def figure(file: str, what: str, unit: str, scale: float, sizes: tuple[str, ...], metric: str,
               limit: str, log: bool) -> Figure | None:
        labels = {f"{operation}/{size}": f"{operation} {size.replace('iB', '')}"
                  for operation in ("push", "pull", "push-pull") for size in sizes}
        series = [("dtrain", own, metric), ("limit", own, limit)]
        if transport == "tcp":
            series.append(("TensorFlow", lambda name: f"tensorflow/exchange/{name}", metric))
        return _bars(results, f"{file}-{transport}", f"{title}: {what}", unit, scale, labels,
                     series, log)

    return [figure("exchange", "goodput of 1 worker and 1 server", "GB/s each way", 1e-9,
                   ("1MiB", "4MiB", "16MiB", "64MiB", "256MiB"), "bytes_per_s",
                   "limit_bytes_per_s", False),
            figure("latency", "time of a small exchange, p50", "µs", 1.0, ("4KiB", "16KiB"),
                   "p50_us", "limit_us", transport == "tcp")]


_SYSTEMS: tuple[tuple[str, Callable[[str], str], str], ...] = (
    ("dtrain", lambda name: name, "items_per_s"),
    ("TensorFlow", lambda name: f"tensorflow/{name}", "items_per_s"),
    ("PyTorch", lambda name: f"pytorch/{name}", "items_per_s"))


def _one_process(results: Results) -> Figure | None:
    labels = {f"training/{workload}/local": label for workload, label in (
        ("mlp", "784-1024-1024-10"), ("small", "64-128-10"), ("convnet", "convolutions"),
        ("wide", "wide and deep"))}
    return _bars(results, "training-local", "Training in one process, one thread",
                 "thousand examples/s", 1e-3, labels, _SYSTEMS, log=True)


def _training(results: Results, workload: str, title: str) -> Figure | None:
    places = {"local": "1 process", "w1s1": "1 + 1", "w2s2": "2 + 2",
              "w2s2/sync": "2 + 2, synchronous"}
    labels = {f"training/{workload}/{place}": label for place, label in places.items()}
    return _bars(results, f"training-{workload}", title, "thousand examples/s", 1e-3, labels,
                 _SYSTEMS)


def _targets(results: Results) -> Figure | None:
    checks = []
    for line in lines.all_lines():
        for check in line.checks:
            verdict = lines.judge(check, results)
            if verdict.summary is None or verdict.summary.median <= 0:
                continue
            value = verdict.summary.median / check.threshold
            checks.append({"label": f"{line.label}: {check.what}",
                           "value": value if check.at_least else 1 / value})
    if not checks:
        return None
    return {"file": "lines", "title": "What was wanted is 1; beyond it is better",
            "unit": "figure over threshold, or threshold over figure where less is better",
            "checks": checks}


def all_figures(results: Results) -> list[Figure]:
    """Those of which something was measured."""
    figures = [
        _targets(results),
        *_exchange(results, "shm", "Shared memory, one host"),
        *_exchange(results, "tcp", "TCP on loopback"),
        _one_process(results),
        _training(results, "mlp", "Training 784-1024-1024-10, batch 64, one thread per process"),
        _training(results, "embedding", "Training an embedding of 1 M × 32, batch 1024, one "
                                        "thread per process"),
    ]
    return [figure for figure in figures if figure is not None]
