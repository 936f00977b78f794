"""A dtrain model's JSON as a Keras model."""

from __future__ import annotations

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("dtrain_parity")
class EmbeddingBag(keras.layers.Layer):
    """What dtrain's EmbeddingBag is documented to be: an Embedding and a sum or mean."""

    def __init__(self, input_dim, output_dim, combiner="sum", **rest):
        super().__init__(**rest)
        self.shape, self.combiner = (input_dim, output_dim), combiner

    def build(self, _):
        self.embeddings = self.add_weight(shape=self.shape, name="embeddings")

    def call(self, ids):
        rows = tf.gather(self.embeddings, tf.reshape(ids, (tf.shape(ids)[0], -1)))
        reduce = tf.reduce_mean if self.combiner == "mean" else tf.reduce_sum
        return reduce(rows, axis=1)

    def compute_output_shape(self, shape):
        return (shape[0], self.shape[1])


def _activation(name: str):
    if name == "gelu_tanh":
        return lambda x: keras.activations.gelu(x, approximate=True)
    return name


def _fields(description: dict) -> dict:
    fields = {}
    for name, value in description.items():
        if name == "class_name" or name.endswith("_initializer"):
            continue
        if name.endswith("_regularizer"):
            value = keras.regularizers.L1L2(**value)
        if name == "activation":
            value = _activation(value)
        if name in ("pool_size", "strides", "kernel_size", "dilation_rate") and value:
            value = tuple(value) if isinstance(value, list) else value
        fields[name] = value
    return fields


def _layer(description: dict, name: str):
    kind = description["class_name"]
    fields = {**_fields(description), "name": name}
    if kind == "EmbeddingBag":
        return EmbeddingBag(**fields)
    if kind == "Dot":
        return keras.layers.Dot(axes=1, **fields)
    if kind == "Conv2D" or kind == "Conv1D" or kind == "DepthwiseConv2D":
        fields.setdefault("kernel_size", 1)
    if kind == "CategoryEncoding":
        fields.setdefault("output_mode", "multi_hot")
    return getattr(keras.layers, kind)(**fields)


def build(model: dict) -> keras.Model:
    inputs = [keras.Input(shape=tuple(one["shape"]), dtype=one["dtype"], name=f"input_{i}")
              for i, one in enumerate(model["inputs"])]
    layers = [_layer(one, one["name"]) for one in model["layers"]]
    results = []
    for call in model["calls"]:
        taken = [inputs[one["input"]] if "input" in one else results[one["call"]]
                 for one in call["inputs"]]
        results.append(layers[call["layer"]](taken[0] if len(taken) == 1 else taken))
    return keras.Model(inputs, [results[one["call"]] for one in model["outputs"]])


def weights(model: keras.Model) -> dict:
    """By dtrain's names: "<layer>/<variable>"."""
    return {f"{layer.name}/{one.name}": one
            for layer in model.layers for one in layer.weights
            if not isinstance(layer, (keras.layers.StringLookup, keras.layers.IntegerLookup,
                                      keras.layers.Normalization, keras.layers.Discretization))}
