"""Tables of results in Markdown."""

from __future__ import annotations

from dataclasses import dataclass

from . import lines
from .results import Results, Summary, quotient, summarize


def number(value: float) -> str:
    """Three digits that mean something: 0.0123, 1.23, 45.7, 1,235."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    digits = 1 if size >= 10 else 2 if size >= 1 else 3 if size >= 0.1 else 4
    return f"{value:.{digits}f}"


def spread(summary: Summary, unit: str = "") -> str:
    """`1.23 × (1.10–1.31)`"""
    gap = f" {unit}" if unit else ""
    if summary.count == 1:
        return f"{number(summary.median)}{gap}"
    return f"{number(summary.median)}{gap} ({number(summary.low)}–{number(summary.high)})"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    escaped = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return ["| " + " | ".join(row) + " |" for row in
            (header, ["---"] * len(header), *escaped)]


def lines_table(results: Results) -> list[str]:
    """Every line, met or not: one row a check, the line's text in the first of its rows."""
    rows = []
    verdicts_of_lines = []
    for line in lines.all_lines():
        verdicts = [lines.judge(check, results) for check in line.checks]
        met = lines.judge_line(verdicts)
        verdicts_of_lines.append(met)
        for index, verdict in enumerate(verdicts):
            check = verdict.check
            bound = f"{'≥' if check.at_least else '≤'} {number(check.threshold)} {check.unit}"
            measured = "–" if verdict.summary is None else spread(verdict.summary, check.unit)
            rows.append([line.text if index == 0 else "", check.what, measured, bound,
                         verdict.word])
    count = {met: verdicts_of_lines.count(met) for met in (True, False, None)}
    summary = (f"{count[True]} of {len(verdicts_of_lines)} lines met, {count[False]} not met, "
               f"{count[None]} not measured or not asked of this machine.")
    return [summary, "", *table(["line", "case", "median (least–most)", "wanted", ""], rows)]


# Of these metrics the first that a result has is what it is about: name, unit, scale.
_RATES = (("items_per_s", "k/s", 1e-3), ("bytes_per_s", "GB/s", 1e-9),
          ("pss_bytes", "MiB", 1 / (1 << 20)))
_LIMITS = (("limit_items_per_s", "k/s", 1e-3), ("limit_bytes_per_s", "GB/s", 1e-9),
           ("limit_us", "µs", 1.0), ("limit_bytes", "MiB", 1 / (1 << 20)))


def _first(results: Results, result: str, choices: tuple[tuple[str, str, float], ...]) -> str:
    for metric, unit, scale in choices:
        values = results.of(result, metric)
        summary = summarize({at: value * scale for at, value in values.items()})
        if summary is not None:
            return spread(summary, unit)
    return ""


def limits_table(results: Results) -> list[str]:
    """Everything that dtrain's programs printed, beside the limit of the same run. Long, and so
    folded away."""
    rows = []
    for result in sorted(results.values):
        if result.split("/")[0] in ("tensorflow", "pytorch", "link"):
            continue
        times, ratio = results.summary(result, "p50_us"), results.summary(result, "ratio")
        rows.append([f"`{result}`", spread(times) if times else "",
                     _first(results, result, _RATES), _first(results, result, _LIMITS),
                     spread(ratio) if ratio else ""])
    if not rows:
        return []
    return [f"<details><summary>{len(rows)} results</summary>", "",
            *table(["result", "p50, µs", "rate or size", "limit", "ratio"], rows), "",
            "</details>"]


@dataclass(frozen=True)
class Column:
    """`{}` in a pattern is a row's name."""
    title: str
    pattern: str
    metric: str


@dataclass(frozen=True)
class Compared:
    """A column that divides two others: more is better for dtrain."""
    title: str
    numerator: Column
    denominator: Column


def beside(results: Results, title: str, rows: dict[str, str], columns: list[Column],
           compared: list[Compared], scale: float = 1.0) -> list[str]:
    """The same work on several systems. `rows`: what is shown of each name. Empty without any
    result; a row or a column without any is left out."""
    def cells(name: str) -> list[str]:
        shown = []
        for column in columns:
            values = results.of(column.pattern.format(name), column.metric)
            one = summarize({at: value * scale for at, value in values.items()})
            shown.append(spread(one) if one else "–")
        for pair in compared:
            one = summarize(quotient(
                results.of(pair.numerator.pattern.format(name), pair.numerator.metric),
                results.of(pair.denominator.pattern.format(name), pair.denominator.metric)))
            shown.append(spread(one, "×") if one else "–")
        return shown

    header = [title, *(column.title for column in columns), *(pair.title for pair in compared)]
    body = [[shown, *cells(name)] for name, shown in rows.items()]
    body = [row for row in body if any(cell != "–" for cell in row[1:])]
    kept = [at for at in range(len(header)) if at == 0 or any(row[at] != "–" for row in body)]
    return table([header[at] for at in kept],
                 [[row[at] for at in kept] for row in body]) if body else []


