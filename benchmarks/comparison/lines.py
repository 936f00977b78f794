"""The lines that dtrain shall reach ("How fast" in the issues that asked for what is measured): what
each says, and which results decide it."""

from __future__ import annotations

from dataclasses import dataclass

from .results import Results, Summary, Values, quotient, summarize


@dataclass(frozen=True)
class Metric:
    result: str
    metric: str

    def metrics(self) -> tuple[Metric, ...]:
        """What it is made of."""
        return (self,)

    def values(self, results: Results) -> Values:
        return results.of(self.result, self.metric)


@dataclass(frozen=True)
class Largest:
    """Of several metrics, in each repetition that has them all."""
    of: tuple[Metric, ...]

    def metrics(self) -> tuple[Metric, ...]:
        return self.of

    def values(self, results: Results) -> Values:
        every = [metric.values(results) for metric in self.of]
        return {at: max(values[at] for values in every) for at in sorted(every[0])
                if all(at in values for values in every)}


@dataclass(frozen=True)
class Quotient:
    """Of two figures, repetition by repetition; `factor` times the second."""
    numerator: Metric
    denominator: Metric | Largest
    factor: float = 1.0

    def metrics(self) -> tuple[Metric, ...]:
        return self.numerator.metrics() + self.denominator.metrics()

    def values(self, results: Results) -> Values:
        pairs = quotient(self.numerator.values(results), self.denominator.values(results))
        return {at: value / self.factor for at, value in pairs.items()}


@dataclass(frozen=True)
class Check:
    """A figure that is at least, or at most, a threshold."""
    what: str
    figure: Metric | Largest | Quotient
    threshold: float
    at_least: bool = True
    unit: str = "×"      # of the threshold: × for ratios
    scale: float = 1.0   # of the figure, into that unit
    processor: str = ""  # asked only of machines whose processor's name has this in it


@dataclass(frozen=True)
class Line:
    text: str
    label: str  # a few words, for the plot
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class Verdict:
    check: Check
    summary: Summary | None  # in the check's unit; None: not measured
    met: bool | None

    @property
    def word(self) -> str:
        if self.met is None and self.summary is not None:
            return f"asked of an {self.check.processor} only"
        return {True: "met", False: "**not met**", None: "not measured"}[self.met]


def judge(check: Check, results: Results) -> Verdict:
    """By the median over repetitions."""
    values = {at: value * check.scale for at, value in check.figure.values(results).items()}
    summary = summarize(values)
    if summary is None or check.processor not in results.machine.get("processor", ""):
        return Verdict(check, summary, None)
    met = (summary.median >= check.threshold if check.at_least
           else summary.median <= check.threshold)
    return Verdict(check, summary, met)


def judge_line(verdicts: list[Verdict]) -> bool | None:
    """A line is met when all its checks are; one that is not is enough to miss it. None: not all
    of it was measured, or is asked of this machine."""
    if any(verdict.met is False for verdict in verdicts):
        return False
    return True if all(verdict.met for verdict in verdicts) else None


def _exchange(operation: str, transport: str, size: str, memory: str = "arena") -> str:
    return f"exchange/{operation}/{transport}/{size}/w1s1/sync/fp32/{memory}"


def _ratios(operation: str, transport: str, sizes: tuple[str, ...], threshold: float,
            memory: str = "arena") -> tuple[Check, ...]:
    return tuple(Check(f"{operation}, {size.replace('MiB', ' MiB')}",
                       Metric(_exchange(operation, transport, size, memory), "ratio"), threshold)
                 for size in sizes)


def _times_limit(what: str, result: str, threshold: float, own: str = "p50_us",
                 limit: str = "limit_us") -> Check:
    """So many times as much as the limit, at most."""
    return Check(what, Quotient(Metric(result, own), Metric(result, limit)), threshold,
                 at_least=False)


