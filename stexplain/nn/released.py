"""Checkpoints of the released ST-GCN (Yan et al. 2018), converted into an `STGCN`."""

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from stexplain.checking import checked
from stexplain.errors import InputError
from stexplain.graph import Relations, STGraph
from stexplain.nn.stgcn import STGCN
from stexplain.reading import given_path, naming, readable, regular_file

_NORM = ("weight", "bias", "running_mean", "running_var")
Shape = tuple[int, ...]
# The remedy, of whatever else was given.
_OTHERS = "Build another network by its own code, and explain it as it is: stx.explain(model, x, inputs=...)."


@checked
def load_stgcn_checkpoint(
    state_dict_or_path: Mapping[str, torch.Tensor] | str | Path,
    *,
    graph: STGraph | None = None,
    strides: Sequence[int] | None = None,
    padding: Literal["masked", "counted"] = "counted",
) -> STGCN:
    """An `STGCN` with the weights of a released ST-GCN checkpoint, in eval mode.

    Depth, width, kernel, relations, channels and classes follow from the shapes. The checkpoint's own adjacency `A` is
    used, not the graph's, and of `edge_importance` the entries where `A` is not zero; the others have no effect.

    Args:
        state_dict_or_path: the 172 entries (``A``, ``data_bn.*``, ``st_gcn_networks.{i}.*``, ``edge_importance.{i}``,
            ``fcn.*``; ``num_batches_tracked`` may be missing), with or without the prefix ``module.``, ``_orig_mod.``
            or ``model.``, or under ``state_dict`` or ``model_state_dict``; or the path of a file with them, read with
            ``weights_only=True``.
        graph: names of nodes, groups and positions; none: the names are the indices.
        strides: temporal stride of every block; none: 2 where the residual is a convolution, as in the original.
        padding: ``"counted"``: absent persons and padded frames enter the mean, as in the original; or ``"masked"``.

    Returns:
        The model; its input is ``[B, M, T, N, C]`` where the original's is ``[N, C, T, V, M]``.

    Raises:
        InputError: where entries are missing, unknown or of a wrong shape, all named in one message, or the graph has
            another number of nodes.
        DataError: where the file cannot be read, or is no such checkpoint.

    Example:
        >>> load_stgcn_checkpoint({"layer.weight": torch.zeros(2, 2)})
        Traceback (most recent call last):
        ...
        stexplain.errors.InputError: state_dict_or_path: this is not a checkpoint of ST-GCN as released: ...
    """
    path = Path(state_dict_or_path) if isinstance(state_dict_or_path, str | Path) else None
    with naming(path):
        state = _read(state_dict_or_path)
        a, depth = _adjacency_and_depth(state)
    kernels = [state[f"st_gcn_networks.{i}.tcn.2.weight"] for i in range(depth)]
    relations_count, nodes = int(a.shape[0]), int(a.shape[1])
    channels_in = state["data_bn.weight"].shape[0] // nodes
    channels = [int(kernel.shape[0]) for kernel in kernels]
    # In the released network the blocks with a residual convolution are those of stride 2.
    convolved = [f"st_gcn_networks.{i}.residual.0.weight" in state for i in range(depth)]
    steps = list(strides) if strides is not None else [2 if has else 1 for has in convolved]
    if len(steps) != depth:
        raise InputError(f"strides: got {len(steps)}; expected {depth}, one per block.")
    classes, kernel = int(state["fcn.weight"].shape[0]), int(kernels[0].shape[2])
    with naming(path):
        _check_entries(state, _expected_shapes(relations_count, nodes, channels_in, channels, steps, kernel, classes))
    if graph is not None and len(graph) != nodes:
        raise InputError(f"graph: got {len(graph)} nodes; expected {nodes}, as the checkpoint has.")
    relations = Relations.from_matrices(a.double().numpy())
    model = STGCN(
        graph if graph is not None else _graph(a.double().numpy()),
        classes=classes,
        channels_in=channels_in,
        channels=channels,
        strides=steps,
        temporal_kernel=kernel,
        relations=relations,
        padding=padding,
    )
    # A float64 checkpoint gives a float64 model: loading would otherwise round its weights.
    if state["fcn.weight"].dtype != torch.get_default_dtype():
        model.to(state["fcn.weight"].dtype)
    model.load_state_dict(_converted(state, relations, depth))
    return model.eval()


