#!/usr/bin/env python3
"""Writes keras_losses_golden.inc: what Keras's losses, their gradients and its metrics make of
fixed numbers.

    pip install keras tensorflow && tests/model/keras_losses_golden.py > keras_losses_golden.inc

Not part of the build. TensorFlow is the backend, whose losses go back to the logits of a softmax
or a sigmoid.
"""
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from keras import losses as l
from keras import metrics as m

ROWS, COLUMNS, BATCHES = 6, 4, 3
RANDOM = np.random.RandomState(11)

# Logits, some of them far out, and probabilities with some beyond what Keras clips to.
LOGITS = RANDOM.randn(ROWS, COLUMNS) * 3
LOGITS[1] = [30, -40, 5, 0]
PROBABILITIES = 1 / (1 + np.exp(-RANDOM.randn(ROWS, COLUMNS) * 2))
PROBABILITIES[2] = [0, 1, 0.5, 0.25]
CLASSES = np.array([0, 1, 2, 3, 1, 0])
SOFT = RANDOM.dirichlet(np.ones(COLUMNS), ROWS)
BINARY = (RANDOM.rand(ROWS, COLUMNS) > 0.5).astype(float)
REAL = LOGITS + RANDOM.randn(ROWS, COLUMNS) * 1.5
REAL[3, 2] = LOGITS[3, 2]
WEIGHTS = np.array([1.0, 0.5, 2.0, 0.0, 3.0, 0.25])

ACTIVATIONS = {"kLinear": None, "kSoftmax": tf.nn.softmax, "kSigmoid": tf.nn.sigmoid}

# Keras's loss, dtrain's, the last activation, the model's numbers before it, and the targets.
LOSSES = [
    (l.SparseCategoricalCrossentropy(), "SparseCategoricalCrossentropy{}", "kLinear", "Probabilities", "Classes"),
    (l.SparseCategoricalCrossentropy(), "SparseCategoricalCrossentropy{}", "kSoftmax", "Logits", "Classes"),
    (l.SparseCategoricalCrossentropy(from_logits=True), "SparseCategoricalCrossentropy{.from_logits = true}",
     "kLinear", "Logits", "Classes"),
    (l.CategoricalCrossentropy(), "CategoricalCrossentropy{}", "kLinear", "Probabilities", "Soft"),
    (l.CategoricalCrossentropy(), "CategoricalCrossentropy{}", "kSoftmax", "Logits", "Soft"),
    (l.CategoricalCrossentropy(from_logits=True), "CategoricalCrossentropy{.from_logits = true}", "kLinear",
     "Logits", "Soft"),
    (l.CategoricalCrossentropy(label_smoothing=0.1), "CategoricalCrossentropy{.label_smoothing = 0.1F}",
     "kLinear", "Probabilities", "Binary"),
    (l.CategoricalCrossentropy(label_smoothing=0.3), "CategoricalCrossentropy{.label_smoothing = 0.3F}",
     "kSoftmax", "Logits", "Binary"),
    (l.BinaryCrossentropy(), "BinaryCrossentropy{}", "kLinear", "Probabilities", "Binary"),
    (l.BinaryCrossentropy(), "BinaryCrossentropy{}", "kSigmoid", "Logits", "Binary"),
    (l.BinaryCrossentropy(), "BinaryCrossentropy{}", "kSigmoid", "Logits", "Soft"),
    (l.BinaryCrossentropy(from_logits=True), "BinaryCrossentropy{.from_logits = true}", "kLinear", "Logits",
     "Binary"),
    (l.BinaryCrossentropy(label_smoothing=0.2), "BinaryCrossentropy{.label_smoothing = 0.2F}", "kLinear",
     "Probabilities", "Binary"),
    (l.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
     "BinaryCrossentropy{.from_logits = true, .label_smoothing = 0.2F}", "kLinear", "Logits", "Binary"),
    (l.MeanSquaredError(), "MeanSquaredError{}", "kLinear", "Logits", "Real"),
    (l.MeanAbsoluteError(), "MeanAbsoluteError{}", "kLinear", "Logits", "Real"),
    (l.Huber(), "Huber{}", "kLinear", "Logits", "Real"),
    (l.Huber(delta=0.4), "Huber{.delta = 0.4F}", "kLinear", "Logits", "Real"),
]
NUMBERS = {"Logits": LOGITS, "Probabilities": PROBABILITIES, "Classes": CLASSES, "Soft": SOFT, "Binary": BINARY,
           "Real": REAL}

# One output: 40 predictions of each batch, with ties at thresholds.
ONE = [np.round(1 / (1 + np.exp(-RANDOM.randn(40, 1) * 1.5)), 3) for _ in range(BATCHES)]
ONE[0][:6, 0] = [0, 1, 0.5, 0.25, 0.5, 1e-9]
ONE_TARGETS = [(RANDOM.rand(40, 1) < 0.2 + 0.6 * p).astype(float) for p in ONE]
ONE_LOGITS = [np.log(np.clip(p, 1e-4, 1 - 1e-4)) - np.log1p(-np.clip(p, 1e-4, 1 - 1e-4)) for p in ONE]
ONE_WEIGHTS = [np.round(RANDOM.rand(40) * 2, 2) for _ in range(BATCHES)]

