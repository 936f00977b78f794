"""The two models in TensorFlow's low-level interface, the fastest it has: variables, one traced
function, SGD written as assign_sub."""

from __future__ import annotations

from collections.abc import Callable

import common
import tensorflow as tf


def limit_threads(inter_op: int = 1) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)


class Mlp:
    examples = common.MLP_BATCH

    def __init__(self) -> None:
        data = common.mlp_data()
        self.weights = [tf.Variable(value) for value in data.weights]
        self.biases = [tf.Variable(value) for value in data.biases]

    def loss(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases)):
            x = tf.nn.bias_add(tf.matmul(x, weight), bias)
            if index + 1 < len(self.weights):
                x = tf.nn.relu(x)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=x))

    def step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        variables = self.weights + self.biases
        with tf.GradientTape() as tape:
            loss = self.loss(x, y)
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            variable.assign_sub(common.MLP_RATE * gradient)
        return loss

    @staticmethod
    def batches() -> tuple[tf.Tensor, tf.Tensor]:
        data = common.mlp_data()
        return tf.constant(data.x), tf.constant(data.y)


class Embedding:
    examples = common.EMBEDDING_BATCH

    def __init__(self, parts: int = 1) -> None:
        """`parts`: variables that the table is cut into; row i is in part i mod parts."""
        data = common.embedding_data()
        rows = common.ROWS // parts
        self.tables = []
        for _ in range(parts):
            table = tf.Variable(tf.zeros([rows, common.WIDTH]))
            table.assign(tf.random.stateless_uniform([rows, common.WIDTH], [common.SEED, 0],
                                                     -data.limit, data.limit))
            self.tables.append(table)
        self.kernel = tf.Variable(data.kernel)
        self.bias = tf.Variable(tf.zeros([1]))

    def step(self, ids: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        variables = self.tables + [self.kernel, self.bias]
        with tf.GradientTape() as tape:
            rows = tf.nn.embedding_lookup(self.tables if len(self.tables) > 1 else self.tables[0],
                                          ids)
            flat = tf.reshape(rows, [common.EMBEDDING_BATCH, common.IDS * common.WIDTH])
            logits = tf.nn.bias_add(tf.matmul(flat, self.kernel), self.bias)
            loss = tf.reduce_mean(tf.math.squared_difference(logits, y))
        for variable, gradient in zip(variables, tape.gradient(loss, variables)):
            if isinstance(gradient, tf.IndexedSlices):
                variable.scatter_sub(tf.IndexedSlices(common.EMBEDDING_RATE * gradient.values,
                                                      gradient.indices))
            else:
                variable.assign_sub(common.EMBEDDING_RATE * gradient)
        return loss

    @staticmethod
    def batches() -> tuple[tf.Tensor, tf.Tensor]:
        data = common.embedding_data()
        return tf.constant(data.ids), tf.constant(data.y)


MODELS: dict[str, Callable] = {"mlp": Mlp, "embedding": Embedding}
