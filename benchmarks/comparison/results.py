"""What was measured: of each result and metric one value a repetition, and medians of them."""

from __future__ import annotations

import json
import math
import pathlib
import statistics
from dataclasses import dataclass, field

FORMAT = 1

Values = dict[int, float]  # by repetition


@dataclass(frozen=True)
class Summary:
    """Of the values of several repetitions."""
    median: float
    low: float
    high: float
    count: int


def summarize(values: Values) -> Summary | None:
    """None of no values."""
    numbers = sorted(values.values())
    if not numbers:
        return None
    return Summary(statistics.median(numbers), numbers[0], numbers[-1], len(numbers))


def quotient(numerator: Values, denominator: Values) -> Values:
    """Of the repetitions that have both: what a machine's mood does to one it does to the other."""
    return {at: numerator[at] / denominator[at] for at in sorted(numerator)
            if denominator.get(at, 0.0) != 0.0}


@dataclass
class Results:
    """All of one run of the comparison."""
    date: str = ""
    repetitions: int = 0
    seconds: float = 0.0
    commit: str = ""
    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)  # why, by peer
    failures: list[str] = field(default_factory=list)
    values: dict[str, dict[str, Values]] = field(default_factory=dict)  # by result and metric

    def add(self, result: str, metric: str, repetition: int, value: float) -> None:
        """What is no number (a limit that was not measured, say) is no value."""
        if math.isfinite(value):
            self.values.setdefault(result, {}).setdefault(metric, {})[repetition] = value

    def of(self, result: str, metric: str) -> Values:
        return self.values.get(result, {}).get(metric, {})

    def summary(self, result: str, metric: str) -> Summary | None:
        return summarize(self.of(result, metric))

    def save(self, path: pathlib.Path) -> None:
        """In place of what was there, never half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps({"format": FORMAT, **vars(self)}, indent=1) + "\n",
                           encoding="utf-8")
        partial.replace(path)

    @staticmethod
    def load(path: pathlib.Path) -> Results:
        """Raises ValueError for a file that is none of ours."""
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
            if raw.pop("format") != FORMAT:
                raise ValueError("another format")
            results = Results(**raw)
            results.values = {
                result: {metric: {int(at): float(value) for at, value in series.items()}
                         for metric, series in metrics.items()}
                for result, metrics in results.values.items()}
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            raise ValueError(f"{path} holds no results of benchmarks/compare: {wrong}") from wrong
        return results
