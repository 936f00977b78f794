"""The workloads in TensorFlow's low-level interface, the fastest it has: variables, one traced
function for a step, and the kernels that apply a whole update."""

from __future__ import annotations

import tensorflow as tf
import workloads


def limit_threads(inter_op: int = 1) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(inter_op)


class Sgd:
    def __init__(self, rate: float, _: list[tf.Variable]) -> None:
        self.rate = rate

    def apply(self, variables: list[tf.Variable], gradients: list) -> None:
        for variable, gradient in zip(variables, gradients):
            if isinstance(gradient, tf.IndexedSlices):
                variable.scatter_sub(tf.IndexedSlices(self.rate * gradient.values,
                                                      gradient.indices))
            else:
                tf.raw_ops.ResourceApplyGradientDescent(var=variable.handle, alpha=self.rate,
                                                        delta=gradient)


class Adam:
    """Of every row of a table, whether or not a batch has it, as Keras's."""
    beta_1, beta_2, epsilon = 0.9, 0.999, 1e-7

    def __init__(self, rate: float, variables: list[tf.Variable]) -> None:
        self.rate = rate
        self.moments = [(tf.Variable(tf.zeros(one.shape)), tf.Variable(tf.zeros(one.shape)))
                        for one in variables]
        self.powers = [tf.Variable(self.beta_1), tf.Variable(self.beta_2)]

    def apply(self, variables: list[tf.Variable], gradients: list) -> None:
        powers = [power.read_value() for power in self.powers]
        for variable, (first, second), gradient in zip(variables, self.moments, gradients):
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle, m=first.handle, v=second.handle, beta1_power=powers[0],
                beta2_power=powers[1], lr=self.rate, beta1=self.beta_1, beta2=self.beta_2,
                epsilon=self.epsilon, grad=tf.convert_to_tensor(gradient))
        for variable, power, beta in zip(self.powers, powers, (self.beta_1, self.beta_2)):
            variable.assign(power * beta)


OPTIMIZERS = {"sgd": Sgd, "adam": Adam}


class Model:
    """A workload's variables and training step. Models say what their loss is."""

    def __init__(self, workload: workloads.Workload, parts: int = 1) -> None:
        self.workload = workload
        self.examples = workload.examples
        self.tables = self.make_tables(parts)
        self.variables = [tf.Variable(value) for value in workload.first_values()]
        trained = self.tables + self.variables
        self.optimizer = OPTIMIZERS[workload.optimizer](workload.rate, trained)

    def make_tables(self, _parts: int) -> list[tf.Variable]:
        """Variables that the workload has no values of."""
        return []

    def loss(self, *batch: tf.Tensor) -> tf.Tensor:
        raise NotImplementedError

    def step(self, *batch: tf.Tensor) -> tf.Tensor:
        variables = self.tables + self.variables
        with tf.GradientTape() as tape:
            loss = self.loss(*batch)
        self.optimizer.apply(variables, tape.gradient(loss, variables))
        return loss

    def batches(self) -> tuple[tf.Tensor, ...]:
        return tuple(tf.constant(array) for array in self.workload.batches())


def dense(x: tf.Tensor, variables: list[tf.Variable]) -> tf.Tensor:
    """A stack of Dense layers with ReLU between them."""
    for at in range(0, len(variables), 2):
        x = tf.nn.bias_add(tf.matmul(x, variables[at]), variables[at + 1])
        if at + 2 < len(variables):
            x = tf.nn.relu(x)
    return x


def cross_entropy(logits: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits))


class Mlp(Model):
    def loss(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        return cross_entropy(dense(x, self.variables), y)


class Convnet(Model):
    def loss(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        for at in (0, 2):
            x = tf.nn.conv2d(x, self.variables[at], strides=1, padding="VALID")
            x = tf.nn.relu(tf.nn.bias_add(x, self.variables[at + 1]))
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        return cross_entropy(dense(tf.reshape(x, [self.examples, -1]), self.variables[4:]), y)


class Wide(Model):
    def loss(self, ids: tf.Tensor, numbers: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        columns = tf.unstack(ids, axis=1)
        count = 2 * len(columns)
        rows = [tf.gather(table, columns[at // 2])
                for at, table in enumerate(self.variables[:count])]
        deep = dense(tf.concat([*rows[1::2], numbers], 1), self.variables[count:])
        logits = tf.add_n([*rows[0::2], deep])
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=logits))


class Embedding(Model):
    def make_tables(self, parts: int) -> list[tf.Variable]:
        """`parts`: variables that the table is cut into; row i is in part i mod parts."""
        shape = [workloads.ROWS // parts, workloads.WIDTH]
        tables = []
        for part in range(parts):
            table = tf.Variable(tf.zeros(shape))
            table.assign(tf.random.stateless_uniform(
                shape, [part, 0], -workloads.EMBEDDING_LIMIT, workloads.EMBEDDING_LIMIT))
            tables.append(table)
        return tables

    def loss(self, ids: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        rows = tf.nn.embedding_lookup(self.tables if len(self.tables) > 1 else self.tables[0], ids)
        flat = tf.reshape(rows, [self.examples, workloads.IDS * workloads.WIDTH])
        return tf.reduce_mean(tf.math.squared_difference(dense(flat, self.variables), y))


MODELS = {"mlp": Mlp, "small": Mlp, "convnet": Convnet, "wide": Wide, "embedding": Embedding}


def make(name: str, parts: int = 1) -> Model:
    """`parts`: of a table that is too large for one server."""
    return MODELS[name](workloads.WORKLOADS[name], parts)