# Seven outputs.
MANY = [RANDOM.dirichlet(np.ones(7), 10) for _ in range(BATCHES)]
MANY[0][0] = [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1]
MANY_CLASSES = [RANDOM.randint(0, 7, 10) for _ in range(BATCHES)]
MANY_TARGETS = [np.eye(7)[c] for c in MANY_CLASSES]
MANY_WEIGHTS = [np.round(RANDOM.rand(10) * 2, 2) for _ in range(BATCHES)]

METRICS = [
    (lambda: m.BinaryAccuracy(), "metrics::Accuracy{}", "One"),
    (lambda: m.BinaryAccuracy(threshold=0.3), "metrics::BinaryAccuracy{.threshold = 0.3F}", "One"),
    (lambda: m.BinaryAccuracy(threshold=0.2), "metrics::BinaryAccuracy{.threshold = 0.2F}", "Many"),
    (lambda: m.CategoricalAccuracy(), "metrics::Accuracy{}", "Many"),
    (lambda: m.CategoricalAccuracy(), "metrics::CategoricalAccuracy{}", "Many"),
    (lambda: m.SparseCategoricalAccuracy(), "metrics::Accuracy{}", "ManyClasses"),
    (lambda: m.SparseCategoricalAccuracy(), "metrics::SparseCategoricalAccuracy{}", "ManyClasses"),
    (lambda: m.TopKCategoricalAccuracy(), "metrics::TopKCategoricalAccuracy{}", "Many"),
    (lambda: m.TopKCategoricalAccuracy(k=2), "metrics::TopKCategoricalAccuracy{.k = 2}", "Many"),
    (lambda: m.SparseTopKCategoricalAccuracy(), "metrics::SparseTopKCategoricalAccuracy{}", "ManyClasses"),
    (lambda: m.SparseTopKCategoricalAccuracy(k=3), "metrics::SparseTopKCategoricalAccuracy{.k = 3}", "ManyClasses"),
    (lambda: m.AUC(), "metrics::Auc{}", "One"),
    (lambda: m.AUC(), "metrics::Auc{}", "Many"),
    (lambda: m.AUC(num_thresholds=2), "metrics::Auc{.num_thresholds = 2}", "One"),
    (lambda: m.AUC(num_thresholds=9), "metrics::Auc{.num_thresholds = 9}", "One"),
    (lambda: m.AUC(summation_method="minoring"),
     "metrics::Auc{.summation_method = metrics::AucSummation::kMinoring}", "One"),
    (lambda: m.AUC(summation_method="majoring"),
     "metrics::Auc{.summation_method = metrics::AucSummation::kMajoring}", "One"),
    (lambda: m.AUC(curve="PR"), "metrics::Auc{.curve = metrics::AucCurve::kPr}", "One"),
    (lambda: m.AUC(curve="PR"), "metrics::Auc{.curve = metrics::AucCurve::kPr}", "Many"),
    (lambda: m.AUC(curve="PR", summation_method="minoring", num_thresholds=50),
     "metrics::Auc{.num_thresholds = 50, .curve = metrics::AucCurve::kPr, "
     ".summation_method = metrics::AucSummation::kMinoring}", "One"),
    (lambda: m.AUC(curve="PR", summation_method="majoring"),
     "metrics::Auc{.curve = metrics::AucCurve::kPr, .summation_method = metrics::AucSummation::kMajoring}", "One"),
    (lambda: m.AUC(thresholds=[0.1, 0.25, 0.5, 0.8]), "metrics::Auc{.thresholds = {0.1F, 0.25F, 0.5F, 0.8F}}", "One"),
    (lambda: m.AUC(from_logits=True), "metrics::Auc{.from_logits = true}", "OneLogits"),
    (lambda: m.Precision(), "metrics::Precision{}", "One"),
    (lambda: m.Precision(thresholds=[0.3, 0.6]), "metrics::Precision{.thresholds = {0.3F, 0.6F}}", "One"),
    (lambda: m.Precision(thresholds=[0.0, 0.5, 1.0]), "metrics::Precision{.thresholds = {0.0F, 0.5F, 1.0F}}", "One"),
    (lambda: m.Precision(top_k=2), "metrics::Precision{.top_k = 2}", "Many"),
    (lambda: m.Precision(thresholds=0.2, class_id=3), "metrics::Precision{.thresholds = {0.2F}, .class_id = 3}", "Many"),
    (lambda: m.Precision(top_k=3, class_id=1), "metrics::Precision{.top_k = 3, .class_id = 1}", "Many"),
    (lambda: m.Recall(), "metrics::Recall{}", "One"),
    (lambda: m.Recall(thresholds=[0.3, 0.6]), "metrics::Recall{.thresholds = {0.3F, 0.6F}}", "One"),
    (lambda: m.Recall(top_k=2), "metrics::Recall{.top_k = 2}", "Many"),
    (lambda: m.Recall(thresholds=0.1, class_id=2), "metrics::Recall{.thresholds = {0.1F}, .class_id = 2}", "Many"),
    (lambda: m.MeanSquaredError(), "metrics::MeanSquaredError{}", "Many"),
    (lambda: m.RootMeanSquaredError(), "metrics::RootMeanSquaredError{}", "One"),
    (lambda: m.RootMeanSquaredError(), "metrics::RootMeanSquaredError{}", "Many"),
    (lambda: m.MeanAbsoluteError(), "metrics::MeanAbsoluteError{}", "Many"),
    (lambda: m.BinaryCrossentropy(), "metrics::BinaryCrossentropy{}", "One"),
    (lambda: m.BinaryCrossentropy(from_logits=True, label_smoothing=0.1),
     "metrics::BinaryCrossentropy{.from_logits = true, .label_smoothing = 0.1F}", "OneLogits"),
    (lambda: m.CategoricalCrossentropy(label_smoothing=0.1),
     "metrics::CategoricalCrossentropy{.label_smoothing = 0.1F}", "Many"),
    (lambda: m.SparseCategoricalCrossentropy(), "metrics::SparseCategoricalCrossentropy{}", "ManyClasses"),
]
DATA = {"One": (ONE, ONE_TARGETS, ONE_WEIGHTS), "OneLogits": (ONE_LOGITS, ONE_TARGETS, ONE_WEIGHTS),
        "Many": (MANY, MANY_TARGETS, MANY_WEIGHTS), "ManyClasses": (MANY, MANY_CLASSES, MANY_WEIGHTS)}


