"""The models that are compared: every layer, every activation, shapes and options that differ."""

from __future__ import annotations

import itertools


class Builder:
    """A dtrain model's JSON, layer by layer."""

    def __init__(self) -> None:
        self.model = {"format": "dtrain-functional-1", "name": "case", "inputs": [], "layers": [],
                      "calls": [], "outputs": []}
        self.ranges: list = []  # of each input's values

    def input(self, shape, dtype="float32", values=None):
        self.model["inputs"].append({"shape": list(shape), "dtype": dtype})
        self.ranges.append(values)
        return {"input": len(self.model["inputs"]) - 1}

    def add(self, kind, *inputs, **fields):
        layers = self.model["layers"]
        layers.append({"class_name": kind, "name": f"{kind.lower()}_{len(layers)}", **fields})
        return self.call(len(layers) - 1, *inputs)

    def call(self, layer, *inputs):
        self.model["calls"].append({"layer": layer, "inputs": list(inputs)})
        return {"call": len(self.model["calls"]) - 1}

    def output(self, tensor):
        self.model["outputs"].append(tensor)
        return self


def stack(shape, *layers, front=True):
    """Layers one behind the other. In front a Dense over the last dimension, so that the gradient
    of their input is compared too: it decides that Dense's."""
    builder = Builder()
    tensor = builder.input(shape)
    if front:
        tensor = builder.add("Dense", tensor, units=shape[-1])
    for kind, fields in layers:
        tensor = builder.add(kind, tensor, **fields)
    return builder.output(tensor)


ACTIVATIONS = ("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "gelu_tanh",
               "silu", "hard_silu", "mish", "sigmoid", "hard_sigmoid", "log_sigmoid", "tanh",
               "hard_tanh", "softplus", "softsign", "exponential", "log_softmax", "softmax")


def _dense():
    for activation in ACTIVATIONS:
        yield f"dense/{activation}", stack((5,), ("Dense", {"units": 4, "activation": activation}))
        yield (f"activation/{activation}",
               stack((3, 4), ("Activation", {"activation": activation})))
    yield "dense/no_bias", stack((2, 3), ("Dense", {"units": 4, "use_bias": False}))
    yield "dense/regularized", stack(
        (5,), ("Dense", {"units": 4, "kernel_regularizer": {"l1": 0.01, "l2": 0.02},
                         "bias_regularizer": {"l2": 0.5}}))
    yield "leaky_relu", stack((6,), ("LeakyReLU", {"negative_slope": 0.17}))
    yield "flatten", stack((2, 3, 2), ("Flatten", {}), ("Dense", {"units": 2}))
    yield "reshape", stack((2, 6), ("Reshape", {"target_shape": [3, -1]}), ("Dense", {"units": 2}))
    yield "dropout", stack((5,), ("Dropout", {"rate": 0.0}), ("Dense", {"units": 2}))


def _convolutions():
    for padding, strides, dilation, groups in (
            ("valid", 1, 1, 1), ("same", 1, 1, 1), ("same", 2, 1, 1), ("valid", 2, 1, 2),
            ("same", 1, 2, 1), ("valid", 1, 2, 2)):
        name = f"{padding}/stride{strides}/dilation{dilation}/groups{groups}"
        common = {"filters": 4, "padding": padding, "groups": groups}
        # Keras computes no gradient for groups on a CPU where strides or dilations are there too.
        yield f"conv2d/{name}", stack(
            (9, 8, 2), ("Conv2D", {**common, "kernel_size": [3, 2], "strides": [strides] * 2,
                                   "dilation_rate": [dilation] * 2, "activation": "relu"}))
        yield f"conv1d/{name}", stack(
            (9, 2), ("Conv1D", {**common, "kernel_size": 3, "strides": strides,
                                "dilation_rate": dilation, "activation": "gelu"}))
    yield "conv1d/causal", stack(
        (9, 2), ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "causal",
                            "dilation_rate": 2}))
    yield "conv2d/one_channel", stack(
        (8, 8, 1), ("Conv2D", {"filters": 16, "kernel_size": [3, 3], "use_bias": False}))
    for padding, strides, multiplier in (("valid", 1, 1), ("same", 1, 2), ("same", 2, 2)):
        yield f"depthwise/{padding}/{strides}/{multiplier}", stack(
            (7, 6, 3), ("DepthwiseConv2D", {"kernel_size": [3, 2], "strides": [strides] * 2,
                                            "padding": padding, "depth_multiplier": multiplier}))


def _pooling():
    for kind, padding, (size, strides) in itertools.product(
            ("Max", "Average"), ("valid", "same"), (((2, 2), (2, 2)), ((3, 2), (1, 2)))):
        yield f"{kind}2d/{padding}/{size[0]}", stack(
            (7, 6, 3), (f"{kind}Pooling2D", {"pool_size": list(size), "strides": list(strides),
                                             "padding": padding}))
        yield f"{kind}1d/{padding}/{size[0]}", stack(
            (7, 3), (f"{kind}Pooling1D", {"pool_size": size[0], "strides": strides[0],
                                          "padding": padding}))
    for kind in ("Max", "Average"):
        yield f"global{kind}2d", stack((5, 4, 3), (f"Global{kind}Pooling2D", {}))
        yield f"global{kind}1d", stack((5, 3), (f"Global{kind}Pooling1D", {}))


