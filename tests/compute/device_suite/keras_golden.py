#!/usr/bin/env python3
"""Writes keras_golden.inc: what Keras's layers and activations make of fixed inputs, forward
and backward.

    pip install tensorflow-cpu && tests/compute/device_suite/keras_golden.py > \
        tests/compute/device_suite/keras_golden.inc

Not part of the build.
"""
import os

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import keras
import numpy as np
import tensorflow as tf

random = np.random.RandomState(6)


def numbers(*shape):
    """Multiples of 1/8 between -2 and 2, with equals among them."""
    return (random.randint(-16, 17, shape) / 8).astype(np.float32)


def floats(values):
    return "{" + ", ".join("%.9gF" % float(x) if float(x) % 1 else "%d" % float(x)
                           for x in np.ravel(values)) + "}"


def gradients(function, inputs):
    """The function's value, and the gradients of its sum with fixed weights."""
    tensors = [tf.Variable(x) for x in inputs]
    with tf.GradientTape() as tape:
        out = function(*tensors)
        weights = numbers(*out.shape)
        loss = tf.reduce_sum(out * weights)
    return out.numpy(), weights, [x.numpy() for x in tape.gradient(loss, tensors)]


def activation(name, arguments={}):
    function = getattr(keras.activations, name)
    out, weights, (gradient,) = gradients(lambda x: function(x, **arguments), [AT])
    return out, weights, gradient


AT = np.array([[-6, -3.5, -2.75, -1.5, -0.75, -0.1, 0.1, 0.5, 1.25, 2.5, 3.25, 7]], np.float32)
ACTIVATIONS = [
    ("linear", {}, "kLinear", None), ("relu", {}, "kRelu", None), ("relu6", {}, "kRelu6", None),
    ("leaky_relu", {}, "kLeakyRelu", None),
    ("leaky_relu", {"negative_slope": 0.3}, "kLeakyRelu", 0.3),
    ("elu", {}, "kElu", None), ("elu", {"alpha": 0.5}, "kElu", 0.5), ("selu", {}, "kSelu", None),
    ("celu", {}, "kCelu", None), ("celu", {"alpha": 2.0}, "kCelu", 2.0),
    ("gelu", {}, "kGelu", None), ("gelu", {"approximate": True}, "kGeluTanh", None),
    ("silu", {}, "kSilu", None), ("hard_silu", {}, "kHardSilu", None), ("mish", {}, "kMish", None),
    ("sigmoid", {}, "kSigmoid", None), ("hard_sigmoid", {}, "kHardSigmoid", None),
    ("log_sigmoid", {}, "kLogSigmoid", None), ("tanh", {}, "kTanh", None),
    ("hard_tanh", {}, "kHardTanh", None), ("softplus", {}, "kSoftplus", None),
    ("softsign", {}, "kSoftsign", None), ("exponential", {}, "kExponential", None),
    ("log_softmax", {}, "kLogSoftmax", None), ("softmax", {}, "kSoftmax", None),
]


def print_activations():
    print("const Elements kAt = " + floats(AT) + ";")
    print("const KerasActivation kActivations[] = {")
    for name, arguments, ours, constant in ACTIVATIONS:
        out, weights, gradient = activation(name, arguments)
        print("    {Activation::%s, %s, %s,\n     %s,\n     %s}," % (
            ours, "{}" if constant is None else "%#gF" % constant, floats(out), floats(weights),
            floats(gradient)))
    print("};\n")


def axis(size, window, padding, stride, dilation=1):
    return "window_axis(%d, %d, WindowPadding::k%s, {.stride = %d, .dilation = %d})" % (
        size, window, padding.capitalize(), stride, dilation)


# Examples, height, width, channels in and out, kernel, padding, strides, dilation, groups.
CONVOLUTIONS = [
    (1, 5, 6, 2, 3, (3, 3), "valid", 1, 1, 1),
    (2, 6, 5, 1, 2, (2, 3), "same", 2, 1, 1),
    (1, 7, 6, 2, 2, (3, 2), "same", 1, 2, 1),
    (1, 4, 4, 4, 6, (3, 3), "same", 1, 1, 2),
]