def peers_table(results: Results) -> list[str]:
    """The same training on dtrain and its peers."""
    own = Column("dtrain", "training/{}", "items_per_s")
    peers = [Column(title, f"{system}/training/{{}}", "items_per_s")
             for title, system in (("TensorFlow", "tensorflow"), ("PyTorch", "pytorch"))]
    names = sorted({name.partition("training/")[2] for name in results.values
                    if "training/" in name})
    return beside(results, "examples/s", {name: name for name in names}, [own, *peers],
                  [Compared(f"dtrain / {peer.title}", own, peer) for peer in peers])


def exchange_tables(results: Results) -> list[str]:
    """What a worker waits for, 1 worker and 1 server."""
    out: list[str] = []
    for title, sizes, metric, scale in (
            ("p50, µs", ("4KiB", "16KiB", "64KiB"), "us", 1.0),
            ("GB/s each way", ("1MiB", "4MiB", "16MiB", "64MiB", "256MiB"), "bytes_per_s", 1e-9)):
        own, limit = ("p50_us", "limit_us") if metric == "us" else (metric, f"limit_{metric}")
        peer = Column("TensorFlow (TCP)", "tensorflow/exchange/{}", own)
        columns, compared = [], []
        for transport, words in (("shm", "shared memory"), ("tcp", "TCP")):
            # The name of a row is <operation>/<size>, between which dtrain has the transport.
            pattern = f"exchange/{{}}@{transport}/w1s1/sync/fp32/arena"
            columns += [Column(f"dtrain, {words}", pattern, own),
                        Column(f"limit, {words}", pattern, limit)]
            faster = (columns[-2], peer) if metric != "us" else (peer, columns[-2])
            compared.append(Compared(f"{words}: times as fast as TensorFlow", *faster))
        names = {f"{operation}/{size}": f"{operation} {_spaced(size)}"
                 for operation in ("push", "pull", "push-pull") for size in sizes}
        part = beside(_with_plain_names(results), title, names, [*columns, peer], compared, scale)
        out += [*part, ""] if part else []
    return out[:-1]


def _spaced(size: str) -> str:
    """`4 KiB` for 4KiB."""
    return f"{size[:-3]} {size[-3:]}"


def _with_plain_names(results: Results) -> Results:
    """exchange/push/shm/4KiB/... also as exchange/push/4KiB@shm/..., so that a row has one name."""
    plain = Results(values=dict(results.values))
    for name, metrics in results.values.items():
        parts = name.split("/")
        if parts[0] == "exchange" and len(parts) > 4:
            plain.values["/".join([*parts[:2], f"{parts[3]}@{parts[2]}", *parts[4:]])] = metrics
    return plain


def rows_table(results: Results) -> list[str]:
    """Rows of a large table, 1 worker and 1 server."""
    columns = [Column("dtrain, shared memory", "rows/{}/shm/100000x16/w1s1", "items_per_s"),
               Column("local limit", "rows/{}/shm/100000x16/w1s1", "limit_items_per_s"),
               Column("dtrain, TCP", "rows/{}/tcp/100000x16/w1s1", "items_per_s"),
               Column("TensorFlow (TCP)", "tensorflow/exchange/rows-{}", "items_per_s")]
    return beside(results, "100,000 rows of 10 M × 16, M keys/s",
                  {name: name for name in ("pull", "push")}, columns,
                  [Compared("TCP: times as fast as TensorFlow", columns[2], columns[3])], 1e-6)


def reading_table(results: Results) -> list[str]:
    """Examples from files, one thread."""
    own = Column("dtrain", "reading/{}", "items_per_s")
    peer = Column("tf.data", "tensorflow/reading/{}", "items_per_s")
    return beside(results, "examples/s", {"csv/adult": "CSV, Adult", "tfrecord/adult":
                                          "TFRecord, Adult"}, [own, peer],
                  [Compared("dtrain / tf.data", own, peer)])


def footprint_table(results: Results) -> list[str]:
    """Start-up and memory of everything that trains, the largest process of each role."""
    rows = []
    start = _scaled(results, "startup/w2s2", "p50_us", 1e-6)
    memory = {role: _scaled(results, f"memory/mlp/w1s1/{role}", "pss_bytes", _MIB)
              for role in ("server", "worker")}
    if start or any(memory.values()):
        rows.append(["dtrain, MLP (start-up 2 + 2, memory 1 + 1)", start, _joined(memory)])
    for result in sorted(results.values):
        first = _scaled(results, result, "first_step_s", 1.0)
        if first:
            of_roles = {role: _scaled(results, result, f"pss_{role}bytes", _MIB)
                        for role in ("", "coordinator_", "worker_", "ps_")}
            rows.append([result.replace("/training/", ", ").replace("/", " "), first,
                         _joined({role.strip("_"): one for role, one in of_roles.items()})])
    return table(["", "seconds to the first step", "memory (Pss), MiB"], rows) if rows else []


_MIB = 1 / (1 << 20)


def _scaled(results: Results, result: str, metric: str, scale: float) -> str:
    values = results.of(result, metric)
    one = summarize({at: value * scale for at, value in values.items()})
    return spread(one) if one else ""


def _joined(parts: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}".strip() for name, value in parts.items() if value)
