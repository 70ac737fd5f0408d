"""One function of the signals in many forms: models of others, each called in its own way, and one that they equal."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from stexplain.graph import STGraph
from tests.explainers.small_models import signals

SAMPLES, FRAMES, NODES, STEPS = 4, 6, 5, 2
EDGES = torch.tensor([[0, 1, 2, 3, 0, 2], [1, 2, 3, 4, 2, 0]])
GRAPH = STGraph.from_edges("abcde", [("abcde"[u], "abcde"[v]) for u, v in EDGES.T.tolist()], directed=True)
ADJACENCY = torch.eye(NODES).double().index_put((EDGES[0], EDGES[1]), torch.tensor(0.5).double())
GATE = torch.tensor([1.0, -2.0, 0.5, 3.0]).double()


class Plain(nn.Module):
    """x ``[B, 1, T, N, C]`` to logits ``[B, 2 N]``, which are also forecasts ``"b (t n)"``."""

    layout = "b t n c"  # of its layer
    adjacency = gate = None

    def __init__(self, channels: int = 2):
        super().__init__()
        torch.manual_seed(0)
        self.hidden, self.head = nn.Linear(channels, 3), nn.Linear(FRAMES * NODES * 3, STEPS * NODES)
        self.double()

    def forward(self, x: Tensor) -> Any:
        return self.logits(x[:, 0], self.adjacency, self.gate)

    def logits(self, x: Tensor, adjacency: Tensor | None = None, gate: Tensor | None = None) -> Tensor:
        hidden = torch.tanh(self.hidden(x))
        if adjacency is not None:
            hidden = torch.einsum("btvc,vw->btwc", hidden, adjacency)
        logits: Tensor = self.head(hidden.flatten(1))
        return logits if gate is None else logits * gate[:, None]


class ChannelsFirst(Plain):
    def forward(self, x: Tensor) -> Any:  # b c t n
        return self.logits(x.permute(0, 2, 3, 1))


class NoChannels(Plain):
    def forward(self, x: Tensor) -> Any:  # b t n
        return self.logits(x[..., None])


class GraphFirst(Plain):
    def forward(self, adjacency: Tensor, x: Tensor) -> Any:  # x: b t n c
        return self.logits(x, adjacency)


class PerSample(Plain):
    def forward(self, x: Tensor, gate: Tensor) -> Any:  # b t n c
        return self.logits(x, gate=gate)


class WholeBatch(Plain):
    """All samples are one large graph."""

    layout = "(b n) t c"

    def forward(self, x: Tensor, edge_index: Tensor) -> Any:  # (b n) t
        hidden = torch.tanh(self.hidden(x[..., None]))
        mixed = hidden.index_add(0, edge_index[1], hidden[edge_index[0]] * 0.5)
        return self.head(mixed.view(-1, NODES, FRAMES, 3).transpose(1, 2).flatten(1))


class InPlace(Plain):
    def forward(self, x: Tensor) -> Any:  # b t n c
        logits = self.logits(x.clone())
        x.zero_()
        return logits


class Named(Plain):
    def forward(self, x: Tensor) -> Any:  # b t n c
        logits = self.logits(x)
        return {"others": -logits, "wanted": logits}


class Pair(Plain):
    def forward(self, x: Tensor) -> Any:  # b t n c
        return torch.zeros(len(x), dtype=torch.int64), self.logits(x)


class Keeps(Plain):
    """Keeps a tensor and counts, as many do, and goes on from where the last call ended unless it is reset."""

    calls = 0

    def forward(self, x: Tensor) -> Any:  # b t n c
        self.calls += 1
        self.kept = self.logits(x)
        return self.kept * self.calls


class FixedBatch(Plain):
    def forward(self, x: Tensor) -> Any:  # b t n c
        return self.logits(x.view(SAMPLES, FRAMES, NODES, 2))


class NeedsMask(Plain):
    def forward(self, x: Tensor, valid: Tensor) -> Any:  # b t n c
        return self.logits(x * valid[:, 0, :, None, None])


@dataclass(frozen=True)
class Form:
    """A model, how it is called, and what it equals.

    Attributes:
        model: makes it.
        lay_out: from x ``[B, T, N, C]`` to its own layout.
        options: of the call.
        arguments: `shared` and `per_sample`.
        channels: C.
        equals: attributes of the plain model that is the same function.
    """

    model: Callable[..., Plain]
    lay_out: Callable[[Tensor], Tensor] = lambda x: x
    options: Mapping[str, Any] = field(default_factory=lambda: {"inputs": "b t n c"})
    arguments: Mapping[str, Any] = field(default_factory=dict)
    channels: int = 2
    equals: Mapping[str, Tensor] = field(default_factory=dict)

    def made(self) -> Plain:
        return self.model(self.channels).eval()

    def x(self) -> Tensor:
        return self.lay_out(self._signals()).clone()

    def reference(self) -> tuple[Plain, Tensor]:
        """The same function of ``[B, 1, T, N, C]``, which asks for nothing, and the same samples."""
        model = Plain(self.channels).eval()
        for name, value in self.equals.items():
            setattr(model, name, value)
        return model, self._signals()[:, None]

    def _signals(self) -> Tensor:
        return signals(SAMPLES, FRAMES, NODES, self.channels).double()


_WHOLE = torch.cat([EDGES + NODES * sample for sample in range(SAMPLES)], 1)
FORMS = {
    "channels first": Form(ChannelsFirst, lambda x: x.permute(0, 3, 1, 2), {"inputs": "b c t n"}),
    "no channels": Form(NoChannels, lambda x: x[..., 0], {"inputs": "b t n"}, channels=1),
    "signals second": Form(
        GraphFirst,
        options={"inputs": "b t n c", "argument": "x"},
        arguments={"shared": {"adjacency": ADJACENCY}},
        equals={"adjacency": ADJACENCY},
    ),
    "one argument per sample": Form(PerSample, arguments={"per_sample": {"gate": GATE}}, equals={"gate": GATE}),
    "one large graph": Form(
        WholeBatch,
        lambda x: x[..., 0].transpose(1, 2).flatten(0, 1),
        {"inputs": "(b n) t", "graph": GRAPH},
        {"shared": {"edge_index": _WHOLE}},
        channels=1,
        equals={"adjacency": ADJACENCY, "graph": GRAPH},
    ),
    "in place": Form(InPlace),
    "a dict": Form(Named, options={"inputs": "b t n c", "output": "wanted"}),
    "a tuple": Form(Pair),
    "keeps a tensor": Form(Keeps),
    "one batch size": Form(FixedBatch),
    "needs a mask": Form(NeedsMask),
}
