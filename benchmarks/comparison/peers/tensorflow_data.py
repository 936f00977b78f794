"""tf.data with one thread, in graph mode: tensorflow_data.py SECONDS ADULT.csv.gz.

Reads Adult (6 numbers, 8 strings, a class) in batches of 256 from a CSV file, in the two ways there
are (the better one counts), and from a TFRecord file, as benchmarks/reading_bench.cc does.
"""

from __future__ import annotations

import csv
import gzip
import os
import pathlib
import sys
import tempfile
import time

import common

common.one_thread()

import tensorflow as tf  # noqa: E402

BATCH = 256
NUMBERS = ("age", "fnlwgt", "educational_num", "capital_gain", "capital_loss", "hours_per_week")
CLASSES = {"<=50K": 0, ">50K": 1}


def write_records(rows: list[dict[str, str]], path: pathlib.Path) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            feature = {}
            for name, text in row.items():
                if name in NUMBERS:
                    feature[name] = tf.train.Feature(
                        float_list=tf.train.FloatList(value=[float(text)]))
                elif name == "income":
                    feature[name] = tf.train.Feature(
                        int64_list=tf.train.Int64List(value=[CLASSES[text]]))
                else:
                    feature[name] = tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[text.encode()]))
            example = tf.train.Example(features=tf.train.Features(feature=feature))
            writer.write(example.SerializeToString())


def readers(folder: pathlib.Path, columns: list[str]) -> dict[str, list[tf.data.Dataset]]:
    """The data sets of each result; their elements begin with a batch of ages."""
    path = str(folder / "adult.csv")
    defaults = [[0.0] if name in NUMBERS else [""] for name in columns]
    types = [tf.float32 if name in NUMBERS else tf.string for name in columns]
    wanted = {name: tf.io.FixedLenFeature(
        [], tf.float32 if name in NUMBERS else tf.int64 if name == "income" else tf.string)
        for name in columns}
    parsed_lines = (tf.data.TextLineDataset(path).skip(1).batch(BATCH)
                    .map(lambda lines: tuple(tf.io.decode_csv(lines, defaults))))
    at_once = tf.data.experimental.CsvDataset(path, types, header=True).batch(BATCH)
    records = (tf.data.TFRecordDataset(str(folder / "adult.tfrecord")).batch(BATCH)
               .map(lambda batch: tuple(tf.io.parse_example(batch, wanted)[name]
                                        for name in columns)))
    return {"csv/adult": [at_once, parsed_lines], "tfrecord/adult": [records]}


def with_one_thread(dataset: tf.data.Dataset) -> tf.data.Dataset:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    options.threading.max_intra_op_parallelism = 1
    options.autotune.enabled = False
    return dataset.with_options(options)


def measure(dataset: tf.data.Dataset, rows: int, ages: float, seconds: float) -> float:
    """Examples per second over whole passes, the reduction in the graph too."""
    @tf.function
    def read_all() -> tf.Tensor:
        return dataset.reduce(tf.constant(0.0, tf.float64), lambda total, batch: total +
                              tf.reduce_sum(tf.cast(batch[0], tf.float64)))

    read_all()
    passes = 0
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        if float(read_all()) != ages:
            sys.exit("tf.data read something else")
        passes += 1
    return passes * rows / (time.monotonic() - begin)


def main() -> None:
    seconds, packed = float(sys.argv[1]), sys.argv[2]
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = gzip.open(packed, "rt", encoding="utf-8").read()
        (folder / "adult.csv").write_text(text, encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        write_records(rows, folder / "adult.tfrecord")
        ages = sum(float(row["age"]) for row in rows)
        results = {}
        for result, datasets in readers(folder, list(rows[0])).items():
            rates = [measure(with_one_thread(dataset), len(rows), ages, seconds)
                     for dataset in datasets]
            results[result] = {"items_per_s": max(rates)}
            print(result, rates)
    common.report({"tensorflow": tf.__version__}, results)


main()
