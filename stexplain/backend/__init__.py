"""Message passing, and the libraries that compute it.

- `topology`: which target receives from which source, shared by all batches
- `torch_ops`: the operator in plain torch
- `graphbolt_stub`: makes DGL 2.1.0 importable beside a current torch
- `dgl`: every call of DGL
- `aggregation`: the operator that layers call, by DGL where it can, else by torch

The operator is a weighted sum over the incoming edges of every target, DGL's `u_mul_e_sum`:

    out[t] = sum over edges e with target(e) = t of  weight[e] * x[source(e)]

Nothing is imported here: `graphbolt_stub` must run before torch and DGL are loaded.
"""
