#!/usr/bin/env python3
"""Writes keras_golden.inc: what Keras's optimizers, schedules and clipping make of fixed inputs.

    pip install keras numpy && tests/compute/keras_golden.py > tests/compute/keras_golden.inc

Not part of the build. With Keras's NumPy backend every operation is one float32 operation.
"""
import os

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
from keras import optimizers as k
from keras.optimizers import schedules as s

START = [0.5, -1.25, 2.0, 0.75, -0.5, 1.0]
STEPS = 12


def gradients():
    """Of six kinds: ordinary, zero, huge, tiny, zero in two steps of three, and steadily positive."""
    random = np.random.RandomState(20)
    rows = random.randn(STEPS, 6)
    rows[:, 1] = 0
    rows[:, 2] *= 1e6
    rows[:, 3] *= 1e-6
    rows[:, 4] *= (np.arange(STEPS) % 3) == 1
    rows[:, 5] = 1 + rows[:, 5] ** 2
    return rows.astype(np.float32)


# What Keras is given, and what dtrain is.
OPTIMIZERS = [
    (k.SGD(), "Sgd{}"),
    (k.SGD(0.1, momentum=0.9), "Sgd{.learning_rate = 0.1F, .momentum = 0.9F}"),
    (k.SGD(0.1, momentum=0.9, nesterov=True, weight_decay=0.02),
     "Sgd{.learning_rate = 0.1F, .momentum = 0.9F, .nesterov = true, .weight_decay = 0.02F}"),
    (k.Adagrad(), "Adagrad{}"),
    (k.Adagrad(0.1, initial_accumulator_value=0.5, epsilon=1e-3, weight_decay=0.01),
     "Adagrad{.learning_rate = 0.1F, .initial_accumulator_value = 0.5F, .epsilon = 1e-3F, "
     ".weight_decay = 0.01F}"),
    (k.Adadelta(), "Adadelta{}"),
    (k.Adadelta(1.0, rho=0.9, epsilon=1e-5), "Adadelta{.learning_rate = 1.0F, .rho = 0.9F, .epsilon = 1e-5F}"),
    (k.RMSprop(), "RmsProp{}"),
    (k.RMSprop(0.01, rho=0.99), "RmsProp{.learning_rate = 0.01F, .rho = 0.99F}"),
    (k.RMSprop(0.01, momentum=0.8), "RmsProp{.learning_rate = 0.01F, .momentum = 0.8F}"),
    (k.RMSprop(0.01, centered=True), "RmsProp{.learning_rate = 0.01F, .centered = true}"),
    (k.RMSprop(0.01, rho=0.8, momentum=0.9, epsilon=1e-3, centered=True, weight_decay=0.05),
     "RmsProp{.learning_rate = 0.01F, .rho = 0.8F, .momentum = 0.9F, .epsilon = 1e-3F, "
     ".centered = true, .weight_decay = 0.05F}"),
    (k.Adam(), "Adam{}"),
    (k.Adam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-3, amsgrad=True),
     "Adam{.learning_rate = 0.01F, .beta_1 = 0.8F, .beta_2 = 0.99F, .epsilon = 1e-3F, .amsgrad = true}"),
    (k.AdamW(), "AdamW{}"),
    (k.AdamW(0.01, weight_decay=0.1, amsgrad=True),
     "AdamW{.learning_rate = 0.01F, .amsgrad = true, .weight_decay = 0.1F}"),
    (k.Adamax(), "Adamax{}"),
    (k.Adamax(0.01, beta_1=0.8, beta_2=0.9, epsilon=1e-3, weight_decay=0.01),
     "Adamax{.learning_rate = 0.01F, .beta_1 = 0.8F, .beta_2 = 0.9F, .epsilon = 1e-3F, "
     ".weight_decay = 0.01F}"),
    (k.Nadam(), "Nadam{}"),
    (k.Nadam(0.01, beta_1=0.8, beta_2=0.99, epsilon=1e-3),
     "Nadam{.learning_rate = 0.01F, .beta_1 = 0.8F, .beta_2 = 0.99F, .epsilon = 1e-3F}"),
    (k.Ftrl(), "Ftrl{}"),
    (k.Ftrl(0.05, learning_rate_power=-0.7, initial_accumulator_value=0.2,
            l1_regularization_strength=0.01, l2_regularization_strength=0.02,
            l2_shrinkage_regularization_strength=0.03, beta=0.04),
     "Ftrl{.learning_rate = 0.05F, .learning_rate_power = -0.7F, .initial_accumulator_value = 0.2F, "
     ".l1_regularization_strength = 0.01F, .l2_regularization_strength = 0.02F, "
     ".l2_shrinkage_regularization_strength = 0.03F, .beta = 0.04F}"),
    (k.Lion(), "Lion{}"),
    (k.Lion(0.01, beta_1=0.8, beta_2=0.95, weight_decay=0.1),
     "Lion{.learning_rate = 0.01F, .beta_1 = 0.8F, .beta_2 = 0.95F, .weight_decay = 0.1F}"),
    (k.Adam(s.CosineDecay(0.0, 8, warmup_target=0.1, warmup_steps=3)),
     "Adam{.learning_rate = CosineDecay{.initial_learning_rate = 0.0F, .decay_steps = 8, "
     ".warmup_target = 0.1F, .warmup_steps = 3}}"),
    (k.SGD(s.PiecewiseConstantDecay([2, 5], [0.1, 0.01, 0.001]), momentum=0.5),
     "Sgd{.learning_rate = PiecewiseConstantDecay{.boundaries = {2, 5}, "
     ".values = {0.1F, 0.01F, 0.001F}}, .momentum = 0.5F}"),
]

