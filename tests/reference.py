"""Slow, obvious re-implementations in float64, written from the definitions, that tests compare the package with."""

from collections.abc import Callable
from fractions import Fraction
from itertools import permutations
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata


def aggregate_dense(
    source: NDArray[np.int64], target: NDArray[np.int64], targets: int, x: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """The weighted sum over incoming edges as one dense matrix [targets, sources]; parallel edges add up."""
    one_hot_target = torch.zeros(len(source), targets, dtype=x.dtype)
    one_hot_source = torch.zeros(len(source), x.shape[0], dtype=x.dtype)
    for edge, (start, end) in enumerate(zip(source, target, strict=True)):
        one_hot_target[edge, end] = 1
        one_hot_source[edge, start] = 1
    matrix = one_hot_target.t() @ (weight[:, None] * one_hot_source)
    return matrix @ x


def slow_scores(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float, NDArray[np.int64]]:
    """Accuracy, top-5 accuracy and confusion [label, answer], sample by sample."""
    classes = logits.shape[1]
    confusion = np.zeros((classes, classes), dtype=np.int64)
    right = among = 0
    for row, label in zip(logits, labels, strict=True):
        order = sorted(range(classes), key=lambda answer: -row[answer])
        confusion[label, order[0]] += 1
        right += order[0] == label
        among += label in order[:5]
    return right / len(labels), among / len(labels), confusion


def dense_adjacency(
    nodes: int, edges: NDArray[np.int64], weight: NDArray[np.float64], directed: bool
) -> NDArray[np.float64]:
    """A[source, target], both ways where undirected."""
    matrix = np.zeros((nodes, nodes))
    for (source, target), value in zip(edges.tolist(), weight.tolist(), strict=True):
        matrix[source, target] = value
        if not directed:
            matrix[target, source] = value
    return matrix


def hop_distances(links: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Floyd and Warshall: the fewest links on a way from row to column."""
    nodes = len(links)
    hops = np.where(links, 1.0, np.inf)
    np.fill_diagonal(hops, 0)
    for middle in range(nodes):
        for source in range(nodes):
            for target in range(nodes):
                hops[source, target] = min(hops[source, target], hops[source, middle] + hops[middle, target])
    return hops


def uniform_relations(adjacency: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """D^-1/2 (A + I) D^-1/2 of a symmetric A (Kipf & Welling 2017, Eq. 2)."""
    own = adjacency + np.eye(len(adjacency))
    root = np.linalg.inv(np.sqrt(np.diag(own.sum(axis=1))))
    return [root @ own @ root]


def hop_relations(adjacency: NDArray[np.float64], max_hop: int) -> list[NDArray[np.float64]]:
    """Yan et al. (2018), distance partitioning: l(j) = d(i, j); every target divides by what reaches it."""
    nodes = len(adjacency)
    hops = hop_distances(adjacency != 0)
    reach = np.zeros((nodes, nodes))
    for source in range(nodes):
        for target in range(nodes):
            if source == target:
                reach[source, target] = 1
            elif hops[source, target] == 1:
                reach[source, target] = adjacency[source, target]
            elif hops[source, target] <= max_hop:
                reach[source, target] = 1
    if max_hop == 0:
        reach = np.eye(nodes)
    normalised = reach / reach.sum(axis=0, keepdims=True)
    return [np.where(hops == hop, normalised, 0) for hop in range(max_hop + 1)]


def spatial_relations(
    adjacency: NDArray[np.float64], center: int, max_hop: int = 1, truncate: bool = False
) -> list[NDArray[np.float64]]:
    """Yan et al. (2018), spatial partitioning, pair by pair; `truncate` as released: beyond `max_hop` is infinite."""
    nodes = len(adjacency)
    far = hop_distances((adjacency != 0) | (adjacency != 0).T)[:, center]
    if truncate:
        far = np.array([value if value <= max_hop else np.inf for value in far])
    root, *further = hop_relations(adjacency, max_hop)
    found = [root]
    for matrix in further:
        towards, away = np.zeros((nodes, nodes)), np.zeros((nodes, nodes))
        for source in range(nodes):
            for target in range(nodes):
                subset = away if far[source] < far[target] else towards
                subset[source, target] = matrix[source, target]
        found += [towards, away]
    return found


def walk_relations(adjacency: NDArray[np.float64], steps: int, directed: bool) -> list[NDArray[np.float64]]:
    """Li et al. (2018), Eq. 2: out = (D_O^-1 W)^k x and (D_I^-1 W^T)^k x; given as [source, target] matrices."""
    nodes = len(adjacency)
    found = [np.eye(nodes)]
    for matrix in [adjacency, adjacency.T][: 2 if directed else 1]:
        step = np.zeros((nodes, nodes))
        for node in range(nodes):
            if matrix[node].sum() > 0:
                step[node] = matrix[node] / matrix[node].sum()
        found += [np.linalg.matrix_power(step, k).T for k in range(1, steps + 1)]
    return found


def chebyshev_relations(adjacency: NDArray[np.float64], order: int) -> list[NDArray[np.float64]]:
    """T_k(L~) = U cos(k arccos(lambda~)) U^T over the spectrum of the scaled Laplacian (Defferrard et al. 2016)."""
    degree = adjacency.sum(axis=1)
    root = np.diag([1 / np.sqrt(value) if value > 0 else 0.0 for value in degree])
    values, vectors = np.linalg.eigh(np.eye(len(adjacency)) - root @ adjacency @ root)
    scaled = np.clip(2 * values / values[-1] - 1, -1, 1)
    return [vectors @ np.diag(np.cos(k * np.arccos(scaled))) @ vectors.T for k in range(order)]


def slow_grad_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """STG-Grad-CAM of one sample and instance, Eq. 4-5 without the ReLU, by loops.

    Args:
        features: F, ``[T', N, C]``.
        gradients: dy/dF, ``[T', N, C]``.
        ok: cells to be averaged over, ``[T']``.
    """
    frames, nodes, channels = features.shape
    cells = [t for t in range(frames) if ok[t]] or list(range(frames))
    result = np.zeros((frames, nodes))
    for channel in range(channels):
        alpha = sum(float(gradients[t, n, channel]) for t in cells for n in range(nodes)) / (len(cells) * nodes)
        for t in range(frames):
            for n in range(nodes):
                result[t, n] += alpha * float(features[t, n, channel])
    return result


def slow_to_frames(cells: NDArray[np.float64], ok: NDArray[np.bool_], frames: int, stride: int) -> NDArray[np.float64]:
    """Cells ``[T', N]`` at frames 0, s, 2s, ... drawn as straight lines through those that are ok; constant beyond."""
    result = np.zeros((frames, cells.shape[1]))
    for t in range(frames):
        near = {min(t // stride, len(cells) - 1), min(t // stride + 1, len(cells) - 1)}
        shares = {i: max(0.0, 1 - abs(t - i * stride) / stride) for i in near}
        if t > (len(cells) - 1) * stride:
            shares = {len(cells) - 1: 1.0}
        shares = {i: share for i, share in shares.items() if ok[i]}
        total = sum(shares.values())
        if total > 0:
            result[t] = sum(share * cells[i] for i, share in shares.items()) / total
    return result


def slow_auroc(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The chance that a true one is above another, by all pairs; a tie is half a win."""
    wins = [float(a > b) + 0.5 * float(a == b) for a in values[truth] for b in values[~truth]]
    return sum(wins) / len(wins)


def slow_average_precision(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The mean, over true ones, of the precision among all that are at least as high."""
    return sum(float(truth[values >= a].mean()) for a in values[truth]) / int(truth.sum())


def slow_contrastivity(psi: NDArray[np.float64]) -> float:
    """1 - the mean of numpy's Pearson correlation over pairs of rows that vary."""
    rows = [row for row in psi if row.std() > 0]
    pairs = [np.corrcoef(rows[i], rows[j])[0, 1] for i in range(len(rows)) for j in range(i)]
    return 1 - sum(pairs) / len(pairs)


def slow_read_skeleton(path: Path) -> dict[int, NDArray[np.float32]]:
    """NTU's text format, a line at a time: values [T, 25, 12] per body id, NaN where the body is not there."""
    bodies: dict[int, NDArray[np.float32]] = {}
    with path.open() as file:
        frames = int(file.readline())
        for frame in range(frames):
            for _ in range(int(file.readline())):
                body = int(file.readline().split()[0])
                bodies.setdefault(body, np.full((frames, 25, 12), np.nan, np.float32))
                assert int(file.readline()) == 25
                for joint in range(25):
                    for column, text in enumerate(file.readline().split()):
                        bodies[body][frame, joint, column] = float(text)
    return bodies


def slow_resample(
    x: NDArray[np.float32], valid: NDArray[np.bool_], frames: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Stretches the frames [M, T, N, C] in which any instance is valid to `frames`, cell by cell."""
    kept = [t for t in range(valid.shape[1]) if valid[:, t].any()]
    out = np.zeros((x.shape[0], frames, *x.shape[2:]))
    there = np.zeros((x.shape[0], frames), bool)
    for t in range(frames):
        place = Fraction(t * (len(kept) - 1), frames - 1) if frames > 1 else Fraction(len(kept) - 1, 2)
        low = int(place)
        share = place - low
        nearer = kept[low] if share < Fraction(1, 2) else kept[low + 1]
        for m in range(x.shape[0]):
            there[m, t] = valid[m, nearer]
            parts = [(float(1 - share), kept[low])] + ([(float(share), kept[low + 1])] if share else [])
            parts = [(weight, frame) for weight, frame in parts if valid[m, frame]]
            if there[m, t]:
                total = sum(weight for weight, _ in parts)
                out[m, t] = sum(weight * x[m, frame].astype(float) for weight, frame in parts) / total
    return out, there


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


def slow_hires_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """HiResCAM of one sample and instance by loops: features and gradients ``[T', N, C]``."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    result = np.zeros((frames, nodes))
    for t in range(frames):
        for n in range(nodes):
            result[t, n] = sum(values[t][n][k] * slope[t][n][k] for k in range(channels))
    return result


def slow_layer_cam(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """Layer-CAM of one sample and instance by loops: features and gradients ``[T', N, C]``."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    result = np.zeros((frames, nodes))
    for t in range(frames):
        for n in range(nodes):
            result[t, n] = sum(values[t][n][k] * max(slope[t][n][k], 0) for k in range(channels))
    return result


def slow_grad_cam_plus_plus(features: torch.Tensor, gradients: torch.Tensor, ok: torch.Tensor) -> NDArray[np.float64]:
    """Grad-CAM++ of one sample and instance by loops, powers written out; `ok` are the cells to be pooled over."""
    frames, nodes, channels = features.shape
    values, slope = features.tolist(), gradients.tolist()
    cells = [(t, n) for t in range(frames) if ok[t] or not ok.any() for n in range(nodes)]
    result = np.zeros((frames, nodes))
    for k in range(channels):
        total = sum(values[t][n][k] for t, n in cells)
        weight = 0.0
        for t, n in cells:
            g = slope[t][n][k]
            if g > 0:
                weight += g**2 / (2 * g**2 + total * g**3) * g
        for t in range(frames):
            for n in range(nodes):
                result[t, n] += weight * values[t][n][k]
    return result


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


def slow_gini(sizes: NDArray[np.float64]) -> float:
    """Half the mean absolute difference of all pairs, over the mean: the Gini index by its oldest definition."""
    pairs = [abs(one - other) for one in sizes for other in sizes]
    return float(sum(pairs) / (2 * len(sizes) ** 2 * sizes.mean()))


def slow_mask_scores(value: NDArray[np.float64], true: NDArray[np.bool_]) -> dict[str, float]:
    """Crabbé & van der Schaar (2021): the integrals over thresholds by the midpoints of many small intervals."""
    mask = (value - value.min()) / (value.max() - value.min())
    thresholds = (np.arange(5_000) + 0.5) / 5_000
    precision = [true[mask >= threshold].mean() for threshold in thresholds]
    recall = [(mask[true] >= threshold).mean() for threshold in thresholds]
    information = entropy = 0.0
    for one in mask[true]:
        information -= float(np.log(max(1 - one, 1e-5)))
        entropy -= sum(float(part * np.log(part)) for part in (one, 1 - one) if part > 0)
    return {
        "aup": float(np.mean(precision)),
        "aur": float(np.mean(recall)),
        "information": information,
        "entropy": entropy,
    }


def slow_mask_loss(
    mask: NDArray[np.float64],
    kept: float,
    ok: NDArray[np.bool_],
    edges: NDArray[np.int64],
    goal: str,
    *,
    size: float,
    smoothness: float,
    connectedness: float,
) -> float:
    """The loss of a learned mask [M, T, N] of one sample, cell by cell."""

    def apart(first: tuple[int, ...], second: tuple[int, ...]) -> float:
        return float(np.hypot(mask[first] - mask[second], 0.05)) - 0.05

    instances, frames, nodes = mask.shape
    cells = [mask[cell] for cell in np.ndindex(*mask.shape) if ok[cell]]
    steps = [
        apart((m, t, n), (m, t + 1, n))
        for m, t, n in np.ndindex(instances, frames - 1, nodes)
        if ok[m, t, n] and ok[m, t + 1, n]
    ]
    ends = [
        apart((m, t, u), (m, t, v))
        for m, t in np.ndindex(instances, frames)
        for u, v in edges.tolist()
        if ok[m, t, u] and ok[m, t, v]
    ]
    missed = 1 - kept if goal == "keep" else kept
    loss = max(0.0, missed) ** 2 + size * sum(cells) / len(cells)
    return loss + smoothness * sum(steps) / len(steps) + connectedness * sum(ends) / len(ends)


def exact_shapley(worth: Callable[[list[int]], float], players: int) -> list[float]:
    """Shapley values over all orders; `worth` is of which players are in, a zero or one for each."""
    values = [0.0] * players
    orders = list(permutations(range(players)))
    for order in orders:
        inside = [0] * players
        before = worth(inside)
        for player in order:
            inside[player] = 1
            after = worth(inside)
            values[player] += (after - before) / len(orders)
            before = after
    return values


def slow_forecast_errors(
    forecasts: NDArray[np.float64], targets: NDArray[np.float64], observed: NDArray[np.bool_]
) -> dict[str, list[float]]:
    """MAE, RMSE and MAPE in percent at each horizon and, last, over all of them, reading by reading; [n, H, N] each."""
    found: dict[str, list[float]] = {"mae": [], "rmse": [], "mape": []}
    windows, horizons, nodes = targets.shape
    for chosen in [*([h] for h in range(horizons)), list(range(horizons))]:
        absolute, squared, relative = [], [], []
        for i in range(windows):
            for h in chosen:
                for n in range(nodes):
                    if observed[i, h, n]:
                        error = abs(forecasts[i, h, n] - targets[i, h, n])
                        absolute.append(error)
                        squared.append(error**2)
                        if abs(targets[i, h, n]) > 5e-5:
                            relative.append(error / abs(targets[i, h, n]))
        found["mae"].append(sum(absolute) / len(absolute))
        found["rmse"].append((sum(squared) / len(squared)) ** 0.5)
        found["mape"].append(100 * sum(relative) / len(relative))
    return found


def slow_temporal_rescaling(
    relevance: Callable[[torch.Tensor], NDArray[np.float64]], x: torch.Tensor, valid: NDArray[np.bool_], alpha: float
) -> NDArray[np.float64]:
    """Algorithm 1 of Ismail et al. (2020) of one sample [M, T, N, C], reading by reading, zero as baseline."""
    instances, frames, nodes = x.shape[:-1]
    first = relevance(x)
    time = np.zeros(frames)
    for t in range(frames):
        if valid[:, t].any():
            hidden = x.clone()
            hidden[:, t] = 0
            time[t] = np.abs(first - relevance(hidden)).sum()
    read = [t for t in range(frames) if valid[:, t].any()]
    above = sorted(read, key=lambda t: -time[t])[: len(read) - int(alpha * len(read))]
    values = np.zeros((instances, frames, nodes))
    for m, t, n in np.ndindex(*values.shape):
        if t in above and valid[m, t]:
            hidden = x.clone()
            hidden[m, t, n] = 0
            values[m, t, n] = time[t] * np.abs(first - relevance(hidden)).sum()
    return values


def ranked_auroc(values: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """`slow_auroc` of many values, of any shape: by ranks."""
    values, truth = values.ravel(), truth.ravel()
    hits = int(truth.sum())
    return float((rankdata(values)[truth].sum() - hits * (hits + 1) / 2) / (hits * (len(truth) - hits)))
