"""What every system trains: the same weights, batches and optimizers, as arrays of NumPy. The numbers
are those of benchmarks/training_data.cc, and the models those of training_workloads.cc."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy

# Batches of an epoch, which every result has in memory before it begins: none has a data pipeline
# in it, and the loss has something to learn.
BATCHES = 64
CLASSES = 10
ROWS, WIDTH, IDS = 1_000_000, 32, 26
EMBEDDING_LIMIT = 0.05
# Ids of the census data in examples/data, column by column, each with one for unknown words.
CENSUS_IDS = (10, 17, 8, 16, 7, 6, 3, 43)
CENSUS_NUMBERS, CENSUS_WIDTH = 5, 8

# Streams of random numbers; each variable has one of its own.
_IMAGES, _LABELS, _NOISE, _IDS, _NUMBERS, _VARIABLES = 1, 2, 3, 4, 5, 16

Shape = tuple[int, ...]
Arrays = tuple[numpy.ndarray, ...]


def uniform(stream: int, shape: Shape) -> numpy.ndarray:
    """In [0, 1) in steps of 2^-24: number i of a stream is a hash of both (splitmix64's), so that
    any language draws the same."""
    z = numpy.arange((stream << 40) + 1, (stream << 40) + 1 + math.prod(shape), dtype=numpy.uint64)
    z *= numpy.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> numpy.uint64(shift))) * numpy.uint64(factor)
    z ^= z >> numpy.uint64(31)
    return ((z >> numpy.uint64(40)) * 2.0**-24).reshape(shape)


def _ids(shape: Shape, counts: int | numpy.ndarray) -> numpy.ndarray:
    return (uniform(_IDS, shape) * counts).astype(numpy.int64)


def images(shape: Shape, examples: int) -> Arrays:
    """Each class is a random image, each example one of those with noise."""
    classes = uniform(_IMAGES, (CLASSES, *shape)).astype(numpy.float32)
    y = (uniform(_LABELS, (examples,)) * CLASSES).astype(numpy.int64)
    noise = uniform(_NOISE, (examples, *shape)).astype(numpy.float32)
    return numpy.float32(0.5) * (classes[y] + noise), y


def clicks(examples: int) -> Arrays:
    """Uniform ids, as hashed features are at worst. The first decides the target."""
    ids = _ids((examples, IDS), ROWS)
    return ids, (ids[:, :1] % 4 != 0).astype(numpy.float32)


def census(examples: int) -> Arrays:
    """The census data's shapes when words are ids and numbers are normalised: ids, numbers, and
    what the first number and the second id decide."""
    ids = _ids((examples, len(CENSUS_IDS)), numpy.array(CENSUS_IDS))
    numbers = (2 * uniform(_NUMBERS, (examples, CENSUS_NUMBERS)) - 1).astype(numpy.float32)
    bias = numpy.where(ids[:, 1:2] % 2 == 0, numpy.float32(0.5), numpy.float32(-0.5))
    return ids, numbers, (numbers[:, :1] + bias > 0).astype(numpy.float32)


@dataclass(frozen=True)
class Variable:
    shape: Shape
    is_table: bool = False  # of an embedding

    def first_values(self, number: int) -> numpy.ndarray:
        """Glorot's uniform kernels, biases of 0, Keras's tables; of variable `number`."""
        if len(self.shape) == 1:
            return numpy.zeros(self.shape, numpy.float32)
        fans = math.prod(self.shape[:-2]) * (self.shape[-2] + self.shape[-1])
        limit = EMBEDDING_LIMIT if self.is_table else math.sqrt(6.0 / fans)
        values = (2 * uniform(_VARIABLES + number, self.shape) - 1) * limit
        return values.astype(numpy.float32)


def dense(*widths: int) -> list[Variable]:
    """Kernels and biases of a stack of Dense layers, whose inputs are the first width."""
    return [Variable(shape) for inputs, units in zip(widths, widths[1:])
            for shape in ((inputs, units), (units,))]


def convolution(channels: int, filters: int) -> list[Variable]:
    return [Variable((3, 3, channels, filters)), Variable((filters,))]


def census_tables() -> list[Variable]:
    """Of each column a weight and a row for each id."""
    return [Variable((ids, width), is_table=True)
            for ids in CENSUS_IDS for width in (1, CENSUS_WIDTH)]


@dataclass(frozen=True)
class Workload:
    examples: int              # of a batch
    optimizer: str             # "sgd" or "adam", otherwise as Keras has it
    rate: float
    variables: list[Variable]  # in Keras's order
    data: Callable[[int], Arrays]

    def first_values(self) -> list[numpy.ndarray]:
        return [variable.first_values(number) for number, variable in enumerate(self.variables)]

    def batches(self) -> Arrays:
        """Inputs, then targets; of each (BATCHES, examples, ...)."""
        return tuple(array.reshape(BATCHES, self.examples, *array.shape[1:])
                     for array in self.data(BATCHES * self.examples))


WORKLOADS = {
    "mlp": Workload(64, "sgd", 0.02, dense(784, 1024, 1024, CLASSES), partial(images, (784,))),
    "small": Workload(64, "adam", 1e-3, dense(64, 128, CLASSES), partial(images, (64,))),
    "convnet": Workload(64, "adam", 1e-3,
                        [*convolution(1, 16), *convolution(16, 32),
                         *dense(5 * 5 * 32, 64, CLASSES)], partial(images, (28, 28, 1))),
    "wide": Workload(256, "adam", 1e-3,
                     [*census_tables(),
                      *dense(len(CENSUS_IDS) * CENSUS_WIDTH + CENSUS_NUMBERS, 64, 32, 1)], census),
    # Its table of ROWS x WIDTH is each system's own, within EMBEDDING_LIMIT of 0.
    "embedding": Workload(1024, "sgd", 0.2, dense(IDS * WIDTH, 1), clicks),
}