def _normalizations():
    for kind in ("BatchNormalization", "LayerNormalization"):
        yield f"{kind}/vector", stack((5,), (kind, {}))
        yield f"{kind}/image", stack((4, 3, 2), (kind, {"epsilon": 0.01}))
        yield f"{kind}/plain", stack((5,), (kind, {"center": False, "scale": False}))
    yield "BatchNormalization/momentum", stack((5,), ("BatchNormalization", {"momentum": 0.7}))


def _merges():
    for kind in ("Add", "Multiply"):
        builder = Builder()
        tensor = builder.input((4,))
        parts = [builder.add("Dense", tensor, units=3) for _ in range(3)]
        yield kind.lower(), builder.output(builder.add(kind, *parts, parts[0]))
    for axis in (1, 2, -1):
        builder = Builder()
        tensor = builder.input((3, 4))
        parts = [builder.add("Dense", tensor, units=4) for _ in range(3)]
        yield f"concatenate/{axis}", builder.output(builder.add("Concatenate", *parts, axis=axis))
    for normalize in (False, True):
        builder = Builder()
        tensor = builder.input((4,))
        parts = [builder.add("Dense", tensor, units=3) for _ in range(2)]
        yield f"dot/{normalize}", builder.output(builder.add("Dot", *parts, normalize=normalize))
    builder = Builder()
    left, right = builder.input((4,)), builder.input((4,))
    first = builder.add("Dense", left, units=3, activation="tanh")
    second = builder.call(0, right)
    yield "shared", builder.output(builder.add("Multiply", first, second))
    builder = Builder()
    first = builder.add("BatchNormalization", builder.input((4,)), momentum=0.6)
    hidden = builder.add("Dense", first, units=4, activation="tanh")
    yield "shared_normalization", builder.output(builder.call(0, hidden))
    builder = Builder()
    hidden = builder.add("Dense", builder.input((4,)), units=3, activation="tanh")
    builder.output(builder.add("Dense", hidden, units=2))
    yield "two_outputs", builder.output(builder.add("Dense", hidden, units=1))


def _rows():
    words = ["red", "green", "blue", "black", ""]
    builder = Builder()
    ids = builder.input((3,), "int64", range(7))
    rows = builder.add("Embedding", ids, input_dim=7, output_dim=4)
    yield "embedding", builder.output(builder.add("Flatten", rows))
    for combiner in ("sum", "mean"):
        builder = Builder()
        ids = builder.input((3,), "int64", range(7))
        yield f"bag/{combiner}", builder.output(
            builder.add("EmbeddingBag", ids, input_dim=7, output_dim=4, combiner=combiner))
    for fields in ({}, {"num_oov_indices": 3}, {"mask_token": ""}):
        builder = Builder()
        ids = builder.add("StringLookup", builder.input((2,), "string", words),
                          vocabulary=["blue", "red"], **fields)
        yield f"string_lookup/{list(fields)}", builder.output(
            builder.add("EmbeddingBag", ids, input_dim=8, output_dim=2))
    builder = Builder()
    ids = builder.add("Hashing", builder.input((2,), "string", words), num_bins=11)
    yield "hashing", builder.output(builder.add("EmbeddingBag", ids, input_dim=11, output_dim=2))
    builder = Builder()
    ids = builder.add("IntegerLookup", builder.input((2,), "int64", range(-3, 9)),
                      vocabulary=[5, 2, -1], num_oov_indices=2)
    yield "integer_lookup", builder.output(
        builder.add("EmbeddingBag", ids, input_dim=5, output_dim=2))
    builder = Builder()
    bins = builder.add("Discretization", builder.input((2,)), bin_boundaries=[-0.5, 0.0, 0.4])
    yield "discretization", builder.output(
        builder.add("EmbeddingBag", bins, input_dim=4, output_dim=2))
    for mode in ("multi_hot", "count"):
        builder = Builder()
        encoded = builder.add("CategoryEncoding", builder.input((3,), "int64", range(4)),
                              num_tokens=4, output_mode=mode)
        yield f"category/{mode}", builder.output(builder.add("Dense", encoded, units=2))
    builder = Builder()
    encoded = builder.add("CategoryEncoding", builder.input((1,), "int64", range(4)), num_tokens=4,
                          output_mode="one_hot")
    yield "category/one_hot", builder.output(builder.add("Dense", encoded, units=2))
    builder = Builder()
    normal = builder.add("Normalization", builder.input((3,)), mean=[0.1, -0.2, 0.3],
                         variance=[0.5, 2.0, 0.01])
    yield "normalization", builder.output(builder.add("Dense", normal, units=2))


OPTIMIZERS = ("sgd", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "adamax", "nadam", "ftrl",
              "lion")


def all_cases():
    """(name, Builder, loss, optimizer or None)"""
    for family in (_dense, _convolutions, _pooling, _normalizations, _merges, _rows):
        for name, builder in family():
            yield name, builder, "mse", None
    for optimizer in OPTIMIZERS:
        yield (f"optimizer/{optimizer}",
               stack((4,), ("Dense", {"units": 5, "activation": "tanh"}),
                     ("BatchNormalization", {}), ("Dense", {"units": 3})), "mse", optimizer)
    for loss in ("mse", "mae", "huber", "binary_crossentropy", "categorical_crossentropy"):
        activation = {"binary_crossentropy": "sigmoid",
                      "categorical_crossentropy": "softmax"}.get(loss, "linear")
        yield f"loss/{loss}", stack((4,), ("Dense", {"units": 3, "activation": activation})), loss, None
