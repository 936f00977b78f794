"""One PyTorch process, one thread, eager mode: torch_local.py mlp|embedding SECONDS."""

from __future__ import annotations

import sys

import common

common.one_thread()

import torch  # noqa: E402


class Mlp:
    examples = common.MLP_BATCH

    def __init__(self) -> None:
        data = common.mlp_data()
        layers: list[torch.nn.Module] = []
        for weight, bias in zip(data.weights, data.biases):
            layer = torch.nn.Linear(*weight.shape)
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(weight.T.copy()))
                layer.bias.copy_(torch.from_numpy(bias))
            layers += [layer, torch.nn.ReLU()]
        self.module = torch.nn.Sequential(*layers[:-1])
        self.loss = torch.nn.functional.cross_entropy
        self.rate = common.MLP_RATE
        self.batches = list(zip(torch.from_numpy(data.x), torch.from_numpy(data.y)))


class Embedding:
    examples = common.EMBEDDING_BATCH

    def __init__(self) -> None:
        data = common.embedding_data()
        table = torch.nn.Embedding(common.ROWS, common.WIDTH, sparse=True)
        torch.nn.init.uniform_(table.weight, -data.limit, data.limit)
        dense = torch.nn.Linear(common.IDS * common.WIDTH, 1)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(data.kernel.T.copy()))
            dense.bias.zero_()
        self.module = torch.nn.Sequential(table, torch.nn.Flatten(), dense)
        self.loss = torch.nn.functional.mse_loss
        self.rate = common.EMBEDDING_RATE
        self.batches = list(zip(torch.from_numpy(data.ids), torch.from_numpy(data.y)))


def main() -> None:
    workload, seconds = sys.argv[1], float(sys.argv[2])
    torch.set_num_threads(1)
    torch.manual_seed(common.SEED)
    model = {"mlp": Mlp, "embedding": Embedding}[workload]()
    optimizer = torch.optim.SGD(model.module.parameters(), lr=model.rate)

    def step(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        loss = model.loss(model.module(x), y)
        loss.backward()
        optimizer.step()
        return loss.detach()

    common.measure_training("PyTorch", torch.__version__, workload, model.examples, seconds, step,
                            model.batches)


main()