def print_convolutions():
    print("const KerasConvolution kConvolutions[] = {")

    def write(n, h, w, c, f, size, padding, stride, dilation, groups, function, kernel):
        x = numbers(n, h, w, c)
        out, weights, (dx, dk) = gradients(function, [x, kernel])
        rows = axis(h, size[0], padding, stride, dilation)
        columns = axis(w, size[1], padding, stride, dilation)
        print("    {{%d, %s,\n      %s, %d, %d, %d}," % (n, rows, columns, c, f, groups))
        print("     " + ",\n     ".join(map(floats, (x, kernel, out, weights, dx, dk))) + "},")

    for n, h, w, c, f, size, padding, stride, dilation, groups in CONVOLUTIONS:
        write(n, h, w, c, f, size, padding, stride, dilation, groups,
              lambda x, k: keras.ops.conv(x, k, stride, padding, dilation_rate=dilation),
              numbers(*size, c // groups, f))
    write(1, 6, 5, 3, 6, (3, 3), "same", 2, 1, 3,
          lambda x, k: keras.ops.depthwise_conv(x, k, 2, "same"), numbers(3, 3, 3, 2))
    print("};\n")


def print_pooling():
    print("const KerasPooling kPoolings[] = {")

    def write(function, ours, ties, rows, columns, x):
        out, weights, (dx,) = gradients(function, [x])
        n, _, _, c = x.shape
        print("    {PoolingFunction::%s, PoolingTies::%s,\n     {%d, %s,\n      %s, %d}," % (
            ours, ties, n, rows, columns, c))
        print("     " + ",\n     ".join(map(floats, (x, out, weights, dx))) + "},")

    for layer, ours in ((keras.layers.MaxPooling2D, "kMax"),
                        (keras.layers.AveragePooling2D, "kAverage")):
        for size, stride, padding in (((2, 2), 2, "valid"), ((3, 2), 2, "same"),
                                      ((3, 3), 1, "same")):
            write(layer(size, stride, padding), ours, "kFirst", axis(5, size[0], padding, stride),
                  axis(6, size[1], padding, stride), numbers(1, 5, 6, 2))
    over = "window_over(4)", "window_over(5)"
    write(keras.layers.GlobalMaxPooling2D(), "kMax", "kShared", *over, numbers(2, 4, 5, 2))
    write(keras.layers.GlobalAveragePooling2D(), "kAverage", "kFirst", *over, numbers(2, 4, 5, 2))
    print("};\n")


def print_normalization():
    x, gamma, beta = numbers(6, 4), numbers(4) + 3, numbers(4)

    def write(name, results):
        print("const KerasNormalization %s = {" % name)
        print("    " + ",\n    ".join(map(floats, results)) + "};")

    def batch(x, gamma, beta):
        mean, variance = tf.nn.moments(x, [0])
        return keras.ops.batch_normalization(x, mean, variance, -1, beta, gamma, 1e-3)

    out, weights, given = gradients(batch, [x, gamma, beta])
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer(x, training=True)
    write("kBatchNormalization", [x, gamma, beta, out, weights, *given, layer.moving_mean.numpy(),
                                  layer.moving_variance.numpy()])
    out, weights, given = gradients(
        lambda x, gamma, beta: keras.ops.layer_normalization(x, gamma, beta, -1, 1e-3),
        [x, gamma, beta])
    write("kLayerNormalization", [x, gamma, beta, out, weights, *given, [], []])


def print_dot():
    print("const KerasDot kDots[] = {")
    for normalize, left, right in ((False, (3, 4), (3, 4)), (True, (3, 4), (3, 4)),
                                   (True, (2, 3, 4), (2, 5, 4))):
        layer = keras.layers.Dot(-1, normalize)
        a, b = numbers(*left) + 0.0625, numbers(*right) + 0.0625
        out, weights, (da, db) = gradients(lambda a, b: layer([a, b]), [a, b])
        rows = (left[1], right[1]) if len(left) == 3 else (1, 1)
        print("    {{%d, %d, %d, 4}, %s," % (left[0], *rows, "true" if normalize else "false"))
        print("     " + ",\n     ".join(map(floats, (a, b, out, weights, da, db))) + "},")
    print("};")


def main():
    print("// Written by keras_golden.py with Keras %s and TensorFlow %s; not to be edited."
          % (keras.__version__, tf.__version__))
    print("// clang-format off")
    print_activations()
    print_convolutions()
    print_pooling()
    print_normalization()
    print_dot()
    print("// clang-format on")


main()
