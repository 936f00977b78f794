"""The command benchmarks/compare: its arguments, and what it does in which order."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import sys

from . import cases, environments, figures, machine, processes, render, runner, tables
from .results import Results

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent
BUILD = ROOT / "build/release"
OUT = ROOT / "build/compare"
PAGE = "performance.md"
BUILD_DEADLINE_S = 3600.0

DESCRIPTION = """Runs the same workloads on dtrain and its peers, repetition by repetition in
turn, beside the machine's limits, and writes the medians into docs/performance.md and
docs/performance/. Nothing else should run on the machine meanwhile."""


class Stop(Exception):
    """A reason to end with a message, and nothing more to do."""


def _tell(text: str) -> None:
    print(text, flush=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks/compare", description=DESCRIPTION)
    parser.add_argument("--repetitions", type=int, metavar="N",
                        help="of every case; 9, or 1 with --small")
    parser.add_argument("--only", action="append", default=[], metavar="REGEX",
                        help="cases whose names it is found in; may be given again")
    parser.add_argument("--small", action="store_true",
                        help="a smoke test: small sizes, some seconds a case")
    parser.add_argument("--list", action="store_true", help="print the cases and end")
    parser.add_argument("--results", type=pathlib.Path, metavar="FILE",
                        help="raw results as JSON: build/compare/results.json, or part.json when "
                             "not everything is measured")
    parser.add_argument("--render", type=pathlib.Path, metavar="FILE",
                        help="measure nothing: write the page from results saved before")
    parser.add_argument("--into", type=pathlib.Path, metavar="FOLDER",
                        help=f"where {PAGE} is written: docs after a whole run and for --render, "
                             "else build/compare")
    parser.add_argument("--torch-python", metavar="PYTHON",
                        help="a Python that has PyTorch and NumPy, in place of Debian's "
                             "python3-torch")
    parser.add_argument("--no-peers", action="store_true", help="dtrain and the limits alone")
    parser.add_argument("--no-plots", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, metavar="FOLDER",
                        help="use what is built there, in place of building build/release")
    parser.add_argument("--prefix", default="", metavar="COMMAND",
                        help="before each measured command, such as 'taskset -c 0,1'")
    options = parser.parse_args(arguments)
    if options.repetitions is None:
        options.repetitions = 1 if options.small else 9
    if options.repetitions < 1:
        parser.error("--repetitions is at least 1")
    for text in options.only:
        try:
            re.compile(text)
        except re.error as wrong:
            parser.error(f"--only {text}: {wrong}")
    options.whole = not (options.small or options.only or options.no_peers)
    if options.results is None:
        options.results = OUT / ("results.json" if options.whole else "part.json")
    if options.into is None:
        options.into = ROOT / "docs" if options.whole or options.render else OUT
    return options


def choose(every: list[cases.Case], options: argparse.Namespace) -> list[cases.Case]:
    """Raises Stop when nothing is left."""
    chosen = [case for case in every
              if (not options.only or any(re.search(one, case.name) for one in options.only))
              and (not options.small or case.small is not None)
              and (not options.no_peers or case.system == cases.DTRAIN)]
    if not chosen:
        raise Stop("no case is left; --list names them")
    return chosen


def build(chosen: list[cases.Case], logs: pathlib.Path) -> None:
    """The release build with benchmarks, as scripts/demo builds. Raises Stop."""
    programs = sorted({case.program for case in chosen if case.program})
    if not programs and not any(case.system == cases.LINK for case in chosen):
        return
    log = logs / "build.log"
    _tell(f"building (log: {log})")
    library = shlex.quote(str(ROOT / "scripts/lib.sh"))
    targets = " ".join(["dtrain_app", *programs])
    script = (f". {library} && scripts/install_dependencies --tests && "
              "configure release -DDTRAIN_BENCHMARKS=ON && "
              f'cmake --build build/release --parallel "$(cores)" --target {targets}')
    try:
        processes.run(["bash", "-c", f"set -e; {script}"], log=log, deadline_s=BUILD_DEADLINE_S,
                      folder=ROOT)
    except processes.Failed as wrong:
        raise Stop(f"dtrain cannot be built; {log} says why.\n{wrong}") from wrong


def prepare_peers(chosen: list[cases.Case], options: argparse.Namespace, results: Results,
                  logs: pathlib.Path) -> dict[str, environments.Environment]:
    """What cannot be had is reported, and stands in the results."""
    found = {}
    for system in sorted({case.system for case in chosen} - {cases.DTRAIN, cases.LINK}):
        try:
            found[system] = _peer(system, options, logs / f"install-{system}.log")
        except environments.Unavailable as wrong:
            results.skipped[system] = str(wrong)
            _tell(f"skipping {system}: {wrong}")
    return found


def _peer(system: str, options: argparse.Namespace,
          log: pathlib.Path) -> environments.Environment:
    if system == cases.TENSORFLOW:
        recipe = environments.venv(system, HERE / "requirements/tensorflow.txt", ("tensorflow",))
        return environments.prepare(recipe, log, tell=_tell)
    modules = ("numpy", "torch")
    if options.torch_python:
        return environments.own_python(options.torch_python, modules, log)
    # Debian's alternative for BLAS may be the reference implementation, thirty times slower.
    packages = ["python3-torch", "python3-numpy", "libopenblas0-pthread"]
    recipe = environments.debian_packages(system, packages, modules)
    return environments.prepare(recipe, log, tell=_tell)


def link_problem() -> str | None:
    """Why a link of limited rate cannot be made here."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("tc") is None or shutil.which("ip") is None:
        return "there is no tc or ip (on Debian: apt-get install iproute2)"
    if not (ROOT / "benchmarks/limited_link").exists():
        return "benchmarks/limited_link is not there"
    return None


