"""Runs the cases, repetition by repetition, and puts what they print into Results."""

from __future__ import annotations

import json
import pathlib
import sys
import time
from dataclasses import dataclass
from collections.abc import Callable

from . import cases, google_benchmark, processes
from .environments import Environment
from .results import Results


@dataclass(frozen=True)
class Setup:
    """Where everything is."""
    root: pathlib.Path                     # of the clone
    build: pathlib.Path                    # dtrain's release build
    logs: pathlib.Path
    environments: dict[str, Environment]   # of the peers that can run, by system
    prefix: tuple[str, ...] = ()           # before each command
    small: bool = False

    def can_run(self, case: cases.Case) -> bool:
        return case.system in (cases.DTRAIN, cases.LINK) or case.system in self.environments


SMALL_SECONDS = 8.0
FIRST_LOSS_TOLERANCE = 1e-3


def estimate_s(chosen: list[cases.Case], repetitions: int, small: bool) -> float:
    return sum(min(repetitions, case.repetitions_max)
               * (min(case.seconds, SMALL_SECONDS) if small else case.seconds) for case in chosen)


def duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def run_all(chosen: list[cases.Case], repetitions: int, setup: Setup, results: Results,
            save: Callable[[], None], tell: Callable[[str], None] = print) -> None:
    """Each case `repetitions` times, all cases in turn. A case that fails is told, and left out
    after it has failed twice. `save` is called after each repetition."""
    failed: dict[str, int] = {}
    took: dict[str, float] = {}
    begin = time.monotonic()
    for repetition in range(repetitions):
        for number, case in enumerate(chosen):
            if failed.get(case.name, 0) >= 2 or repetition >= case.repetitions_max:
                continue
            tell(f"repetition {repetition + 1}/{repetitions}, {number + 1}/{len(chosen)}: "
                 f"{case.name}")
            case_begin = time.monotonic()
            try:
                run_case(case, repetition, setup, results)
            except (processes.Failed, ValueError) as wrong:
                failed[case.name] = failed.get(case.name, 0) + 1
                results.failures.append(f"{case.name}, repetition {repetition + 1}: {wrong}")
                tell(f"  failed: {wrong}")
            took[case.name] = time.monotonic() - case_begin
        results.failures += differing_losses(results, repetition)
        results.repetitions = repetition + 1
        results.seconds = time.monotonic() - begin
        save()
        if repetition + 1 < repetitions:
            left = sum(max(0, min(repetitions, case.repetitions_max) - repetition - 1)
                       * took.get(case.name, 0.0) for case in chosen)
            tell(f"{duration(results.seconds)} so far; about {duration(left)} to go")


def differing_losses(results: Results, repetition: int) -> list[str]:
    """Who trains the same workload begins with the same weights and the same batch, so first losses
    are the same but for rounding. An embedding's table is each system's own."""
    losses: dict[str, dict[str, float]] = {}
    for name, metrics in results.values.items():
        workload = name.partition("training/")[2].partition("/")[0]
        first = metrics.get("first_loss", {}).get(repetition)
        if first is not None and workload != "embedding":
            losses.setdefault(workload, {})[name] = first
    return [f"repetition {repetition + 1}: first losses of {workload} differ: " +
            ", ".join(f"{name} {loss:.6f}" for name, loss in each.items())
            for workload, each in losses.items()
            if max(each.values()) - min(each.values()) > FIRST_LOSS_TOLERANCE]


def run_case(case: cases.Case, repetition: int, setup: Setup, results: Results) -> None:
    """Raises processes.Failed or ValueError."""
    log = setup.logs / f"{case.name.replace('/', '-')}.log"
    if case.system == cases.LINK:
        _run_link(case, repetition, setup, results, log)
        return
    arguments = case.small if setup.small and case.small is not None else case.arguments
    if case.system == cases.DTRAIN:
        program = str(setup.build / "benchmarks" / case.program)
        _run_program([*setup.prefix, program, "--benchmark_format=json", *arguments], case,
                     repetition, results, log)
        return
    environment = setup.environments[case.system]
    finished = processes.run([*setup.prefix, environment.python, *arguments], log=log,
                             deadline_s=case.deadline_s, environment=environment.variables)
    add_peer(case.name, finished.output, repetition, results)


def _run_program(command: list[str], case: cases.Case, repetition: int, results: Results,
                 log: pathlib.Path) -> None:
    """A program one of whose benchmarks failed ends with 1; the others' figures are good."""
    try:
        report = google_benchmark.parse(
            processes.run(command, log=log, deadline_s=case.deadline_s).output)
    except processes.Failed as failed:
        try:
            report = google_benchmark.parse(failed.output)
        except ValueError:
            raise failed from None
        report.errors.setdefault(case.program, str(failed).splitlines()[0])
    for name, values in report.values.items():
        for metric, value in values.items():
            results.add(name, metric, repetition, value)
    if report.errors:
        raise ValueError("; ".join(f"{name}: {why}" for name, why in report.errors.items()))


def add_peer(name: str, output: str, repetition: int, results: Results) -> None:
    """What a peer's script printed on its last line."""
    lines = output.strip().splitlines()
    try:
        printed = json.loads(lines[-1])
        results.versions.update(printed["versions"])
        for key, value in printed["results"].items():
            if isinstance(value, dict):
                for metric, number in value.items():
                    results.add(f"{name}/{key}", metric, repetition, float(number))
            else:
                results.add(name, key, repetition, float(value))
    except (IndexError, KeyError, TypeError, AttributeError, ValueError) as wrong:
        raise ValueError(f"{name} printed no result: {wrong}") from wrong


def _run_link(case: cases.Case, repetition: int, setup: Setup, results: Results,
              log: pathlib.Path) -> None:
    figures = setup.logs / "link.json"
    figures.unlink(missing_ok=True)
    command = [sys.executable, str(setup.root / "benchmarks/limited_link"), "--repetitions", "1",
               "--dtrain", str(setup.build / "src/app/dtrain"), "--json", str(figures),
               *case.arguments]
    try:
        processes.run([*setup.prefix, *command], log=log, deadline_s=case.deadline_s)
    except processes.Failed:
        # Its status says too whether its lines are met, in this one repetition.
        if not figures.exists():
            raise
    add_link(case.name, json.loads(figures.read_text(encoding="utf-8")), repetition, results)


def add_link(name: str, printed: dict, repetition: int, results: Results) -> None:
    for size in printed["sizes"]:
        mib = f"{size['bytes'] / (1 << 20):g}MiB"
        for row in size["rows"]:
            result = f"{name}/{row['name'].replace(' ', '/')}/{mib}"
            for metric, value in row.items():
                if isinstance(value, float):
                    results.add(result, metric, repetition, value)

