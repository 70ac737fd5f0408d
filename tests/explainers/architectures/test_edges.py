"""What mixes nodes in every architecture, and that the messages over all edges make up what is mixed."""

import numpy as np
import pytest
import torch

from stexplain.errors import InputError
from stexplain.explainers.methods.edge_importance import EdgeImportance
from stexplain.explainers.model.adjacency.recorder import Recorder
from stexplain.explainers.targets import as_target
from tests.explainers.architectures.zoo import MAKERS, built

# How many entries there are, and how many relations in all; none where nodes are not mixed along edges.
ENTRIES = {
    "st_gcn": (3, 9),
    "two_stream_agcn": (3, 3),
    "ms_g3d": (3, 33),
    "ctr_gcn": (9, 9),
    "hd_gcn": (4, 4),
    "info_gcn": (2, 2),
    "stgcn_traffic": (2, 6),
    "graph_wavenet": (14, 14),
    # What the last layer mixes goes nowhere: its skip connection comes before.
    "mtgnn": (2, 2),
    "dcrnn": (4, 12),
    "agcrn": (2, 2),
    "t_gcn": (1, 1),
    "a3t_gcn": (1, 1),
    # Without what mixes the scores of its attention: of two axes of nodes, which is which cannot be told.
    "astgcn": (2, 6),
    "gman": (2, 2),
    "staeformer": (1, 2),
    "d2stgnn": (2, 4),
    "stgcn_wave": (2, 2),
    "gconv_gru": (6, 6),
    "pyg_whole_batch": (2, 2),
    "tsl_time_then_space": (2, 2),
}


@pytest.mark.parametrize("name", MAKERS)
def test_messages_over_all_edges_make_up_what_is_mixed(name):
    """The sum of an entry's importance is gradient x result, summed over all that its operation gives."""
    case = built(name)
    explain = EdgeImportance(case.model, inputs=case.inputs, **case.options)
    if name not in ENTRIES:
        with pytest.raises(InputError, match="no operation of"):
            explain(case.x, target=case.target, **case.arguments)
        return
    e = explain(case.x, target=case.target, **case.arguments)
    blocks = np.asarray(e.block)
    relations = [len(set(np.asarray(e.relation)[blocks == block])) for block in dict.fromkeys(e.block)]
    assert (len(relations), sum(relations)) == ENTRIES[name]
    with explain, torch.enable_grad():
        model_input = explain._prepare(case.x, None, *case.arguments.values())
        listing = explain._listing(model_input)
        explained = [mixing for mixing in listing.mixings if not mixing.why]
        tensors: dict[str, list[torch.Tensor]] = {mixing.name: [] for mixing in explained}
        by_key = {key: mixing.name for mixing in explained for key, call in mixing.calls.items() if call.roles}

        def track(event):
            tensor = event.tensor if event.tensor.requires_grad else event.tensor.detach().requires_grad_()
            if event.key in by_key:
                tensors[by_key[event.key]].append(tensor)
            return tensor.clone()

        step = 1 if listing.one_by_one else None
        totals = dict.fromkeys(tensors, 0.0)
        for chunk, (score_fn,) in explain._chunks(model_input, [as_target(case.target)], chunk=step):
            for calls in tensors.values():
                calls.clear()
            with Recorder(case.model, model_input.sizes["n"], track, signals=explain.argument):
                score = score_fn(explain._forward(chunk)).scores.sum()
            for block, calls in tensors.items():
                gradients = torch.autograd.grad(score, calls, allow_unused=True, retain_graph=True)
                totals[block] += sum(
                    float((gradient * call).detach().sum())
                    for gradient, call in zip(gradients, calls, strict=True)
                    if gradient is not None
                )
    for block, total in totals.items():
        assert e.values[:, blocks == block].sum() == pytest.approx(total, rel=1e-3, abs=1e-5), block
