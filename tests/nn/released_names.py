"""From our names and shapes to those of the release, written the other way round than the package does it."""

import torch

from stexplain.nn.stgcn import STGCN

NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def to_released(model: STGCN, ours: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Parameters, statistics or gradients of `model` under the names and in the shapes of the release."""
    theirs = {}
    parts = {"spatial_norm": "tcn.0", "temporal_norm": "tcn.3", "residual.1": "residual.1", "residual.0": "residual.0"}
    nodes, relations = len(model.graph), model.relations
    for name, value in ours.items():
        if name.startswith("data_norm."):
            theirs[name.replace("data_norm", "data_bn")] = value
        elif name.startswith("head."):
            theirs[name.replace("head", "fcn")] = value[:, :, None, None] if value.ndim == 2 else value
        else:
            _, index, rest = name.split(".", 2)
            block = f"st_gcn_networks.{index}"
            if rest == "spatial.weight":
                per_relation = [value[:, :, k, :, None] for k in range(len(relations))]
                theirs[f"{block}.gcn.conv.weight"] = torch.cat(per_relation)
            elif rest == "spatial.bias":
                theirs[f"{block}.gcn.conv.bias"] = torch.cat([value[:, k] for k in range(len(relations))])
            elif rest == "spatial.importance":
                dense = torch.zeros(len(relations), nodes, nodes, dtype=value.dtype)
                edge = 0
                for k in range(len(relations)):
                    for source, target in zip(relations.source[k], relations.target[k], strict=True):
                        dense[k, source, target] = value[edge]
                        edge += 1
                theirs[f"edge_importance.{index}"] = dense
            elif rest.startswith("temporal."):
                theirs[f"{block}.tcn.2.{rest[9:]}"] = value.transpose(2, 3) if value.ndim == 4 else value
            else:
                part, entry = rest.rsplit(".", 1)
                theirs[f"{block}.{parts[part]}.{entry}"] = value
    return theirs


def randomise(model: torch.nn.Module, seed: int = 0) -> None:
    """Random parameters and batch statistics, so that no zero or one hides a mistake."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, value in (*model.named_parameters(), *model.named_buffers()):
            if name.endswith("running_var") or "importance" in name or (value.ndim == 1 and name.endswith("weight")):
                value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
            elif value.is_floating_point() and name != "A" and not name.endswith("adjacency"):
                value.copy_(torch.randn(value.shape, generator=generator) * 0.3)
