#!/usr/bin/env python3
"""Writes the files beside it, with NumPy and TensorFlow themselves.

    pip install tensorflow-cpu && tests/data/golden/make.py

Not part of the build. With a TFRecord file's path it prints what TensorFlow reads in there, for a
look at what dtrain writes:

    tests/data/golden/make.py people.tfrecord
"""
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

HERE = pathlib.Path(__file__).resolve().parent
SPECIFICATION = {
    "age": tf.io.FixedLenFeature([1], tf.float32),
    "city": tf.io.FixedLenFeature([1], tf.string),
    "ids": tf.io.FixedLenFeature([2], tf.int64),
    "class": tf.io.FixedLenFeature([], tf.int64),
}


def feature(values):
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(values[0], float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def write_records(path, kind):
    with tf.io.TFRecordWriter(str(path), tf.io.TFRecordOptions(compression_type=kind)) as writer:
        for i in range(3):
            features = {"age": [i + 0.5], "city": [("Köln", "", "Ulm")[i].encode()],
                        "ids": [-i, i << 40], "class": [i]}
            writer.write(tf.train.Example(features=tf.train.Features(feature={
                name: feature(values) for name, values in features.items()
            })).SerializeToString())


def print_records(path):
    kind = "GZIP" if pathlib.Path(path).read_bytes()[:2] == b"\x1f\x8b" else ""
    for record in tf.data.TFRecordDataset(path, compression_type=kind):
        parsed = tf.io.parse_single_example(record, SPECIFICATION)
        print({name: value.numpy().tolist() for name, value in parsed.items()})


def main():
    if len(sys.argv) > 1:
        print_records(sys.argv[1])
        return
    write_records(HERE / "tensorflow.tfrecord", "")
    write_records(HERE / "tensorflow.tfrecord.gz", "GZIP")
    arrays = {
        "float32": np.arange(6, dtype=np.float32).reshape(3, 2) / 4,
        "float64": np.array([0.5, -1e300, 3.0]),
        "int64": np.array([-(1 << 62), 0, 5]),
        "uint8": np.arange(12, dtype=np.uint8).reshape(3, 2, 2),
        "bool": np.array([True, False, True]),
        "text": np.array(["Köln", "", "a😀"]),
        "bytes": np.array([b"ab", b"", b"c"]),
    }
    np.save(HERE / "numpy.npy", arrays["float32"])
    np.save(HERE / "fortran.npy", np.asfortranarray(arrays["float32"]))
    np.savez(HERE / "numpy.npz", **arrays)
    np.savez_compressed(HERE / "numpy_packed.npz", **arrays)


if __name__ == "__main__":
    main()
