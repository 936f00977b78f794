"""Runs every case in Keras and in the probe, and says where they differ. See run.

Keras computes in double precision, so that what is seen is dtrain's rounding alone."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib

import keras
import numpy as np
import tensorflow as tf

import cases
import keras_model
import trainings

TOLERANCE = 1e-5  # of the largest number in a tensor, or in a layer's gradients
EXAMPLES = 6
STEPS = 50

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")


def values(generator, description, choices):
    shape = (EXAMPLES, *description["shape"])
    if choices is not None:
        choices = list(choices)
        drawn = generator.integers(0, len(choices), size=shape)
        return np.array(choices, dtype=object if description["dtype"] == "string" else np.int64)[drawn]
    return generator.uniform(-1, 1, size=shape).astype(np.float32)


def as_json(array, dtype):
    return {"dtype": dtype, "shape": list(array.shape), "values": array.ravel().tolist()}


def target_of(generator, loss, output):
    if loss == "categorical_crossentropy":
        return np.eye(output.shape[-1], dtype=np.float32)[
            generator.integers(0, output.shape[-1], size=len(output))]
    if loss == "binary_crossentropy":
        return generator.integers(0, 2, size=output.shape).astype(np.float32)
    return generator.uniform(-1, 1, size=output.shape).astype(np.float32)


def prepare(name, builder):
    """The Keras model with random weights, and its inputs."""
    generator = np.random.default_rng(zlib.crc32(name.encode()))
    keras.utils.set_random_seed(1)
    model = keras_model.build(builder.model)
    weights = keras_model.weights(model)
    for path, weight in weights.items():
        low = 0.5 if path.endswith(("moving_variance", "gamma")) else -1.0
        weight.assign(generator.uniform(low, 1, size=weight.shape).astype(np.float32))
    inputs = [values(generator, one, choices)
              for one, choices in zip(builder.model["inputs"], builder.ranges)]
    return generator, model, weights, inputs


def as_list(outputs):
    """Keras gives a list of one output as that output."""
    return outputs if isinstance(outputs, (list, tuple)) else [outputs]


def run_keras(model, weights, inputs, targets, loss, optimizer):
    def tensors():
        return [tf.constant(one.tolist() if one.dtype == object else one) for one in inputs]

    def step():
        with tf.GradientTape() as tape:
            outputs = as_list(model(tensors(), training=True))
            total = sum(loss(target, output) for target, output in zip(targets, outputs))
            total += sum(model.losses)
        return total, tape.gradient(total, model.trainable_variables)

    result = {"outputs": [one.numpy() for one in as_list(model(tensors(), training=False))]}
    start = {path: weight.numpy() for path, weight in weights.items()}
    total, gradients = step()
    result["loss"] = float(total)
    by_id = {id(variable): gradient for variable, gradient
             in zip(model.trainable_variables, gradients)}
    result["gradients"] = {}
    for path, weight in weights.items():
        gradient = by_id.get(id(weight))
        # What dtrain subtracts from a running average.
        result["gradients"][path] = (start[path] - weight.numpy() if gradient is None
                                     else tf.convert_to_tensor(gradient).numpy())
        weight.assign(start[path])
    if optimizer:
        optimizer = keras.optimizers.get(optimizer)
        for _ in range(STEPS):
            optimizer.apply_gradients(zip(step()[1], model.trainable_variables))
        result["trained"] = {path: weight.numpy() for path, weight in weights.items()}
    return result


def difference(expected, got, scale=0.0):
    """The largest error, as a multiple of what is allowed."""
    expected, got = np.asarray(expected, np.float64).ravel(), np.asarray(got, np.float64).ravel()
    if expected.shape != got.shape:
        return float("inf")
    if expected.size == 0:
        return 0.0
    allowed = TOLERANCE * max(np.abs(expected).max(), scale) + 1e-7
    return float((np.abs(expected - got) / allowed).max())


def ask(probe, request):
    probe.stdin.write(json.dumps(request) + "\n")
    probe.stdin.flush()
    return json.loads(probe.stdout.readline())


def main() -> int:
    probe_path, only = sys.argv[1:3]
    probe = subprocess.Popen([probe_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    passed = failed = 0
    for name, builder, loss, optimizer in cases.all_cases():
        if only not in name:
            continue
        generator, model, weights, inputs = prepare(name, builder)
        plain = [tf.constant(one.tolist() if one.dtype == object else one) for one in inputs]
        targets = [target_of(generator, loss, output) for output in as_list(model(plain, training=False))]
        request = {
            "model": builder.model, "loss": loss,
            "weights": {path: weight.numpy().ravel().tolist() for path, weight in weights.items()},
            "inputs": [as_json(one, spec["dtype"])
                       for one, spec in zip(inputs, builder.model["inputs"])],
            "targets": [as_json(one, "float32") for one in targets]}
        if optimizer:
            request |= {"optimizer": optimizer, "steps": STEPS}
        got = ask(probe, request)
        problems = []
        if "error" in got:
            problems.append(got["error"])
        else:
            expected = run_keras(model, weights, inputs, targets, _loss(loss), optimizer)
            pairs = [(f"output {i}", one, got["outputs"][i])
                     for i, one in enumerate(expected["outputs"])]
            pairs.append(("loss", [expected["loss"]], [got["loss"]]))
            for part in ("gradients", "trained"):
                pairs += [(f"{part} of {path}", one, got[part][path])
                          for path, one in expected.get(part, {}).items()]
            largest = {}  # gradient of each layer: a bias's may be a sum that cancels
            for path, one in expected["gradients"].items():
                layer = path.rpartition("/")[0]
                largest[layer] = max(largest.get(layer, 0.0), float(np.abs(one).max()))
            for what, wanted, have in pairs:
                is_gradient = what.startswith("gradients of ")
                layer = what.removeprefix("gradients of ").rpartition("/")[0]
                error = difference(wanted, have, largest[layer] if is_gradient else 0.0)
                # Fifty updates multiply what differs in each; Keras's own runs do too.
                if not error <= (10.0 if what.startswith("trained") else 1.0):
                    problems.append(f"{what}: {error:.1f} times what is allowed; Keras "
                                    f"{np.ravel(wanted)[:4]}, dtrain {np.ravel(have)[:4]}")
        if problems:
            failed += 1
            print(f"FAILED {name}")
            for problem in problems[:4]:
                print(f"    {problem}")
        else:
            passed += 1
    for training in trainings.all_trainings():
        if only not in training.name:
            continue
        problems = training.compare(lambda request: ask(probe, request))
        failed += bool(problems)
        passed += not problems
        if problems:
            print(f"FAILED {training.name}")
        for problem in problems:
            print(f"    {problem}")
    probe.stdin.close()
    probe.wait(timeout=10)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def _loss(name):
    """Keras's loss of a batch: the mean over its examples."""
    function = keras.losses.get(name)
    return lambda target, output: tf.reduce_mean(function(target, output))


if __name__ == "__main__":
    sys.exit(main())
