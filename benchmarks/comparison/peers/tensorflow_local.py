"""One TensorFlow process, one thread, graph mode: tensorflow_local.py mlp|embedding SECONDS."""

from __future__ import annotations

import sys
import time

import common

common.one_thread()
BEGAN = common.started()

import tensorflow as tf  # noqa: E402
import tensorflow_model  # noqa: E402


def main() -> None:
    workload, seconds = sys.argv[1], float(sys.argv[2])
    tensorflow_model.limit_threads()
    model = tensorflow_model.MODELS[workload]()
    xs, ys = model.batches()
    step = tf.function(model.step)
    batches = [(xs[i], ys[i]) for i in range(common.BATCHES)]
    first = float(step(*batches[0]))
    to_first_step = time.monotonic() - BEGAN
    for index in range(20):
        step(*batches[index])
    begin = time.monotonic()
    steps = 0
    while time.monotonic() - begin < seconds:
        for batch in batches[:8]:
            loss = step(*batch)
        float(loss)  # what was asked for is computed
        steps += 8
        batches = batches[8:] + batches[:8]
    took = time.monotonic() - begin
    last = float(loss)
    common.check_falls(first, last, f"TensorFlow, {workload}")
    common.report({"tensorflow": tf.__version__},
                  {"items_per_s": steps * model.examples / took, "first_step_s": to_first_step,
                   "pss_bytes": common.pss_bytes(), "first_loss": first, "last_loss": last,
                   "steps": steps})


main()
