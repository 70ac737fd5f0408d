"""What an explanation costs: ours against plain inference, captum's LayerGradCam, and a backward pass through all.

All on one STGCN-10 and one batch [16, 1, 150, 25, 3] in eval mode, run in turn in one process, so that what else the
machine does falls on all alike; peak memory is measured in a process of its own for each. Run:

    python benchmarks/explain.py [--rounds 7] [--json FILE]
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from captum.attr import LayerGradCam
from torch import Tensor, nn

from stexplain.explain import CAM, InputGradient, Predicted, STGGradCAM
from stexplain.graph import STGraph
from stexplain.nn.stgcn import STGCN, STGCNBlock

OURS, CAPTUM = "STG-Grad-CAM, last block", "captum LayerGradCam, last block"
FULL, INFERENCE = "backward through everything", "inference"


class Turned(nn.Module):
    """A block whose output passes as ``[(b m), c, t, n]`` through `seen`: captum wants channels second.

    Only strides of memory change on the way there and back, so that captum pays for nothing but its method.
    """

    def __init__(self, block: STGCNBlock):
        super().__init__()
        self.block, self.seen, self.stride = block, nn.Identity(), block.stride

    def forward(self, x: Tensor, readings: Tensor | None = None) -> Tensor:
        turned: Tensor = self.seen(self.block(x, readings).permute(1, 3, 2, 0))
        return turned.permute(3, 0, 2, 1)


def setting(batch: int) -> dict[str, Callable[[], object]]:
    """What is measured, by name."""
    torch.manual_seed(0)
    graph = STGraph.from_card("ntu")
    model = STGCN(graph, classes=60).eval()
    x = torch.randn(batch, 1, 150, len(graph), 3)
    with torch.no_grad():
        predicted = model(x).argmax(1)

    turned = STGCN(graph, classes=60).eval()
    turned.load_state_dict(model.state_dict())
    block = turned.blocks[-1]
    assert isinstance(block, STGCNBlock)
    last = Turned(block)
    turned.blocks[-1] = last
    captum = LayerGradCam(turned, last.seen)

    def inference() -> object:
        with torch.no_grad():
            return model(x)

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

    last_block, fifth = STGGradCAM(model), STGGradCAM(model, layer="blocks.4")
    cam, gradient = CAM(model), InputGradient(model)
    return {
        INFERENCE: inference,
        OURS: lambda: last_block(x, target=Predicted()).cells,
        CAPTUM: lambda: captum.attribute(x, target=predicted).detach().view(batch, 1, -1, len(graph)).numpy(),
        FULL: full_backward,
        "CAM, one class": lambda: cam(x, target=Predicted()),
        "CAM, all 60 classes": lambda: cam.every_class(x),
        "STG-Grad-CAM, block 5 of 10": lambda: fifth(x, target=Predicted()),
        "input gradient": lambda: gradient(x, target=Predicted()),
    }


def peak(name: str, batch: int, threads: int, answer: "multiprocessing.Queue[float]") -> None:
    """Puts the memory in MB that one of them takes at most, beyond what was in use before."""
    torch.set_num_threads(threads)
    run = setting(batch)[name]
    # Linux keeps the highest mark of a process until it is reset.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident()
    run()
    answer.put(_peak() - before)


def _resident() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--no-memory", action="store_true", help="leave out the peak memory")
    parser.add_argument("--json", type=Path, help="write the numbers here")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)

    work = setting(given.batch)
    maps = [np.asarray(work[name]()) for name in (OURS, CAPTUM, FULL)]
    off = max(float(np.abs(other - maps[0]).max() / np.abs(maps[0]).max()) for other in maps[1:])
    if off > 1e-5:
        raise SystemExit(f"the maps differ by {off:.1e} of the largest value: there is nothing to compare.")

    seconds: dict[str, list[float]] = {name: [] for name in work}
    processor: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(given.rounds):
        for name, run in work.items():
            start, used = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - used)

    spawn = multiprocessing.get_context("spawn")
    memory: dict[str, float | None] = dict.fromkeys(work)
    for name in [] if given.no_memory else work:
        answer = spawn.Queue()
        process = spawn.Process(target=peak, args=(name, given.batch, given.threads, answer))
        process.start()
        memory[name] = answer.get(timeout=300)
        process.join()

    def ratio(times: dict[str, list[float]], name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))

    rows = {
        name: {
            "median_s": statistics.median(values),
            "of_inference": ratio(seconds, name, INFERENCE),
            "of_ours": ratio(seconds, name, OURS),
            # Waiting for a processor that others use counts in the seconds, not in these.
            "processor_of_inference": ratio(processor, name, INFERENCE),
            "processor_of_ours": ratio(processor, name, OURS),
            "peak_mb": memory[name],
        }
        for name, values in seconds.items()
    }
    print(f"STGCN-10, batch [{given.batch}, 1, 150, 25, 3], {given.threads} threads, {given.rounds} rounds; medians")
    for name, row in rows.items():
        peak_mb = "" if row["peak_mb"] is None else f"{row['peak_mb']:7.0f} MB more at most"
        print(
            f"{name:32} {row['median_s']:7.3f} s  "
            f"{row['of_inference']:5.2f} x inference ({row['processor_of_inference']:.2f} in processor time)  "
            f"{row['of_ours']:5.2f} x STG-Grad-CAM ({row['processor_of_ours']:.2f})  {peak_mb}"
        )
    print(f"the three Grad-CAMs agree to {off:.1e} of the largest value")
    if given.json:
        given.json.write_text(json.dumps({"rows": rows, "maps_differ": off}, indent=2) + "\n")


if __name__ == "__main__":
    main()