def _tcp_no_slower(operation: str) -> Check:
    return Check(f"{operation}, 64 MiB over 16 MiB",
                 Quotient(Metric(_exchange(operation, "tcp", "64MiB"), "bytes_per_s"),
                          Metric(_exchange(operation, "tcp", "16MiB"), "bytes_per_s")), 1.0)


_BIG = ("16MiB", "64MiB")
PS_LITE_KEYS_PER_S = 7.6e6


def all_lines() -> list[Line]:
    return [*_exchange_lines(), *_training_lines()]


def _exchange_lines() -> list[Line]:
    return [
        Line("One host, 1 + 1: push with SGD applied, from the arena ≥ 0.7 × in-place fp32 add",
             "host, push from the arena",
             _ratios("push", "shm", _BIG, 0.7)),
        Line("One host, 1 + 1: push from the caller's own memory ≥ 0.4 × in-place fp32 add",
             "host, push from own memory",
             _ratios("push", "shm", _BIG, 0.4, "own")),
        Line("One host, 1 + 1: pull ≥ 0.5 × memcpy", "host, pull",
             _ratios("pull", "shm", _BIG, 0.5)),
        Line("One host, 1 + 1: fused push-pull ≥ 0.3 × memcpy each way",
             "host, both ways",
             _ratios("push-pull", "shm", ("64MiB",), 0.3)),
        Line("One host, 1 + 1: 4 KiB push acknowledged, p50 ≤ 3 × a futex round trip",
             "host, latency",
             (_times_limit("push, 4 KiB", _exchange("push", "shm", "4KiB"), 3.0),)),
        Line("TCP: push and pull ≥ 0.6 × a raw one-way loopback stream",
             "TCP",
             _ratios("push", "tcp", _BIG, 0.6) + _ratios("pull", "tcp", _BIG, 0.6)),
        Line("TCP: fused push-pull ≥ 0.6 × the raw full-duplex rate each way",
             "TCP, both ways",
             _ratios("push-pull", "tcp", _BIG, 0.6)),
        Line("TCP: no slower at 64 MiB than at 16 MiB",
             "TCP",
             tuple(_tcp_no_slower(operation) for operation in ("push", "pull", "push-pull"))),
        Line("TCP: 4 KiB p50 ≤ 1.5 × a ZeroMQ ping-pong",
             "TCP, latency",
             tuple(_times_limit(f"{operation}, 4 KiB", _exchange(operation, "tcp", "4KiB"), 1.5)
                   for operation in ("push", "pull", "push-pull"))),
        Line("CSV and TFRecord reading ≥ tf.data's, one thread", "reading",
             tuple(Check(f"{kind}, Adult",
                         Quotient(Metric(f"reading/{name}/adult", "items_per_s"),
                                  Metric(f"tensorflow/reading/{name}/adult", "items_per_s")), 1.0)
                   for kind, name in (("CSV", "csv"), ("TFRecord", "tfrecord")))),
        Line("Link of 1 Gbit/s: bf16 ≥ 1.9 × fp32",
             "1 Gbit/s, bf16 over fp32",
             tuple(Check(f"push, {size.replace('MiB', ' MiB')}",
                         Metric(f"link/1gbit/push/bf16/{size}", "gain"), 1.9) for size in _BIG)),
        Line("Link of 1 Gbit/s: fp32 goodput ≥ 0.93 of the link",
             "1 Gbit/s, goodput",
             tuple(Check(f"{operation}, {size.replace('MiB', ' MiB')}",
                         Metric(f"link/1gbit/{operation}/fp32/{size}", "of_raw"), 0.93)
                   for operation in ("push", "pull") for size in _BIG)),
        Line("1,000 variables of 1 KiB: one fused step ≤ 2 × that of one variable of 1 MiB",
             "1,000 small variables",
             (_times_limit("time", "variables/1000x1KiB", 2.0),)),
        Line("100,000 rows of 10 M × 16: pull and push ≥ 0.3 × a local gather / scatter-add",
             "rows over local",
             tuple(Check(operation, Metric(f"rows/{operation}/shm/100000x16/w1s1", "ratio"), 0.3)
                   for operation in ("pull", "push"))),
        Line("100,000 rows of 10 M × 16: ≥ 2 × ps-lite's 7.6 M keys/s, which we measured elsewhere",
             "rows over ps-lite",
             tuple(Check(operation, Metric(f"rows/{operation}/shm/100000x16/w1s1", "items_per_s"),
                         2 * PS_LITE_KEYS_PER_S / 1e6, unit="M keys/s", scale=1e-6,
                         processor="EPYC")
                   for operation in ("pull", "push"))),
        Line("Exchange only: T(64 workers, 19 servers) ≤ 1.3 × 64 × T(1 worker, 19 servers)",
             "64 workers, 19 servers",
             tuple(_times_limit(size, f"scale/w64s19/{name}", 1.3)
                   for size, name in (("38 KB", "38KB"), ("8 MiB", "8MiB")))),
    ]