def _read(source: Mapping[str, torch.Tensor] | str | Path) -> dict[str, torch.Tensor]:
    if isinstance(source, str | Path):
        path = regular_file(given_path(source, "state_dict_or_path"))
        with readable(path, "a checkpoint of tensors"):
            # A pickle may ask to read gigabytes that the file does not hold: of bytes in memory it gets what there is.
            file = path if zipfile.is_zipfile(path) else io.BytesIO(path.read_bytes())
            source = torch.load(file, map_location="cpu", weights_only=True)
    # Training scripts save the weights beside an optimiser's state, under one of these names.
    found: Any = source
    for name in ("state_dict", "model_state_dict", "model", "net", "weights"):
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
            break
    if not isinstance(found, Mapping) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise InputError(
            "state_dict_or_path: expected a mapping of names to tensors, as from state_dict(), or the path of a file "
            "with one."
        )
    state = {_bare(str(key)): value.detach().cpu() for key, value in found.items()}
    other = [
        key for key, value in state.items() if not (value.is_floating_point() or key == "A" or "num_batches" in key)
    ]
    if other:
        raise InputError(
            f"state_dict_or_path: {other[0]} holds {state[other[0]].dtype}; expected floating point numbers, as a "
            "trained model's weights are."
        )
    broken = [key for key, value in state.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if broken:
        raise InputError(f"state_dict_or_path: {broken[0]} holds NaN or infinity; expected a trained model's weights.")
    return state


def _bare(key: str) -> str:
    """A name without what wrappers put before it: of `DataParallel`, of `torch.compile`, of a trainer."""
    for prefix in ("_orig_mod.", "module.", "model."):
        if key.startswith(prefix):
            return _bare(key.removeprefix(prefix))
    return key


def _adjacency_and_depth(state: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, int]:
    """The adjacency and the number of blocks, after a check of the entries that all sizes follow from."""
    blocks = [int(match[1]) for key in state if (match := re.match(r"st_gcn_networks\.(\d+)\.", key))]
    depth = max(blocks, default=0) + 1
    dimensions = {"A": 3, "data_bn.weight": 1, "fcn.weight": 4}
    dimensions |= {f"st_gcn_networks.{i}.tcn.2.weight": 4 for i in range(depth)}
    wrong = [f"{key} (missing)" for key in dimensions if key not in state]
    wrong += [
        f"{key} of shape {tuple(state[key].shape)}"
        for key, n in dimensions.items()
        if key in state and state[key].ndim != n
    ]
    a = state.get("A")
    if not wrong and a is not None and (a.shape[1] != a.shape[2] or state["data_bn.weight"].shape[0] % a.shape[1]):
        wrong = [f"{key} of shape {tuple(state[key].shape)}" for key in ("A", "data_bn.weight")]
    if wrong or a is None:
        raise InputError(
            f"state_dict_or_path: this is not a checkpoint of ST-GCN as released: {', '.join(wrong)}. {_OTHERS}"
        )
    return a, depth


def _expected_shapes(
    relations: int, nodes: int, channels_in: int, channels: list[int], strides: list[int], kernel: int, classes: int
) -> dict[str, Shape]:
    """The shape of every entry of a checkpoint with these sizes."""

    def norm(prefix: str, size: int) -> dict[str, Shape]:
        return {f"{prefix}.{name}": (size,) for name in _NORM} | {f"{prefix}.num_batches_tracked": ()}

    shapes: dict[str, Shape] = {"A": (relations, nodes, nodes), **norm("data_bn", nodes * channels_in)}
    before = channels_in
    for i, (out, stride) in enumerate(zip(channels, strides, strict=True)):
        block = f"st_gcn_networks.{i}"
        shapes[f"{block}.gcn.conv.weight"] = (relations * out, before, 1, 1)
        shapes[f"{block}.gcn.conv.bias"] = (relations * out,)
        shapes |= norm(f"{block}.tcn.0", out) | norm(f"{block}.tcn.3", out)
        shapes[f"{block}.tcn.2.weight"], shapes[f"{block}.tcn.2.bias"] = (out, out, kernel, 1), (out,)
        # The first block has no residual at all.
        if i and (before != out or stride != 1):
            shapes[f"{block}.residual.0.weight"], shapes[f"{block}.residual.0.bias"] = (out, before, 1, 1), (out,)
            shapes |= norm(f"{block}.residual.1", out)
        shapes[f"edge_importance.{i}"] = (relations, nodes, nodes)
        before = out
    return shapes | {"fcn.weight": (classes, before, 1, 1), "fcn.bias": (classes,)}


def _check_entries(state: Mapping[str, torch.Tensor], expected: Mapping[str, Shape]) -> None:
    problems = {
        # Checkpoints of 2018 are older than this counter.
        "missing": [key for key in expected if key not in state and not key.endswith("num_batches_tracked")],
        "unknown": [key for key in state if key not in expected],
        "of a wrong shape": [
            f"{key} {tuple(state[key].shape)}, expected {shape}"
            for key, shape in expected.items()
            if key in state and tuple(state[key].shape) != shape
        ],
    }
    if any(problems.values()):
        parts = [
            f"{len(keys)} {kind}: {', '.join(keys[:8])}" + ", ..." * (len(keys) > 8)
            for kind, keys in problems.items()
            if keys
        ]
        raise InputError(
            f"state_dict_or_path: this is not a checkpoint of ST-GCN as released; {'; '.join(parts)}. {_OTHERS}"
        )


def _converted(state: Mapping[str, torch.Tensor], relations: Relations, depth: int) -> dict[str, torch.Tensor]:
    """The entries under the names and in the shapes of `STGCN`."""
    converted: dict[str, torch.Tensor] = {}

    def norm(name: str, prefix: str) -> None:
        converted.update({f"{name}.{key}": state[f"{prefix}.{key}"] for key in _NORM})
        converted[f"{name}.num_batches_tracked"] = state.get(f"{prefix}.num_batches_tracked", torch.tensor(0))

    # The released network folds channels faster than nodes here (node * C + channel), as `STGCN` does.
    count = len(relations)
    norm("data_norm", "data_bn")
    for i in range(depth):
        block, theirs = f"blocks.{i}", f"st_gcn_networks.{i}"
        weight = state[f"{theirs}.gcn.conv.weight"]
        # Their output channels are subset-major: channel c of relation k is k * C' + c.
        converted[f"{block}.spatial.weight"] = weight.view(count, -1, *weight.shape[1:3]).permute(1, 2, 0, 3)
        converted[f"{block}.spatial.bias"] = state[f"{theirs}.gcn.conv.bias"].view(count, -1).T
        # Dense [K, N, N] there, one value per edge here, in the order of the relations.
        importance = state[f"edge_importance.{i}"]
        converted[f"{block}.spatial.importance"] = torch.cat(
            [
                importance[k, torch.from_numpy(source.copy()), torch.from_numpy(target.copy())]
                for k, (source, target) in enumerate(zip(relations.source, relations.target, strict=True))
            ]
        )
        norm(f"{block}.spatial_norm", f"{theirs}.tcn.0")
        # Their kernel is (L, 1) on [C, T, N], ours is (1, L).
        converted[f"{block}.temporal.weight"] = state[f"{theirs}.tcn.2.weight"].transpose(2, 3)
        converted[f"{block}.temporal.bias"] = state[f"{theirs}.tcn.2.bias"]
        norm(f"{block}.temporal_norm", f"{theirs}.tcn.3")
        if f"{theirs}.residual.0.weight" in state:
            converted[f"{block}.residual.0.weight"] = state[f"{theirs}.residual.0.weight"]
            converted[f"{block}.residual.0.bias"] = state[f"{theirs}.residual.0.bias"]
            norm(f"{block}.residual.1", f"{theirs}.residual.1")
    converted["head.weight"], converted["head.bias"] = state["fcn.weight"].flatten(1), state["fcn.bias"]
    return converted


def _graph(a: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> STGraph:
    """A graph whose names are the indices, with an edge where the adjacency has one in either direction."""
    linked = (a != 0).any(0)
    source, target = np.nonzero(np.triu(linked | linked.T, 1))
    return STGraph([str(i) for i in range(a.shape[1])], np.stack([source, target], 1))