AT = [0, 1, 2, 3, 5, 7, 10, 11, 15, 20, 31, 70, 100, 1000]
SCHEDULES = [
    (s.ExponentialDecay(0.1, 10, 0.5), "ExponentialDecay{0.1F, 10, 0.5F}"),
    (s.ExponentialDecay(0.1, 10, 0.5, staircase=True), "ExponentialDecay{0.1F, 10, 0.5F, true}"),
    (s.PiecewiseConstantDecay([2, 10, 31], [1.0, 0.5, 0.25, 0.125]),
     "PiecewiseConstantDecay{{2, 10, 31}, {1.0F, 0.5F, 0.25F, 0.125F}}"),
    (s.PolynomialDecay(0.1, 20), "PolynomialDecay{0.1F, 20}"),
    (s.PolynomialDecay(0.1, 20, 0.01, power=2.0, cycle=True),
     "PolynomialDecay{0.1F, 20, 0.01F, 2.0F, true}"),
    (s.InverseTimeDecay(0.1, 10, 0.5), "InverseTimeDecay{0.1F, 10, 0.5F}"),
    (s.InverseTimeDecay(0.1, 10, 0.5, staircase=True), "InverseTimeDecay{0.1F, 10, 0.5F, true}"),
    (s.CosineDecay(0.1, 20, alpha=0.1), "CosineDecay{0.1F, 20, 0.1F}"),
    (s.CosineDecay(0.01, 20, warmup_target=0.2, warmup_steps=10),
     "CosineDecay{0.01F, 20, 0.0F, 0.2F, 10}"),
    (s.CosineDecayRestarts(0.1, 10), "CosineDecayRestarts{0.1F, 10}"),
    (s.CosineDecayRestarts(0.1, 7, t_mul=1.0, m_mul=0.5, alpha=0.1),
     "CosineDecayRestarts{0.1F, 7, 1.0F, 0.5F, 0.1F}"),
    (s.CosineDecayRestarts(0.1, 5, t_mul=1.5, m_mul=0.9),
     "CosineDecayRestarts{0.1F, 5, 1.5F, 0.9F}"),
]

# Over two variables, the first three elements and the last three.
CLIPPING = [
    ({"clipvalue": 0.75}, "Clipping{.value = 0.75F}"),
    ({"clipnorm": 1.5}, "Clipping{.norm = 1.5F}"),
    ({"global_clipnorm": 1.5}, "Clipping{.global_norm = 1.5F}"),
]



def floats(values):
    texts = []
    for value in np.ravel(values):
        text = f"{np.float32(value):.9g}"
        texts.append((text if any(c in text for c in ".en") else text + ".0") + "F")
    return "{" + ", ".join(texts) + "}"


def run(optimizer, split):
    """Values after step 1 and after all, and the slots at the end by name."""
    start = np.array(START, np.float32)
    variables = [keras.Variable(part, name=f"v{i}") for i, part in enumerate(np.split(start, split))]
    first = None
    for gradient in gradients():
        optimizer.apply(np.split(gradient, split), variables)
        values = np.concatenate([np.array(v.value) for v in variables])
        first = values if first is None else first
    slots = {}
    for variable in optimizer.variables:
        name = variable.path.split("/")[-1]
        if name.startswith("v0_"):
            slots[name[3:]] = np.array(variable.value)
    return first, values, slots


def main():
    print("// Written by keras_golden.py with Keras " + keras.__version__ + "; not to be edited.")
    print("// clang-format off")
    print("const std::vector<float> kStart = " + floats(START) + ";")
    print("const std::vector<std::vector<float>> kGradients = {")
    for row in gradients():
        print("    " + floats(row) + ",")
    print("};\n")
    print("const KerasOptimizer kOptimizers[] = {")
    for optimizer, text in OPTIMIZERS:
        first, last, slots = run(optimizer, 1)
        print("    {" + text + ",\n     " + floats(first) + ",\n     " + floats(last) + ",\n     {"
              + ", ".join('{"' + name + '", ' + floats(slot) + "}" for name, slot in slots.items())
              + "}},")
    print("};\n")
    print("const std::vector<std::int64_t> kAt = {" + ", ".join(map(str, AT)) + "};")
    print("const KerasSchedule kSchedules[] = {")
    for schedule, text in SCHEDULES:
        print("    {" + text + ",\n     " + floats([schedule(step) for step in AT]) + "},")
    print("};\n")
    print("const KerasClipping kClippings[] = {")
    for arguments, text in CLIPPING:
        _, last, _ = run(k.SGD(0.1, **arguments), 2)
        print("    {" + text + ",\n     " + floats(last) + "},")
    print("};\n// clang-format on")


main()
