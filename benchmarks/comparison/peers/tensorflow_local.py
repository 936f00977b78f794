"""One TensorFlow process, one thread, graph mode: tensorflow_local.py mlp|embedding SECONDS."""

from __future__ import annotations

import sys

import common

common.one_thread()

import tensorflow as tf  # noqa: E402
import tensorflow_model  # noqa: E402


def main() -> None:
    workload, seconds = sys.argv[1], float(sys.argv[2])
    tensorflow_model.limit_threads()
    model = tensorflow_model.MODELS[workload]()
    xs, ys = model.batches()
    step = tf.function(model.step)
    batches = [(xs[i], ys[i]) for i in range(common.BATCHES)]
    common.measure_training("TensorFlow", tf.__version__, workload, model.examples, seconds, step,
                            batches)


main()
