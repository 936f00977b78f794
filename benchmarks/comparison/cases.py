"""What is run in each repetition, in this order: dtrain's programs and the peers beside them, so
that what is compared runs within minutes of each other."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

HERE = pathlib.Path(__file__).resolve().parent
ADULT = str(HERE.parents[1] / "examples/data/adult-train.csv.gz")
DTRAIN, TENSORFLOW, PYTORCH, LINK = "dtrain", "tensorflow", "pytorch", "link"


@dataclass(frozen=True)
class Case:
    """One command. A program of dtrain's gives many results; a peer's script one, of `name`."""
    name: str
    system: str
    seconds: float         # about what one repetition takes
    arguments: tuple[str, ...] = ()
    program: str = ""      # of dtrain's, in the build folder
    small: tuple[str, ...] | None = None  # arguments of a smoke test; None: it has no part in one
    repetitions_max: int = 1000

    @property
    def deadline_s(self) -> float:
        return 60.0 + 5 * self.seconds


def _benchmark(name: str, program: str, seconds: float, samples: int, filter_: str = ".",
               repetitions_max: int = 1000, has_small: bool = False) -> Case:
    """One run of a Google Benchmark program; `filter_` is its regular expression. Each takes few
    samples, because every repetition takes as many again. `has_small`: stands for the whole
    program in a smoke test."""
    return Case(f"{DTRAIN}/{name}", DTRAIN, seconds,
                (f"--samples={samples}", f"--benchmark_filter={filter_}"), program,
                ("--small",) if has_small else None, repetitions_max)


def _script(name: str) -> str:
    return str(HERE / "peers" / name)


def _peer(system: str, script: str, workload: str, cluster: tuple[int, int] | None,
          seconds: float) -> Case:
    numbers = () if cluster is None else tuple(map(str, cluster))
    place = "local" if cluster is None else f"w{cluster[0]}s{cluster[1]}"
    file = _script(script)
    return Case(f"{system}/training/{workload}/{place}", system, seconds,
                (file, workload, *numbers, "3"), small=(file, workload, *numbers, "0.3"))


def _training(workload: str, seconds: float, *clusters: tuple[int, int],
              has_small: bool = False) -> list[Case]:
    """dtrain's cases of a workload, and the same on the peers. `seconds`: of dtrain's. `clusters`:
    workers and servers of TensorFlow's."""
    return [
        _benchmark(f"training-{workload}", "training_bench", seconds, 1,
                   f"^training/{workload}/", has_small=has_small),
        _peer(TENSORFLOW, "tensorflow_local.py", workload, None, 8),
        *(_peer(TENSORFLOW, "tensorflow_cluster.py", workload, cluster, 16)
          for cluster in clusters),
        _peer(PYTORCH, "torch_local.py", workload, None, 6),
    ]


def all_cases() -> list[Case]:
    # What lines and plots are made of; the other shapes are many and less is asked of them.
    plain = "^exchange/.*/w1s1/sync/fp32/(arena|own)"
    return [
        _benchmark("limits", "limits_bench", 10, 5, repetitions_max=3, has_small=True),
        _benchmark("transport", "transport_bench", 15, 5, has_small=True),
        _benchmark("exchange", "exchange_bench", 40, 3, plain, has_small=True),
        _benchmark("exchange-shapes", "exchange_bench", 90, 3, f"-{plain}|^variables|^scale", 3),
        _benchmark("variables", "exchange_bench", 5, 5, "^variables"),
        _benchmark("scale", "exchange_bench", 30, 2, "^scale"),
        Case(f"{TENSORFLOW}/exchange", TENSORFLOW, 20,
             (_script("tensorflow_exchange.py"), "0.4", "4096,1048576,16777216,67108864",
              "10000000"),
             small=(_script("tensorflow_exchange.py"), "0.05", "4096", "100000")),
        _benchmark("rows", "rows_bench", 25, 3, has_small=True),
        _benchmark("reading", "reading_bench", 5, 5, has_small=True),
        Case(f"{TENSORFLOW}/reading", TENSORFLOW, 30, (_script("tensorflow_data.py"), "2", ADULT),
             small=(_script("tensorflow_data.py"), "0.1", ADULT)),
        _benchmark("kernels", "kernels_bench", 20, 5, repetitions_max=3, has_small=True),
        *_training("mlp", 35, (1, 1), (2, 2), has_small=True),
        *_training("small", 3),
        *_training("convnet", 3),
        *_training("wide", 3),
        *_training("embedding", 20, (2, 2)),
        _benchmark("startup", "training_bench", 10, 1, "^(startup|memory)"),
        Case("link/1gbit", LINK, 20, ("--rate", "1gbit")),
    ]
