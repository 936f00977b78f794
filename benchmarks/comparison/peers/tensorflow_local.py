"""One TensorFlow process, one thread, graph mode, one call of a function per step:
tensorflow_local.py WORKLOAD SECONDS."""

from __future__ import annotations

import sys

import common

common.one_thread()

import tensorflow as tf  # noqa: E402
import tensorflow_model  # noqa: E402


def main() -> None:
    workload, seconds = sys.argv[1], float(sys.argv[2])
    tensorflow_model.limit_threads()
    model = tensorflow_model.make(workload)
    batches = list(zip(*(tf.unstack(part) for part in model.batches())))
    common.measure_training("TensorFlow", tf.__version__, workload, model.examples, seconds,
                            tf.function(model.step), batches)


main()
