"""Whole trainings on real data, from the same weights and with the same batches: the loss of every
step and the weights at the end agree with Keras's to 1e-4."""

from __future__ import annotations

import csv
import gzip
import pathlib
import zlib

import keras
import numpy as np
import tensorflow as tf

import keras_model
from cases import Builder, stack

DATA = pathlib.Path(__file__).resolve().parents[2] / "examples/data"
TOLERANCE = 1e-4
NUMBERS = ("age", "educational_num", "capital_gain", "capital_loss", "hours_per_week")
WORDS = ("workclass", "education", "marital_status", "occupation", "relationship", "race", "gender",
         "native_country")


def rows_of(name: str) -> list[dict]:
    with gzip.open(DATA / f"{name}.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def digits():
    rows = rows_of("digits-train")
    names = [name for name in rows[0] if name.startswith("p")]
    images = np.array([[float(row[name]) for name in names] for row in rows], np.float32) / 16
    label = next(name for name in rows[0] if not name.startswith("p"))
    return images, np.array([int(row[label]) for row in rows], np.int32)


def adult():
    rows = rows_of("adult-train")
    numbers = {name: np.array([[float(row[name])] for row in rows], np.float32) for name in NUMBERS}
    words = {name: np.array([[row[name]] for row in rows], dtype=object) for name in WORDS}
    income = np.array([[float(row["income"] == ">50K")] for row in rows], np.float32)
    return numbers, words, income


def wide_and_deep(numbers, words) -> Builder:
    """As examples/adult.cc builds it."""
    builder = Builder()
    wide, deep = [], []
    for values in numbers.values():
        deep.append(builder.add("Normalization", builder.input((1,)), mean=[float(values.mean())],
                                variance=[float(values.var())]))
    for values in words.values():
        vocabulary = sorted(set(values.ravel()))
        ids = builder.add("StringLookup", builder.input((1,), "string"), vocabulary=vocabulary)
        size = len(vocabulary) + 1
        wide.append(builder.add("EmbeddingBag", ids, input_dim=size, output_dim=1))
        deep.append(builder.add("EmbeddingBag", ids, input_dim=size, output_dim=8))
    hidden = builder.add("Concatenate", *deep)
    hidden = builder.add("Dense", hidden, units=64, activation="relu")
    hidden = builder.add("Dense", hidden, units=32, activation="relu")
    logit = builder.add("Add", *wide, builder.add("Dense", hidden, units=1))
    return builder.output(builder.add("Activation", logit, activation="sigmoid"))


class Training:
    def __init__(self, name, builder, inputs, target, loss, optimizer, rate, batch, steps):
        self.name, self.builder, self.inputs, self.target = name, builder, inputs, target
        self.loss, self.optimizer, self.rate = loss, optimizer, rate
        self.batch, self.steps = batch, steps

    def compare(self, ask) -> list[str]:
        keras.utils.set_random_seed(1)
        model = keras_model.build(self.builder.model)
        weights = keras_model.weights(model)
        generator = np.random.default_rng(zlib.crc32(self.name.encode()))
        for weight in weights.values():
            if len(weight.shape) > 1:  # biases, gammas and averages begin as Keras has them
                limit = np.sqrt(6.0 / (np.prod(weight.shape[:-1]) + weight.shape[-1]))
                weight.assign(generator.uniform(-limit, limit, weight.shape).astype(np.float32))
        start = {path: weight.numpy().ravel().tolist() for path, weight in weights.items()}
        got = ask({
            "model": self.builder.model, "loss": self.loss, "weights": start,
            "inputs": [as_json(one, spec["dtype"])
                       for one, spec in zip(self.inputs, self.builder.model["inputs"])],
            "targets": [as_json(self.target, self.target.dtype.name)],
            "optimizer": self.optimizer, "learning_rate": self.rate, "steps": self.steps,
            "batch_size": self.batch})
        if "error" in got:
            return [got["error"]]
        losses = self.train(model)
        problems = []
        for step, (wanted, have) in enumerate(zip(losses, got["losses"])):
            if not abs(wanted - have) <= TOLERANCE * max(abs(wanted), 1e-2):
                problems.append(f"loss of step {step}: Keras {wanted:.7f}, dtrain {have:.7f}")
        for path, weight in weights.items():
            problems += self.differences(path, weight.numpy().ravel(),
                                         np.array(got["trained"][path], np.float32))
        return problems[:8]

    def differences(self, path, wanted, have) -> list[str]:
        wrong = np.abs(wanted - have) > TOLERANCE * np.maximum(np.abs(wanted).max(), 1e-2)
        if self.optimizer == "lion":
            # It moves each weight by its rate, up or down: where a sum lies near 0 rounding decides
            # the sign, and the weight differs by twice the rate each time.
            flips = np.abs(wanted - have) / (2 * self.rate)
            flipped = wrong & (np.abs(flips - np.round(flips)) < 0.02)
            if flipped.any():
                where = np.flatnonzero(flipped)
                print(f"    {self.name}: in {path} {len(where)} of {len(wrong)} weights had a sign "
                      f"flipped, the first at {where[0]}: Keras {wanted[where[0]]:.7f}, dtrain "
                      f"{have[where[0]]:.7f}, {flips[where[0]]:.2f} times twice the rate")
            wrong &= ~flipped
            if flipped.mean() > 0.01:
                return [f"{path}: {flipped.mean():.1%} of its signs were flipped"]
        if not wrong.any():
            return []
        worst = int(np.abs(wanted - have).argmax())
        return [f"{path}: {int(wrong.sum())} of {wrong.size} weights differ, most at {worst}: Keras "
                f"{wanted[worst]:.7f}, dtrain {have[worst]:.7f}"]

    def train(self, model) -> list[float]:
        optimizer = keras.optimizers.get(
            {"class_name": self.optimizer, "config": {"learning_rate": self.rate}})
        function = keras.losses.get(self.loss)
        variables = model.trainable_variables
        optimizer.build(variables)

        @tf.function(reduce_retracing=True)
        def step(inputs, target):
            with tf.GradientTape() as tape:
                total = tf.reduce_mean(function(target, model(inputs, training=True)))
            # Dense, because Keras 3 squares a row's duplicates in a sparse gradient one by one.
            gradients = [tf.convert_to_tensor(one) for one in tape.gradient(total, variables)]
            optimizer.apply_gradients(zip(gradients, variables))
            return total

        losses, begin, count = [], 0, len(self.target)
        inputs = [one.tolist() if one.dtype == object else one for one in self.inputs]
        for _ in range(self.steps):
            end = min(begin + self.batch, count)
            batch = [tf.constant(one[begin:end]) for one in inputs]
            losses.append(float(step(batch, tf.constant(self.target[begin:end]))))
            begin = end % count
        return losses


def as_json(array, dtype):
    return {"dtype": dtype, "shape": list(array.shape), "values": array.ravel().tolist()}


def all_trainings():
    images, labels = digits()
    dense = stack((64,), ("Dense", {"units": 32, "activation": "relu"}),
                  ("Dense", {"units": 10, "activation": "softmax"}), front=False)
    for optimizer, rate in (("sgd", 0.05), ("adam", 1e-3), ("lion", 1e-4)):
        yield Training(f"training/digits/{optimizer}", dense, [images], labels,
                       "sparse_categorical_crossentropy", optimizer, rate, 32, 135)
    convolutions = stack((8, 8, 1), ("Conv2D", {"filters": 8, "kernel_size": [3, 3],
                                                "activation": "relu", "padding": "same"}),
                         ("MaxPooling2D", {"pool_size": [2, 2]}), ("Flatten", {}),
                         ("Dense", {"units": 10, "activation": "softmax"}), front=False)
    yield Training("training/digits/convolutions", convolutions, [images.reshape(-1, 8, 8, 1)],
                   labels, "sparse_categorical_crossentropy", "sgd", 0.05, 32, 135)
    numbers, words, income = adult()
    yield Training("training/adult", wide_and_deep(numbers, words),
                   [*numbers.values(), *words.values()], income, "binary_crossentropy", "adam",
                   1e-3, 256, len(income) // 256 + 1)