def floats(values):
    texts = []
    for value in np.ravel(values):
        text = f"{np.float32(value):.9g}"
        texts.append((text if any(c in text for c in ".en") else text + ".0") + "F")
    return "{" + ", ".join(texts) + "}"


def loss_of(loss, activation, numbers, targets, weights):
    """Loss and gradient by the numbers that go into the activation, in a graph as fit() has it."""
    targets = targets.astype(np.int32 if targets is CLASSES else np.float32)

    @tf.function
    def run(x, y):
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = x if ACTIVATIONS[activation] is None else ACTIVATIONS[activation](x)
            value = loss(y, outputs, sample_weight=weights)
        return value, tape.gradient(value, x)

    value, gradient = run(tf.constant(numbers, tf.float32), tf.constant(targets))
    return float(value), gradient.numpy()


def metric_of(make, data, weighted):
    metric = make()
    for outputs, targets, weights in zip(*DATA[data]):
        targets = targets.astype(np.int32 if data == "ManyClasses" else np.float32)
        metric.update_state(targets, outputs.astype(np.float32),
                            sample_weight=weights.astype(np.float32) if weighted else None)
    return np.array(metric.result())


def main():
    print("// Written by keras_losses_golden.py with Keras " + keras.__version__ + " and TensorFlow "
          + tf.__version__ + "; not to be edited.")
    print("// clang-format off")
    for name, values in NUMBERS.items():
        if name == "Classes":
            print("const std::vector<std::int32_t> kClasses = {" + ", ".join(map(str, values)) + "};")
        else:
            print(f"const std::vector<float> k{name} = " + floats(values) + ";")
    print("const std::vector<float> kWeights = " + floats(WEIGHTS) + ";\n")
    print("const KerasLoss kLosses[] = {")
    for loss, text, activation, numbers, targets in LOSSES:
        print("    {" + text + ", Activation::" + activation + ", k" + numbers + ", "
              + ("{}, kClasses" if targets == "Classes" else "k" + targets + ", {}") + ",")
        for weights in (None, WEIGHTS.astype(np.float32)):
            value, gradient = loss_of(loss, activation, NUMBERS[numbers], NUMBERS[targets], weights)
            print(f"     {np.float32(value):.9g}, " + floats(gradient) + ("," if weights is None else "},"))
    print("};\n")
    for name, (outputs, targets, weights) in DATA.items():
        print(f"const KerasData k{name} = {{")
        print("    {" + ",\n     ".join(floats(b) for b in outputs) + "},")
        if name == "ManyClasses":
            print("    {}, {" + ",\n     ".join("{" + ", ".join(map(str, b)) + "}" for b in targets) + "},")
        else:
            print("    {" + ",\n     ".join(floats(b) for b in targets) + "}, {},")
        print("    {" + ",\n     ".join(floats(b) for b in weights) + "}};")
    print("\nconst KerasMetric kMetrics[] = {")
    for make, text, data in METRICS:
        print("    {" + text + ", k" + data + ", " + floats(metric_of(make, data, False)) + ", "
              + floats(metric_of(make, data, True)) + "},")
    print("};\n// clang-format on")


main()
