"""What the peers' scripts share. It runs inside a peer's environment: the standard library and
NumPy, no package of the comparison's own.

A script prints one JSON object on its last line: {"versions": {...}, "results": {metric: number}};
one that measures many things, {name: {metric: number}} of each. Whatever else it prints is for the
log. It leaves with a status other than 0 when a result check fails, so that a fast wrong answer is
no result.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable

import numpy

SEED = 5


def started() -> float:
    """When this process began, on time.monotonic()'s clock."""
    with open("/proc/self/stat", encoding="ascii") as stat:
        ticks = int(stat.read().rpartition(")")[2].split()[19])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.monotonic() - age


def one_thread() -> None:
    """For libraries that read the environment; before the framework is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["CUDA_VISIBLE_DEVICES"] = ""


def dying_with(parent: int) -> Callable[[], None]:
    """For a child, before its program begins: the kernel ends it when `parent`, this process, has
    ended."""
    prctl = ctypes.CDLL(None).prctl

    def arrange() -> None:
        prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(127)

    return arrange


def pss_bytes(pid: int | str = "self") -> int:
    """Proportional set size: memory shared by n processes counts 1/n in each."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/{pid}/smaps_rollup has no line Pss")


def check_falls(first: float, last: float, what: str) -> None:
    """The result check of training: the loss is a number and went down."""
    if not last < first or not numpy.isfinite(last):
        sys.exit(f"{what}: the loss was {first} at the first step and is {last} at the last")


def report(versions: dict[str, str],
           results: dict[str, float] | dict[str, dict[str, float]]) -> None:
    print(json.dumps({"versions": versions, "results": results}), flush=True)


def measure_training(framework: str, version: str, workload: str, examples: int, seconds: float,
                     step: Callable, batches: list) -> None:
    """Trains for `seconds` after a warm-up and reports examples per second, the time from the
    process's start to the end of the first step, and memory. `step` takes a batch's inputs and
    labels and gives the loss, of which float() waits until what was asked for is computed."""
    began = started()
    first = float(step(*batches[0]))
    to_first_step = time.monotonic() - began
    for batch in batches[:20]:
        step(*batch)
    begin = time.monotonic()
    steps = 0
    while time.monotonic() - begin < seconds:
        for batch in batches[:8]:
            loss = step(*batch)
        last = float(loss)
        steps += 8
        batches = batches[8:] + batches[:8]
    took = time.monotonic() - begin
    check_falls(first, last, f"{framework}, {workload}")
    report({framework.lower(): version},
           {"items_per_s": steps * examples / took, "first_step_s": to_first_step,
            "pss_bytes": pss_bytes(), "first_loss": first, "last_loss": last, "steps": steps})
