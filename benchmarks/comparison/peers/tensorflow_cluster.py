"""TensorFlow's ParameterServerStrategy in real processes, one computing thread each:
tensorflow_cluster.py WORKLOAD WORKERS SERVERS SECONDS. This process is the coordinator."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time

import common
import tensorflow_servers

common.one_thread()
BEGAN = common.started()
# Steps of a worker in one scheduled function, so that the coordinator has little to send: kinder
# to TensorFlow than one step a call.
STEPS_PER_CALL = 8


def measure(workload: str, cluster: tensorflow_servers.Cluster,
            seconds: float) -> dict[str, float]:
    import tensorflow as tf
    import tensorflow_model
    workers, servers = len(cluster["worker"]), len(cluster["ps"])
    tensorflow_model.limit_threads(workers + 1)
    task = {"type": "chief", "index": 0}
    os.environ["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
    strategy = tf.distribute.ParameterServerStrategy(
        tf.distribute.cluster_resolver.TFConfigClusterResolver())
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        model = tensorflow_model.make(workload, servers)

    def batches():
        return tf.data.Dataset.from_tensor_slices(model.batches()).repeat()

    per_worker = iter(coordinator.create_per_worker_dataset(batches))

    def call(iterator, steps: int):
        loss = tf.constant(0.0)
        for _ in range(steps):
            loss = model.step(*next(iterator))
        return loss

    one_step = tf.function(lambda iterator: call(iterator, 1))
    steps_of_call = tf.function(lambda iterator: call(iterator, STEPS_PER_CALL))
    result = coordinator.schedule(one_step, args=(per_worker,))
    coordinator.join()
    first = float(result.fetch())
    to_first_step = time.monotonic() - BEGAN

    def run(calls: int) -> list:
        results = [coordinator.schedule(steps_of_call, args=(per_worker,)) for _ in range(calls)]
        coordinator.join()
        return results

    run(4 * workers)  # traces on each worker
    begin = time.monotonic()
    run(4 * workers)
    a_call = (time.monotonic() - begin) / (4 * workers)
    calls = max(4 * workers, round(seconds / a_call))
    begin = time.monotonic()
    results = run(calls)
    took = time.monotonic() - begin
    last = sum(float(one.fetch()) for one in results[-8:]) / 8
    common.check_falls(first, last, f"ParameterServerStrategy, {workload}")
    return {"items_per_s": calls * STEPS_PER_CALL * model.examples / took,
            "first_step_s": to_first_step, "first_loss": first, "last_loss": last,
            "steps": calls * STEPS_PER_CALL}


def main() -> None:
    workload, workers, servers, seconds = (sys.argv[1], int(sys.argv[2]), int(sys.argv[3]),
                                           float(sys.argv[4]))
    ports = [f"127.0.0.1:{port}" for port in
             tensorflow_servers.free_ports(workers + servers + 1)]
    cluster = {"worker": ports[:workers], "ps": ports[workers:-1], "chief": ports[-1:]}
    with tempfile.TemporaryFile() as log, tensorflow_servers.Servers(cluster, log) as children:
        results = measure(workload, cluster, seconds)
        for job in ("worker", "ps"):
            results[f"pss_{job}_bytes"] = children.pss_bytes(job)
        results["pss_coordinator_bytes"] = common.pss_bytes()
    import tensorflow as tf
    common.report({"tensorflow": tf.__version__}, results)
    sys.stdout.flush()
    os._exit(0)  # TensorFlow's threads otherwise complain about the servers that are gone


main()