def measure(options: argparse.Namespace) -> Results:
    logs = OUT / "logs"
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    results = Results(date=datetime.date.today().isoformat(), commit=machine.commit(ROOT),
                      machine=machine.describe(), versions=machine.versions())
    chosen = choose(cases.all_cases(), options)
    if any(case.system == cases.LINK for case in chosen) and (why := link_problem()):
        results.skipped["a link of limited rate"] = why
        _tell(f"skipping the link of limited rate: {why}")
        chosen = [case for case in chosen if case.system != cases.LINK]
    if options.build is None:
        build(chosen, logs)
    setup = runner.Setup(root=ROOT, build=(options.build or BUILD).resolve(), logs=logs,
                         environments=prepare_peers(chosen, options, results, logs),
                         prefix=tuple(shlex.split(options.prefix)), small=options.small)
    chosen = [case for case in chosen if setup.can_run(case)]
    if not chosen:
        raise Stop("nothing is left to run")
    guess = runner.estimate_s(chosen, options.repetitions, options.small)
    _tell(f"{options.repetitions} repetitions of {len(chosen)} cases, about "
          f"{runner.duration(guess)}")
    runner.run_all(chosen, options.repetitions, setup, results,
                   lambda: results.save(options.results), _tell)
    results.save(options.results)
    return results


def draw(results: Results, folder: pathlib.Path) -> list[tuple[str, str]]:
    """The plots' titles and paths without extension, relative to the page's folder."""
    wanted = figures.all_figures(results)
    if not wanted:
        return []
    log = OUT / "logs/plots.log"
    try:
        recipe = environments.venv("plots", HERE / "requirements/plots.txt", ("matplotlib",))
        environment = environments.prepare(recipe, log, tell=_tell)
        data = OUT / "figures.json"
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_text(json.dumps(wanted), encoding="utf-8")
        processes.run([environment.python, str(HERE / "plots.py"), str(data),
                       str(folder / "performance")], log=log, deadline_s=300)
    except (environments.Unavailable, processes.Failed) as wrong:
        _tell(f"no plots: {wrong}")
        return []
    return [(figure["title"], f"performance/{figure['file']}") for figure in wanted]


def publish(results: Results, options: argparse.Namespace) -> None:
    page = options.into / PAGE
    plots = [] if options.no_plots else draw(results, options.into)
    render.write(page, render.region(results, plots))
    _tell("\n".join(tables.lines_table(results)))
    _tell(f"written: {page}; raw results: {options.render or options.results}")


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    if options.list:
        for case in cases.all_cases():
            _tell(f"{case.name:45} {runner.duration(case.seconds):>8}")
        return 0
    # All end the run with every process of it; SIGINT also where a shell had it ignored.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    processes.adopt_orphans()
    try:
        if options.render:
            results = Results.load(options.render)
        else:
            results = measure(options)
        publish(results, options)
    except KeyboardInterrupt:
        processes.end_descendants()
        _tell("\nstopped; what whole repetitions measured is in " + str(options.results))
        return 130
    except (Stop, ValueError, OSError, environments.Unavailable) as wrong:
        print(f"benchmarks/compare: {wrong}", file=sys.stderr)
        return 2
    return 1 if results.failures and not options.render else 0
