"""What an explanation costs: ours against plain inference, and every method that captum has too against captum's.

All on one STGCN-10, run in turn in one process, so that what else the machine does falls on all alike; peak memory is
measured in a process of its own for each. Methods of one pass explain a batch [16, 1, 150, 25, 3]; those that ask for
many altered copies explain the first samples of it, with the same copies, at the same number of them at a time, as
captum. Where both are deterministic, their maps must agree before anything is timed. Run:

    python benchmarks/explain.py [--rounds 3] [--only NAME ...] [--json FILE]
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import captum.attr
import numpy as np
import torch
from torch import Tensor, nn

from stexplain.explainers import (
    CAM,
    Class,
    GradCAMPlusPlus,
    GradientSHAP,
    HiResCAM,
    InputGradient,
    IntegratedGradients,
    LayerCAM,
    Occlusion,
    Predicted,
    ShapleyValueSampling,
    STGGradCAM,
    layer_sweep,
)
from stexplain.explainers.explainer import Explainer
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN, STGCNBlock

INFERENCE, GRAD_CAM = "inference", "STG-Grad-CAM, last block"
INFERENCE_OF_FEW = "inference of the altered batch"
# Ours, captum's, and whether both give the same numbers.
PAIRS = [
    (GRAD_CAM, "captum LayerGradCam", True),
    ("HiResCAM, block 5 of 10", "captum LayerGradientXActivation", True),
    ("input gradient", "captum Saliency", True),
    ("integrated gradients", "captum IntegratedGradients", True),
    ("gradient SHAP", "captum GradientShap", False),
    ("occlusion", "captum Occlusion", True),
    ("Shapley value sampling", "captum ShapleyValueSampling", False),
]
STEPS, DRAWS, ORDERS, WINDOW, COPIES = 16, 16, 2, 75, 4


class Turned(nn.Module):
    """A block whose output passes as ``[(b m), c, t, n]`` through `seen`: captum wants channels second.

    Only strides of memory change on the way there and back, so that captum pays for nothing but its method.
    """

    def __init__(self, block: STGCNBlock):
        super().__init__()
        self.block, self.seen, self.stride = block, nn.Identity(), block.stride

    def forward(self, x: Tensor, readings: Tensor | None = None) -> Tensor:
        turned: Tensor = self.preprocess(self.block(x, readings).permute(1, 3, 2, 0))
        return turned.permute(3, 0, 2, 1)


def setting(batch: int, few: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; methods give their maps ``[B, 1, T or T', N]``."""
    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    model = STGCN(graph, classes=60).eval()
    x = torch.randn(batch, 1, 150, len(graph), 3)
    with torch.no_grad():
        predicted = model(x).argmax(1)
    some, target = x[:few], Class(predicted[:few])

    turned = STGCN(graph, classes=60).eval()
    turned.load_state_dict(model.state_dict())
    seen = {}
    for number in (4, 9):
        block = turned.blocks[number]
        assert isinstance(block, STGCNBlock)
        turned.blocks[number] = last = Turned(block)
        seen[number] = last.seen

    parts = list(graph.groups.values())
    where = torch.zeros(len(graph), dtype=torch.int64)
    for number, nodes in enumerate(parts):
        where[[graph.index(node) for node in nodes]] = number
    regions = where.view(1, 1, 1, -1, 1).repeat(1, 1, 150, 1, 3)

    def inference(of: Tensor) -> Callable[[], object]:
        def run() -> object:
            with torch.no_grad():
                return model(of)

        return run

    def full_backward() -> Tensor:
        """The way of hook-and-backward implementations: the gradient reaches every parameter on its way."""
        kept: list[Tensor] = []

        def keep(_: nn.Module, __: object, output: Tensor) -> None:
            output.retain_grad()
            kept.append(output)

        handle = model.blocks[-1].register_forward_hook(keep)
        model(x).max(1).values.sum().backward()
        handle.remove()
        model.zero_grad()
        slope = kept[0].grad
        assert slope is not None
        return torch.einsum("nrtc,rc->rtn", kept[0].detach(), slope.mean((0, 2)))[:, None]

    def ours(kind: type[Explainer], of: Tensor = x, **options: Any) -> Callable[[], Any]:
        explain = kind(model, **options)

        def run() -> Any:
            e = explain(of, target=target if of is some else Predicted())
            return e.values if e.layer_values is None else e.layer_values

        return run

    def theirs(method: Any, of: Tensor = x, **options: Any) -> Callable[[], Tensor]:
        def run() -> Tensor:
            found: Tensor = method.attribute(of, target=predicted[: len(of)], **options).detach()
            # Layers are [B, C, T', N] here, signals [B, 1, T, N, C].
            return found.sum(1, keepdim=True) if found.ndim == 4 else found.sum(-1)

        return run

    def one_channel(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Where captum gives the fall of a region's score to each of its three channels."""
        return lambda: run() / 3

    cam = CAM(model)
    few_options: dict[str, Any] = {"copies": COPIES, "of": some}
    zero = torch.zeros_like(some)
    attr = captum.attr
    return {
        INFERENCE: inference(x),
        GRAD_CAM: ours(STGGradCAM),
        "captum LayerGradCam": theirs(attr.LayerGradCam(turned, seen[9])),
        "backward through everything": full_backward,
        "CAM, one class": ours(CAM),
        "CAM, all 60 classes": lambda: cam.every_class(x),
        "STG-Grad-CAM, block 5 of 10": ours(STGGradCAM, layer="blocks.4"),
        "HiResCAM, block 5 of 10": ours(HiResCAM, layer="blocks.4"),
        "captum LayerGradientXActivation": theirs(attr.LayerGradientXActivation(turned, seen[4])),
        "Layer-CAM, block 5 of 10": ours(LayerCAM, layer="blocks.4"),
        "Grad-CAM++, block 5 of 10": ours(GradCAMPlusPlus, layer="blocks.4"),
        "layer sweep, 10 blocks": lambda: layer_sweep(model, x, target=Predicted()),
        "input gradient": ours(InputGradient, reduce="sum"),
        "captum Saliency": theirs(attr.Saliency(model), x.clone().requires_grad_(), abs=False),
        INFERENCE_OF_FEW: inference(some),
        "integrated gradients": ours(IntegratedGradients, steps=STEPS, **few_options),
        "captum IntegratedGradients": theirs(
            attr.IntegratedGradients(model), some, n_steps=STEPS, internal_batch_size=COPIES * few
        ),
        "gradient SHAP": ours(GradientSHAP, baselines=["zero"], draws=DRAWS, **few_options),
        "captum GradientShap": theirs(attr.GradientShap(model), some, baselines=zero, n_samples=DRAWS),
        "occlusion": ours(Occlusion, window=WINDOW, **few_options),
        "captum Occlusion": one_channel(
            theirs(
                attr.Occlusion(model),
                some,
                sliding_window_shapes=(1, WINDOW, 1, 3),
                strides=(1, WINDOW, 1, 3),
                perturbations_per_eval=COPIES,
            )
        ),
        "Shapley value sampling": ours(ShapleyValueSampling, groups=parts, orders=ORDERS, **few_options),
        "captum ShapleyValueSampling": theirs(
            attr.ShapleyValueSampling(model),
            some,
            feature_mask=regions,
            n_samples=ORDERS,
            perturbations_per_eval=COPIES,
        ),
    }


def check_equal(work: dict[str, Callable[[], Any]]) -> float:
    """How far the maps of ours and captum's differ at most, as a share of the largest value."""
    worst = 0.0
    for name, other, same in PAIRS:
        if same and name in work and other in work:
            mine, theirs = np.asarray(work[name]()), np.asarray(work[other]())
            off = float(np.abs(theirs - mine).max() / np.abs(mine).max())
            # Occluded scores are differences of two that are alike: rounding weighs more.
            if off > (1e-3 if "ccl" in name else 1e-4):
                raise SystemExit(f"{name} and {other} differ by {off:.1e} of the largest value: nothing to compare.")
            worst = max(worst, off)
    return worst


def peak(name: str, batch: int, few: int, threads: int, answer: "multiprocessing.Queue[float]") -> None:
    """Puts the memory in MB that one of them takes at most, beyond what was in use before."""
    torch.set_num_threads(threads)
    run = setting(batch, few)[name]
    # Linux keeps the highest mark of a process until it is reset.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident()
    run()
    answer.put(max(0.0, _peak() - before))


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def in_turn(work: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds on the clock, and of the processor, of every run."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    processor: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - used)
    return seconds, processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--few", type=int, default=2, help="samples for methods that ask for many altered copies")
    parser.add_argument("--only", nargs="+", help="methods whose names hold one of these; inference is always run")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    wanted = [*(given.only or [""]), INFERENCE]
    work = {name: run for name, run in setting(given.batch, given.few).items() if any(part in name for part in wanted)}
    off = check_equal(work)
    seconds, processor = in_turn(work, given.rounds)
    spawn = multiprocessing.get_context("spawn")
    memory: dict[str, float | None] = dict.fromkeys(work)
    for name in [] if given.no_memory else work:
        answer = spawn.Queue()
        process = spawn.Process(target=peak, args=(name, given.batch, given.few, given.threads, answer))
        process.start()
        memory[name] = answer.get(timeout=300)
        process.join()

    def ratio(times: dict[str, list[float]], name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))

    altered = list(work).index(INFERENCE_OF_FEW)
    rows: dict[str, dict[str, float | None]] = {}
    print(
        f"STGCN-10, batch [{given.batch}, 1, 150, 25, 3], {given.few} samples where copies are altered, "
        f"{given.threads} threads, {given.rounds} rounds; medians"
    )
    for number, name in enumerate(work):
        plain = INFERENCE if number < altered else INFERENCE_OF_FEW
        rows[name] = {
            "median_s": statistics.median(seconds[name]),
            "of_inference": ratio(seconds, name, plain),
            # Waiting for a processor that others use counts in the seconds, not in these.
            "processor_of_inference": ratio(processor, name, plain),
            "peak_mb": memory[name],
        }
        peak_mb = "" if memory[name] is None else f"{memory[name]:7.0f} MB more at most"
        print(
            f"{name:32} {rows[name]['median_s']:7.3f} s  {rows[name]['of_inference']:6.2f} x inference "
            f"({rows[name]['processor_of_inference']:.2f} in processor time)  {peak_mb}"
        )
    print("ours of captum's")
    pairs: dict[str, dict[str, float | None]] = {}
    for name, other, _ in PAIRS:
        if name in work and other in work:
            mine, theirs = memory[name], memory[other]
            pairs[name] = {
                "time": ratio(seconds, name, other),
                "processor": ratio(processor, name, other),
                "peak": None if mine is None or theirs is None else mine / max(theirs, 1e-9),
            }
            space = "" if pairs[name]["peak"] is None else f", peak memory {pairs[name]['peak']:.2f}"
            print(
                f"{name:32} of {other:32} time {pairs[name]['time']:.2f} "
                f"({pairs[name]['processor']:.2f} in processor time){space}"
            )
    print(f"where both are deterministic, maps agree to {off:.1e} of the largest value")
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, "pairs": pairs, "maps_differ": off}, indent=2) + "\n")


if __name__ == "__main__":
    main()
