"""What an explanation costs: ours against plain inference, and every method that captum has too against captum's.

All on one STGCN-10, run in turn in one process, so that what else the machine does falls on all alike; peak memory is
measured in a process of its own for each. Methods of one pass explain a batch [16, 1, 150, 25, 3]; those that need
many perturbed inputs explain its first samples, with the same inputs, at the same number of them at a time, as captum.
Where both are deterministic, their maps must agree before anything is timed. Run:

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
from stexplain.nn.stgcn import STGCN
from stexplain.nn.stgcn_block import STGCNBlock

INFERENCE, GRAD_CAM = "inference", "STG-Grad-CAM, last block"
INFERENCE_OF_FEW = "inference of the perturbed batch"
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


class ChannelsSecond(nn.Module):
    """A block whose output passes as ``[(b m), c, t, n]`` through `output`: captum needs channels second.

    Only strides of memory change on the way there and back, so that captum pays for nothing but its method.
    """

    def __init__(self, block: STGCNBlock):
        super().__init__()
        self.block, self.output, self.stride = block, nn.Identity(), block.stride

    def forward(self, x: Tensor, observations: Tensor | None = None) -> Tensor:
        # Our blocks work on [n, (b m), t, c]; a hook at `output` sees captum's order.
        y: Tensor = self.output(self.block(x, observations).permute(1, 3, 2, 0))
        return y.permute(3, 0, 2, 1)


def setting(batch: int, few: int) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; methods return their maps ``[B, 1, T or T', N]``."""
    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    model = STGCN(graph, classes=60).eval()
    x = torch.randn(batch, 1, 150, len(graph), 3)
    with torch.no_grad():
        predicted = model(x).argmax(1)
    first, target = x[:few], Class(predicted[:few])

    # The same weights in a copy with hooks for captum, at the middle and at the last block.
    hooked = STGCN(graph, classes=60).eval()
    hooked.load_state_dict(model.state_dict())
    outputs = {}
    for number in (4, 9):
        block = hooked.blocks[number]
        assert isinstance(block, STGCNBlock)
        hooked.blocks[number] = wrapped = ChannelsSecond(block)
        outputs[number] = wrapped.output

    groups = list(graph.groups.values())
    group_of = torch.zeros(len(graph), dtype=torch.int64)
    for number, nodes in enumerate(groups):
        group_of[[graph.index(node) for node in nodes]] = number
    feature_mask = group_of.view(1, 1, 1, -1, 1).repeat(1, 1, 150, 1, 3)  # [1, M, T, N, C], as captum takes it

    def inference(inputs: Tensor) -> Callable[[], object]:
        def run() -> object:
            with torch.no_grad():
                return model(inputs)

        return run

    def full_backward() -> Tensor:
        """Grad-CAM as hook-and-backward implementations do it: the gradient goes on to every parameter below."""
        activations: list[Tensor] = []

        def capture(_: nn.Module, __: object, output: Tensor) -> None:
            output.retain_grad()
            activations.append(output)

        handle = model.blocks[-1].register_forward_hook(capture)
        model(x).max(1).values.sum().backward()
        handle.remove()
        model.zero_grad()
        gradient = activations[0].grad  # [N, B*M, T', C]
        assert gradient is not None
        return torch.einsum("nrtc,rc->rtn", activations[0].detach(), gradient.mean((0, 2)))[:, None]

    def ours(kind: type[Explainer], inputs: Tensor = x, **options: Any) -> Callable[[], Any]:
        explain = kind(model, **options)

        def run() -> Any:
            e = explain(inputs, target=target if inputs is first else Predicted())
            return e.values if e.layer_values is None else e.layer_values

        return run

    def theirs(method: Any, inputs: Tensor = x, **options: Any) -> Callable[[], Tensor]:
        def run() -> Tensor:
            found = method.attribute(inputs, target=predicted[: len(inputs)], **options)
            attribution: Tensor = (found[0] if isinstance(found, tuple) else found).detach()
            # Layers are [B, C, T', N] here, signals [B, 1, T, N, C].
            return attribution.sum(1, keepdim=True) if attribution.ndim == 4 else attribution.sum(-1)

        return run

    def one_channel(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """For captum's occlusion, which assigns the fall of a region's score to each of its three channels."""
        return lambda: run() / 3

    cam = CAM(model)
    few_options: dict[str, Any] = {"copies": COPIES, "inputs": first}
    zero = torch.zeros_like(first)
    attr = captum.attr
    return {
        INFERENCE: inference(x),
        GRAD_CAM: ours(STGGradCAM),
        "captum LayerGradCam": theirs(attr.LayerGradCam(hooked, outputs[9])),
        "backward through everything": full_backward,
        "CAM, one class": ours(CAM),
        "CAM, all 60 classes": lambda: cam.every_class(x),
        "STG-Grad-CAM, block 5 of 10": ours(STGGradCAM, layer="blocks.4"),
        "HiResCAM, block 5 of 10": ours(HiResCAM, layer="blocks.4"),
        "captum LayerGradientXActivation": theirs(attr.LayerGradientXActivation(hooked, outputs[4])),
        "Layer-CAM, block 5 of 10": ours(LayerCAM, layer="blocks.4"),
        "Grad-CAM++, block 5 of 10": ours(GradCAMPlusPlus, layer="blocks.4"),
        "layer sweep, 10 blocks": lambda: layer_sweep(model, x, target=Predicted()),
        "input gradient": ours(InputGradient, reduce="sum"),
        "captum Saliency": theirs(attr.Saliency(model), x.clone().requires_grad_(), abs=False),
        INFERENCE_OF_FEW: inference(first),
        "integrated gradients": ours(IntegratedGradients, steps=STEPS, **few_options),
        "captum IntegratedGradients": theirs(
            attr.IntegratedGradients(model),
            first,
            n_steps=STEPS,
            internal_batch_size=COPIES * few,
            # By how much contributions miss the score, which ours always gives.
            return_convergence_delta=True,
        ),
        "gradient SHAP": ours(GradientSHAP, baselines=["zero"], draws=DRAWS, **few_options),
        "captum GradientShap": theirs(attr.GradientShap(model), first, baselines=zero, n_samples=DRAWS),
        "occlusion": ours(Occlusion, window=WINDOW, **few_options),
        "captum Occlusion": one_channel(
            theirs(
                attr.Occlusion(model),
                first,
                sliding_window_shapes=(1, WINDOW, 1, 3),
                strides=(1, WINDOW, 1, 3),
                perturbations_per_eval=COPIES,
            )
        ),
        "Shapley value sampling": ours(ShapleyValueSampling, groups=groups, orders=ORDERS, **few_options),
        "captum ShapleyValueSampling": theirs(
            attr.ShapleyValueSampling(model),
            first,
            feature_mask=feature_mask,
            n_samples=ORDERS,
            perturbations_per_eval=COPIES,
        ),
    }


def check_equal(work: dict[str, Callable[[], Any]]) -> float:
    """The largest difference between our maps and captum's, as a share of the largest value."""
    largest = 0.0
    for name, other, same in PAIRS:
        if same and name in work and other in work:
            ours, theirs = np.asarray(work[name]()), np.asarray(work[other]())
            difference = float(np.abs(theirs - ours).max() / np.abs(ours).max())
            # Occlusion subtracts two scores that are nearly equal: rounding weighs more.
            if difference > (1e-3 if name == "occlusion" else 1e-4):
                raise SystemExit(f"{name} and {other} differ by {difference:.1e} of the largest value; expected equal.")
            largest = max(largest, difference)
    return largest


def peak(name: str, batch: int, few: int, threads: int, result: "multiprocessing.Queue[float]") -> None:
    """Puts the peak memory of one of them, in MB beyond what was in use before."""
    torch.set_num_threads(threads)
    run = setting(batch, few)[name]
    # Linux keeps the highest mark of a process until it is reset.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident()
    run()
    result.put(max(0.0, _peak() - before))


def _resident() -> float:
    """Resident memory of this process, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _peak() -> float:
    """The highest resident memory since the mark was reset, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def in_turn(work: dict[str, Callable[[], Any]], rounds: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Seconds on the clock, and of CPU time, of every run."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    cpu: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(rounds):
        for name, run in work.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - used)
    return seconds, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--few", type=int, default=2, help="samples for methods that need many perturbed inputs")
    parser.add_argument("--only", nargs="+", help="methods whose names contain one of these; inference is always run")
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    selected = [*(arguments.only or [""]), INFERENCE]
    runs = setting(arguments.batch, arguments.few)
    work = {name: run for name, run in runs.items() if any(part in name for part in selected)}
    difference = check_equal(work)
    seconds, cpu = in_turn(work, arguments.rounds)
    spawn = multiprocessing.get_context("spawn")
    memory: dict[str, float | None] = dict.fromkeys(work)
    for name in [] if arguments.no_memory else work:
        result = spawn.Queue()
        process = spawn.Process(target=peak, args=(name, arguments.batch, arguments.few, arguments.threads, result))
        process.start()
        memory[name] = result.get(timeout=300)
        process.join()

    def ratio(times: dict[str, list[float]], name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))

    # Names up to this one explain the whole batch, those after it the first samples.
    perturbed = list(work).index(INFERENCE_OF_FEW)
    rows: dict[str, dict[str, float | None]] = {}
    print(
        f"STGCN-10, batch [{arguments.batch}, 1, 150, 25, 3], {arguments.few} samples where inputs are perturbed, "
        f"{arguments.threads} threads, {arguments.rounds} rounds; medians"
    )
    for number, name in enumerate(work):
        plain = INFERENCE if number < perturbed else INFERENCE_OF_FEW
        rows[name] = {
            "median_s": statistics.median(seconds[name]),
            "of_inference": ratio(seconds, name, plain),
            # Waiting for a core that others use counts in the seconds, not in these.
            "cpu_of_inference": ratio(cpu, name, plain),
            "peak_mb": memory[name],
        }
        peak_mb = "" if memory[name] is None else f"{memory[name]:7.0f} MB more at most"
        print(
            f"{name:32} {rows[name]['median_s']:7.3f} s  {rows[name]['of_inference']:6.2f} x inference "
            f"({rows[name]['cpu_of_inference']:.2f} in CPU time)  {peak_mb}"
        )
    print("ours as a multiple of captum's")
    pairs: dict[str, dict[str, float | None]] = {}
    for name, other, _ in PAIRS:
        if name in work and other in work:
            ours, theirs = memory[name], memory[other]
            pairs[name] = {
                "time": ratio(seconds, name, other),
                "cpu": ratio(cpu, name, other),
                "peak": None if ours is None or theirs is None else ours / max(theirs, 1e-9),
            }
            peak_ratio = "" if pairs[name]["peak"] is None else f", peak memory {pairs[name]['peak']:.2f}"
            print(
                f"{name:32} of {other:32} time {pairs[name]['time']:.2f} "
                f"({pairs[name]['cpu']:.2f} in CPU time){peak_ratio}"
            )
    print(f"where both are deterministic, maps agree to {difference:.1e} of the largest value")
    if arguments.json:
        figures = {"rows": rows, "pairs": pairs, "maps_differ": difference}
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