def _against_tensorflow(workload: str) -> Check:
    return Check("examples/s",
                 Quotient(Metric(f"training/{workload}/w2s2", "items_per_s"),
                          Metric(f"tensorflow/training/{workload}/w2s2", "items_per_s")), 3.0)


def _one_process(what: str, workload: str, threshold: float) -> Line:
    """Against the better of TensorFlow and PyTorch, which is as much as against both."""
    peers = tuple(Metric(f"{system}/training/{workload}/local", "items_per_s")
                  for system in ("tensorflow", "pytorch"))
    own = Metric(f"training/{workload}/local", "items_per_s")
    return Line(f"One process, {what} ≥ {threshold:g} × the better of TensorFlow's graph mode and "
                "PyTorch's eager mode", f"{workload}, one process, over peers",
                (Check("examples/s", Quotient(own, Largest(peers)), threshold),))


def _training_lines() -> list[Line]:
    return [
        Line("MLP, batch 64: parameter server 1 + 1 ≥ 0.8 × the single process",
             "MLP, 1 + 1 over local",
             (Check("examples/s", Metric("training/mlp/w1s1", "ratio"), 0.8),)),
        Line("MLP, batch 64: 2 + 2 ≥ 3 × TensorFlow's ParameterServerStrategy",
             "MLP, 2 + 2 over TensorFlow",
             (_against_tensorflow("mlp"),)),
        Line("Embedding 1 M × 32, batch 1024: 2 + 2 ≥ 3 × TensorFlow's ParameterServerStrategy",
             "embedding, 2 + 2 over TensorFlow",
             (_against_tensorflow("embedding"),)),
        Line("From dtrain launch (2 workers, 2 servers) to the first step ≤ 1 s",
             "start-up",
             (Check("time", Metric("startup/w2s2", "p50_us"), 1.0, at_least=False, unit="s",
                    scale=1e-6),)),
        Line("Memory (Pss): server ≤ values + slots + accumulator + 40 MiB, worker ≤ model + "
             "gradients + batch + 40 MiB",
             "memory",
             tuple(_times_limit(f"{role}, over the sum", f"memory/mlp/w1s1/{role}", 1.0,
                                "pss_bytes", "limit_bytes") for role in ("server", "worker"))),
        _one_process("784-1024-1024-10, batch 64:", "mlp", 1.0),
        _one_process("64-128-10 with Adam, batch 64:", "small", 5.0),
        _one_process("convolutions of 3×3×16 and 3×3×32 on 28×28, pooled, dense 64, batch 64:",
                     "convnet", 0.8),
        _one_process("wide and deep, shapes of Adult, batch 256:", "wide", 5.0),
        Line("One process, 784-1024-1024-10, batch 64: two threads ≥ 1.6 × one",
             "MLP, two threads over one",
             (Check("examples/s", Metric("training/mlp/local/threads2", "ratio"), 1.6),)),
    ]
