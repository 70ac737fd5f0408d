"""Networks as released, dense and channels-first."""

import torch


class ReleasedBlock(torch.nn.Module):
    """A block of ST-GCN with the entry names of its release: dense adjacency, images [R, C, T, V]."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        relations: int,
        kernel: int,
        stride: int,
        residual: bool,
        dropout: float,
    ):
        super().__init__()
        self.relations, self.stride = relations, stride
        self.gcn = torch.nn.ModuleDict({"conv": torch.nn.Conv2d(channels_in, channels_out * relations, 1)})
        self.tcn = torch.nn.Sequential(
            torch.nn.BatchNorm2d(channels_out),
            torch.nn.ReLU(),
            torch.nn.Conv2d(channels_out, channels_out, (kernel, 1), (stride, 1), (kernel // 2, 0)),
            torch.nn.BatchNorm2d(channels_out),
            torch.nn.Dropout(dropout),
        )
        self.residual = torch.nn.Sequential() if residual else None
        if residual and (channels_in != channels_out or stride != 1):
            self.residual.append(torch.nn.Conv2d(channels_in, channels_out, 1, (stride, 1)))
            self.residual.append(torch.nn.BatchNorm2d(channels_out))

    def forward(self, x: torch.Tensor, weighted: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        sent = self.gcn["conv"](x).unflatten(1, (self.relations, -1))
        y = sum(torch.einsum("rctv,vw->rctw", sent[:, k], weighted[k]) for k in range(self.relations))
        out = None if mask is None else slow_strided(mask, self.stride)
        y = torch.relu(masked_norm(self.tcn[0], y, mask))
        y = self.tcn[4](masked_norm(self.tcn[3], self.tcn[2](y if mask is None else y * mask), out))
        if self.residual is not None and len(self.residual):
            y = y + masked_norm(self.residual[1], self.residual[0](x), out)
        elif self.residual is not None:
            y = y + x
        return torch.relu(y) if out is None else torch.relu(y) * out


def masked_norm(norm: torch.nn.Module, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Batch normalisation of [B, C, ...] whose statistics are over the cells where the mask, [B, 1, ...], is one."""
    if mask is None or not norm.training:
        return norm(x)
    cells = mask.expand(x.shape) > 0
    of = [x[:, channel][cells[:, channel]] for channel in range(x.shape[1])]
    shape = [1, -1] + [1] * (x.ndim - 2)
    mean = torch.stack([values.sum() / len(values) for values in of])
    squares = torch.stack([((values - one) ** 2).sum() for values, one in zip(of, mean, strict=True)])
    with torch.no_grad():
        norm.running_mean += 0.1 * (mean - norm.running_mean)
        norm.running_var += 0.1 * (squares / (len(of[0]) - 1) - norm.running_var)
    scaled = (x - mean.view(shape)) / torch.sqrt(squares / len(of[0]) + norm.eps).view(shape)
    return scaled * norm.weight.view(shape) + norm.bias.view(shape)


