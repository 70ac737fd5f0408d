"""What measuring layers costs: inferences of one sample, and seconds, of small architectures and a full-size ST-GCN.

Inferences are counted at the model itself, by the size of what goes in: also those of checks and of tries that fail.
For each model all layers are measured (`layers`), and a layer found and explained by default (`explain`). Run:

    python benchmarks/probe.py [--only NAME ...] [--deep] [--full]

`--deep` adds ten narrow blocks of the small ST-GCN, 96 frames and four samples: all layers, the first and the last by
their names, and what mixes nodes. `--full` adds ten blocks of an ST-GCN of 64 to 256 channels, 300 frames, 25 joints
and 2 persons: minutes on a core.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import stexplain as stx

# The small architectures live beside the tests that check them.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.explainers.architectures.skeletons import JOINTS, STGCN, STGCNBlock
from tests.explainers.architectures.zoo import MAKERS, built

WIDTHS = ((3, 64, 1), *[(64, 64, 1)] * 3, (64, 128, 2), *[(128, 128, 1)] * 2, (128, 256, 2), *[(256, 256, 1)] * 2)
FULL = "full-size ST-GCN"


class Block(nn.Module):
    """A graph convolution of three subsets, a temporal convolution, and a residual."""

    def __init__(self, width: int, out: int, stride: int, adjacency: Tensor):
        super().__init__()
        self.adjacency = nn.Buffer(adjacency)
        self.gcn = nn.Conv2d(width, out * len(adjacency), 1)
        self.tcn = nn.Sequential(
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(out),
        )
        same = stride == 1 and width == out
        self.residual: nn.Module = nn.Identity() if same else nn.Conv2d(width, out, 1, (stride, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.gcn(x).unflatten(1, (len(self.adjacency), -1))
        return (self.tcn(torch.einsum("bkctv,kvw->bctw", y, self.adjacency)) + self.residual(x)).relu()


class FullSize(nn.Module):
    """Ten blocks over a chain of 25 joints: of nodes that mix this slowly, the last block sees nearly all."""

    def __init__(self) -> None:
        super().__init__()
        chain = torch.diag(torch.ones(24), 1)
        adjacency = torch.stack([torch.eye(25), chain, chain.T]) / 3
        self.layers = nn.ModuleList(Block(*widths, adjacency) for widths in WIDTHS)
        self.head = nn.Linear(256, 60)

    def forward(self, x: Tensor) -> Tensor:
        samples, _, _, _, persons = x.shape
        y = x.permute(0, 4, 1, 2, 3).flatten(0, 1)
        for layer in self.layers:
            y = layer(y)
        return self.head(y.mean((2, 3)).unflatten(0, (samples, persons)).mean(1))


def deep() -> nn.Module:
    """The small ST-GCN with as many blocks as the released one."""
    torch.manual_seed(0)
    model = STGCN()
    model.st_gcn_networks = nn.ModuleList(
        STGCNBlock(width if width == 3 else 8, 8, stride=stride, residual=width != 3) for width, out, stride in WIDTHS
    )
    model.edge_importance = nn.ParameterList([torch.ones(3, JOINTS, JOINTS) for _ in WIDTHS])
    return model.eval()


def measured(model: nn.Module, sample_size: int, call: Callable[[], Any]) -> tuple[int, float]:
    """Inferences of one sample, and seconds."""
    values = [0]

    def count(_: nn.Module, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> None:
        values[0] += max(one.numel() for one in [*arguments, *keywords.values()] if isinstance(one, Tensor))

    # Copies of a model copy its hooks, which count along.
    handle = model.register_forward_pre_hook(count, with_kwargs=True)
    start = time.perf_counter()
    try:
        call()
    finally:
        handle.remove()
    return round(values[0] / sample_size), time.perf_counter() - start


def main() -> None:
    """Measures, and prints a line for each model."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="*", default=list(MAKERS), choices=list(MAKERS), help="small architectures")
    parser.add_argument("--deep", action="store_true", help="also ten blocks of the small ST-GCN")
    parser.add_argument("--full", action="store_true", help="also the full-size ST-GCN")
    arguments = parser.parse_args()
    tables, explanations = [], []
    print(f"{'model':24} {'layers':>8} {'s':>7} {'explain':>8} {'s':>7}")
    for name in arguments.only:
        case = built(name)
        options = {"inputs": case.inputs, **case.options, **case.arguments}
        size = case.x.numel() // case.sizes["b"]
        calls = (
            lambda case=case, options=options: stx.layers(case.model, case.x, **options),
            lambda case=case, options=options: stx.explain(case.model, case.x, target=case.target, **options),
        )
        (table, first), (explanation, second) = (measured(case.model, size, call) for call in calls)
        tables.append(table)
        explanations.append(explanation)
        print(f"{name:24} {table:8} {first:7.2f} {explanation:8} {second:7.2f}", flush=True)
    if tables:
        print(f"{'median':24} {statistics.median(tables):8.0f} {'':7} {statistics.median(explanations):8.0f}")
    if arguments.deep:
        model, x = deep(), torch.randn(4, 3, 96, JOINTS, 2)
        about = {"inputs": "b c t n m"}
        for label, call in {
            "all layers": lambda: stx.layers(model, x, **about),
            # With the explanation and the checks of the batch, which are 12.
            "first block": lambda: stx.STGGradCAM(model, layer="st_gcn_networks.0", **about)(x, target=1),
            "last block": lambda: stx.STGGradCAM(model, layer="st_gcn_networks.9", **about)(x, target=1),
            "what mixes nodes": lambda: stx.adjacencies(model, x, **about),
        }.items():
            count, seconds = measured(model, x[0].numel(), call)
            print(f"ten blocks, {label:18} {count:8} {seconds:7.1f}", flush=True)
    if arguments.full:
        torch.manual_seed(0)
        model, x = FullSize().eval(), torch.randn(1, 3, 300, 25, 2)
        for layer in ("layers.0", "layers.9"):
            explain = stx.STGGradCAM(model, layer=layer, inputs="b c t n m")
            count, seconds = measured(model, x.numel(), lambda explain=explain: explain(x, target=stx.Class(1)))
            print(f"{FULL}, {layer:8} {'':7} {'':7} {count:8} {seconds:7.1f}", flush=True)


if __name__ == "__main__":
    main()
