"""What ParameterServerStrategy's training consists of, alone: gradients sent to a ps that applies
SGD, values and rows read from one, from graph mode, blocking; one thread each.
tensorflow_exchange.py SECONDS_PER_SIZE SIZES ROWS: sizes in bytes, separated by commas."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time

import common
import tensorflow_servers

common.one_thread()

WIDTH, KEYS = 16, 100_000


def measure(operation, seconds: float) -> float:
    """The median time of one, in seconds."""
    for _ in range(3):
        operation()
    times: list[float] = []
    begin = time.monotonic()
    while len(times) < 5 or time.monotonic() - begin < seconds:
        before = time.monotonic()
        operation()
        times.append(time.monotonic() - before)
    return statistics.median(times)


def size_name(size: int) -> str:
    return f"{size >> 20}MiB" if size >= 1 << 20 else f"{size >> 10}KiB"


def exchange(tf, ps: str, here: str, size: int, seconds: float) -> dict[str, dict[str, float]]:
    """Push, pull, and both in one function."""
    count = size // 4
    with tf.device(ps):
        variable = tf.Variable(tf.zeros([count]))
    with tf.device(here):
        gradient = tf.ones([count])
    pushes = 0

    def apply(gradient):
        with tf.device(ps):
            tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=1.0, delta=gradient)

    def read():
        with tf.device(ps):
            value = variable.read_value()
        with tf.device(here):
            return tf.identity(value)

    @tf.function
    def push_graph(gradient):
        apply(gradient)
        # What a function returns waits for its side effects. Here, or it is fetched by a second
        # request.
        with tf.device(here):
            return tf.zeros([])

    @tf.function
    def pull_graph():
        return read()

    @tf.function
    def both_graph(gradient):
        apply(gradient)
        return read()

    def push() -> None:
        nonlocal pushes
        pushes += 1
        push_graph(gradient).numpy()

    def both() -> None:
        nonlocal pushes
        pushes += 1
        check(both_graph(gradient).numpy())

    def check(value) -> None:
        if value[0] != -pushes or value[-1] != -pushes:
            sys.exit(f"TensorFlow's variable of {size} bytes is {value[0]} to {value[-1]} after "
                     f"{pushes} pushes of 1")

    results = {}
    for name, operation in (("push", push), ("pull", lambda: check(pull_graph().numpy())),
                            ("push-pull", both)):
        took = measure(operation, seconds)
        results[f"{name}/{size_name(size)}"] = {"p50_us": took * 1e6, "bytes_per_s": size / took}
    return results


def rows(tf, ps: str, here: str, count: int, seconds: float) -> dict[str, dict[str, float]]:
    random = common.numpy.random.default_rng(common.SEED)
    chosen = common.numpy.sort(random.choice(count, min(KEYS, count // 10), replace=False))
    with tf.device(ps):
        table = tf.Variable(tf.zeros([count, WIDTH]))
    with tf.device(here):
        keys = tf.constant(chosen, tf.int64)
        gradients = tf.ones([len(chosen), WIDTH])
    pushes = 0

    @tf.function
    def pull_graph(keys):
        with tf.device(ps):
            found = tf.raw_ops.ResourceGather(resource=table.handle, indices=keys,
                                              dtype=tf.float32)
        with tf.device(here):
            return tf.identity(found)

    @tf.function
    def push_graph(keys, gradients):
        with tf.device(ps):
            tf.raw_ops.ResourceScatterSub(resource=table.handle, indices=keys, updates=gradients)
        with tf.device(here):
            return tf.zeros([])

    def push() -> None:
        nonlocal pushes
        pushes += 1
        push_graph(keys, gradients).numpy()

    def pull() -> None:
        found = pull_graph(keys).numpy()
        if found[0, 0] != -pushes or found[-1, -1] != -pushes:
            sys.exit(f"TensorFlow's rows are {found[0, 0]} after {pushes} pushes of 1")

    results = {}
    for name, operation in (("push", push), ("pull", pull)):
        took = measure(operation, seconds)
        results[f"rows-{name}"] = {"p50_us": took * 1e6,
                                                  "items_per_s": len(chosen) / took}
    return results


def main() -> None:
    seconds, sizes, row_count = (float(sys.argv[1]), [int(one) for one in sys.argv[2].split(",")],
                                 int(sys.argv[3]))
    ports = [f"127.0.0.1:{port}" for port in tensorflow_servers.free_ports(2)]
    cluster = {"ps": ports[:1], "chief": ports[1:]}
    with tempfile.TemporaryFile() as log, tensorflow_servers.Servers(cluster, log):
        import tensorflow as tf
        import tensorflow_model
        tensorflow_model.limit_threads(2)
        tf.config.experimental_connect_to_cluster(
            tf.train.ClusterSpec(cluster), job_name="chief", task_index=0)
        ps, here = "/job:ps/replica:0/task:0/cpu:0", "/job:chief/replica:0/task:0/cpu:0"
        results: dict[str, dict[str, float]] = {}
        for size in sizes:
            results.update(exchange(tf, ps, here, size, seconds))
        results.update(rows(tf, ps, here, row_count, seconds))
    common.report({"tensorflow": tf.__version__}, results)
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's threads otherwise complain about the servers that are gone


main()
