"""Reads what a Google Benchmark program printed with --benchmark_format=json."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

# What the library appends to the name that a benchmark was registered with.
_APPENDED = re.compile(
    r"/(real_time|manual_time|process_time|iterations:\d+|repeats:\d+|min_time:[\d.]+s?"
    r"|min_warmup_time:[\d.]+s?|threads:\d+)$")
_MICROSECONDS = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
_ABOUT_THE_RUN = {"family_index", "per_family_instance_index", "repetitions", "repetition_index",
                  "threads", "iterations", "real_time", "cpu_time"}
# The library's own words for rates are ours.
_RENAMED = {"items_per_second": "items_per_s", "bytes_per_second": "bytes_per_s"}


@dataclass
class Report:
    values: dict[str, dict[str, float]]  # by benchmark and counter
    errors: dict[str, str]               # by benchmark


def result_name(name: str) -> str:
    while True:
        shorter = _APPENDED.sub("", name)
        if shorter == name:
            return name
        name = shorter


def parse(text: str) -> Report:
    """Raises ValueError for what is no such report. Text around the JSON object is skipped."""
    begin, end = text.find("{"), text.rfind("}")
    if begin < 0 or end < begin:
        raise ValueError("it printed no JSON")
    try:
        entries = json.loads(text[begin:end + 1])["benchmarks"]
    except (ValueError, KeyError) as wrong:
        raise ValueError(f"it printed no Google Benchmark report: {wrong}") from wrong
    report = Report({}, {})
    for entry in entries:
        name = result_name(entry["name"])
        if entry.get("error_occurred"):
            report.errors[name] = entry.get("error_message", "no reason given")
            continue
        if entry.get("run_type", "iteration") != "iteration":
            continue
        values = {_RENAMED.get(key, key): float(value) for key, value in entry.items()
                  if isinstance(value, (int, float)) and not isinstance(value, bool)
                  and key not in _ABOUT_THE_RUN}
        if "real_time" in entry:
            values["time_us"] = entry["real_time"] * _MICROSECONDS[entry.get("time_unit", "ns")]
        report.values[name] = values
    return report
