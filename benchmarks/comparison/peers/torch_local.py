"""One PyTorch process, one thread, eager mode: torch_local.py WORKLOAD SECONDS."""

from __future__ import annotations

import sys

import common

common.one_thread()

import numpy  # noqa: E402
import torch  # noqa: E402
import workloads  # noqa: E402

Arrays = list[numpy.ndarray]


def _filled(layer: torch.nn.Module, weight: numpy.ndarray,
            bias: numpy.ndarray | None = None) -> torch.nn.Module:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weight.copy()))
        if bias is not None:
            layer.bias.copy_(torch.from_numpy(bias))
    return layer


def dense(weights: Arrays) -> list[torch.nn.Module]:
    """Linear layers with ReLU between them."""
    layers: list[torch.nn.Module] = []
    for kernel, bias in zip(weights[0::2], weights[1::2]):
        layers += [_filled(torch.nn.Linear(*kernel.shape), kernel.T, bias), torch.nn.ReLU()]
    return layers[:-1]


def mlp(weights: Arrays) -> torch.nn.Module:
    return torch.nn.Sequential(*dense(weights))


class Convnet(torch.nn.Module):
    """Channels come first in PyTorch."""

    def __init__(self, weights: Arrays) -> None:
        super().__init__()
        layers: list[torch.nn.Module] = []
        for kernel, bias in zip(weights[0:4:2], weights[1:4:2]):
            convolution = torch.nn.Conv2d(kernel.shape[2], kernel.shape[3], 3)
            layers += [_filled(convolution, kernel.transpose(3, 2, 0, 1), bias), torch.nn.ReLU(),
                       torch.nn.MaxPool2d(2)]
        filters = weights[2].shape[3]
        side = round((weights[4].shape[0] / filters) ** 0.5)
        flat = weights[4].reshape(side, side, filters, -1).transpose(2, 0, 1, 3)
        rest = [flat.reshape(weights[4].shape), *weights[5:]]
        self.layers = torch.nn.Sequential(*layers, torch.nn.Flatten(), *dense(rest))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x.permute(0, 3, 1, 2))


class Wide(torch.nn.Module):
    def __init__(self, weights: Arrays) -> None:
        super().__init__()
        count = 2 * len(workloads.CENSUS_IDS)
        tables = [_filled(torch.nn.Embedding(*table.shape), table) for table in weights[:count]]
        self.wide = torch.nn.ModuleList(tables[0::2])
        self.deep = torch.nn.ModuleList(tables[1::2])
        self.dense = torch.nn.Sequential(*dense(weights[count:]))

    def forward(self, ids: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        columns = ids.unbind(1)
        rows = [table(column) for table, column in zip(self.deep, columns)]
        logits = self.dense(torch.cat([*rows, numbers], 1))
        for table, column in zip(self.wide, columns):
            logits = logits + table(column)
        return logits


def embedding(weights: Arrays) -> torch.nn.Module:
    table = torch.nn.Embedding(workloads.ROWS, workloads.WIDTH, sparse=True)
    torch.nn.init.uniform_(table.weight, -workloads.EMBEDDING_LIMIT, workloads.EMBEDDING_LIMIT)
    return torch.nn.Sequential(table, torch.nn.Flatten(), *dense(weights))


FUNCTIONS = torch.nn.functional
MODELS = {
    "mlp": (mlp, FUNCTIONS.cross_entropy),
    "small": (mlp, FUNCTIONS.cross_entropy),
    "convnet": (Convnet, FUNCTIONS.cross_entropy),
    "wide": (Wide, FUNCTIONS.binary_cross_entropy_with_logits),
    "embedding": (embedding, FUNCTIONS.mse_loss),
}
OPTIMIZERS = {
    "sgd": lambda parameters, rate: torch.optim.SGD(parameters, lr=rate),
    "adam": lambda parameters, rate: torch.optim.Adam(parameters, lr=rate, eps=1e-7),
}


def main() -> None:
    name, seconds = sys.argv[1], float(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(common.SEED)
    workload = workloads.WORKLOADS[name]
    make, loss_of = MODELS[name]
    module = make(workload.first_values())
    optimizer = OPTIMIZERS[workload.optimizer](module.parameters(), workload.rate)
    batches = list(zip(*(torch.from_numpy(array) for array in workload.batches())))

    def step(*batch: torch.Tensor) -> torch.Tensor:
        *inputs, target = batch
        optimizer.zero_grad(set_to_none=True)
        loss = loss_of(module(*inputs), target)
        loss.backward()
        optimizer.step()
        return loss.detach()

    common.measure_training("PyTorch", torch.__version__, name, workload.examples, seconds, step,
                            batches)


main()