class ReleasedSTGCN(torch.nn.Module):
    """ST-GCN (Yan et al. 2018) with the entry names of its release, on [B, C, T, V, M].

    Given `valid` [B, M, T], absent instances are taken out, invalid cells are set to zero wherever time is mixed, and
    only valid cells enter the mean and the batch statistics; else all cells count, as released.
    """

    def __init__(
        self, a: torch.Tensor, channels: list[int], strides: list[int], kernel: int, classes: int, dropout: float
    ):
        super().__init__()
        self.register_buffer("A", a)
        self.data_bn = torch.nn.BatchNorm1d(3 * a.shape[1])
        ends = list(zip([3, *channels], channels, strides, strict=False))
        self.st_gcn_networks = torch.nn.ModuleList(
            ReleasedBlock(before, out, len(a), kernel, stride, i > 0, dropout if i else 0.0)
            for i, (before, out, stride) in enumerate(ends)
        )
        self.edge_importance = torch.nn.ParameterList(torch.ones_like(a) for _ in channels)
        self.fcn = torch.nn.Conv2d(channels[-1], classes, 1)

    def forward(self, x: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        batch, channels, frames, nodes, instances = x.shape
        rows = x.permute(0, 4, 1, 2, 3).reshape(batch * instances, channels, frames, nodes)
        present = list(range(batch * instances))
        mask = None
        if valid is not None:
            present = [row for row in present if valid[row // instances, row % instances].any()]
            mask = valid.reshape(batch * instances, 1, frames, 1)[present].to(x.dtype)
            rows = rows[present] * mask
        joint_major = rows.permute(0, 3, 1, 2).reshape(len(present), nodes * channels, frames)
        y = masked_norm(self.data_bn, joint_major, None if mask is None else mask[..., 0])
        y = y.unflatten(1, (nodes, channels)).permute(0, 2, 3, 1)
        y = y if mask is None else y * mask
        for block, importance in zip(self.st_gcn_networks, self.edge_importance, strict=True):
            y = block(y, self.A * importance, mask)
            mask = None if mask is None else slow_strided(mask, block.stride)
        pooled = []
        for sample in range(batch):
            means = []
            for i, row in enumerate(present):
                if row // instances == sample:
                    cells = y[i] if mask is None else y[i][:, mask[i, 0, :, 0] > 0]
                    means.append(cells.mean((1, 2)))
            pooled.append(torch.stack(means).mean(0))
        return self.fcn(torch.stack(pooled)[:, :, None, None]).flatten(1)


def slow_strided(mask: torch.Tensor, stride: int) -> torch.Tensor:
    """The mask [R, 1, T, 1] of cells: one where any of a cell's frames is one."""
    cells = [mask[:, :, start : start + stride].amax(2, keepdim=True) for start in range(0, mask.shape[2], stride)]
    return torch.cat(cells, 2)


def dense_forecast(
    state: dict[str, torch.Tensor], matrices: torch.Tensor, x: torch.Tensor, observed: torch.Tensor, blocks: int
) -> torch.Tensor:
    """STGCN for forecasting (Yu et al. 2018) from its weights by name, on images [B, C, T, N], by sums over taps.

    Args:
        state: weights as `STGCNForecaster` names them.
        matrices: of the graph convolution's terms, ``[K, N, N]``, row = source.
        x: ``[B, T, N, C]``.
        observed: ``[B, T, N]``.
        blocks: how many there are.
    """

    def gated(name: str, y: torch.Tensor) -> torch.Tensor:
        weight, bias = state[f"{name}.weight"][:, :, 0], state[f"{name}.bias"]
        out, kernel = len(weight) // 2, weight.shape[2]
        cells = y.shape[2] - kernel + 1
        both = sum(torch.einsum("bctn,oc->botn", y[:, :, j : j + cells], weight[:, :, j]) for j in range(kernel))
        both = both + bias[:, None, None]
        latest = y[:, :, kernel - 1 :]
        if f"{name}.shortcut" in state:
            latest = torch.einsum("bctn,oc->botn", latest, state[f"{name}.shortcut"])
        zeros = latest.new_zeros(latest.shape[0], out - latest.shape[1], *latest.shape[2:])
        return (both[:, :out] + torch.cat([latest, zeros], 1)) / (1 + torch.exp(-both[:, out:]))

    def normed(name: str, y: torch.Tensor) -> torch.Tensor:
        centred = y - y.mean(1, keepdim=True)
        scaled = centred / torch.sqrt((centred**2).mean(1, keepdim=True) + 1e-5)
        return scaled * state[f"{name}.weight"][:, None, None] + state[f"{name}.bias"][:, None, None]

    y = torch.where(observed[..., None], (x - state["mean"]) / state["std"], 0.0)
    if state["blocks.0.before.weight"].shape[1] > x.shape[3]:
        y = torch.cat([y, observed[..., None].to(y.dtype)], 3)
    y = y.permute(0, 3, 1, 2)
    for i in range(blocks):
        y = gated(f"blocks.{i}.before", y)
        y = torch.einsum("bctn,koc,knw->botw", y, state[f"blocks.{i}.spatial.weight"], matrices)
        y = torch.relu(y + state[f"blocks.{i}.spatial.bias"][:, None, None])
        y = normed(f"blocks.{i}.norm", gated(f"blocks.{i}.after", y))
    y = normed("last_norm", gated("last", y))
    assert y.shape[2] == 1
    y = torch.relu(torch.einsum("bcn,oc->bon", y[:, :, 0], state["hidden.weight"]) + state["hidden.bias"][:, None])
    y = torch.einsum("bcn,hc->bhn", y, state["head.weight"]) + state["head.bias"][:, None]
    return y * state["std"][0] + state["mean"][0]
