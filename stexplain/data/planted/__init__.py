"""Synthetic data with ground truth: generators, their counterfactuals, and oracles that verify the truth.

A generator is a module with ``generate(card, out, *, seed)``, which writes files that the card's reader reads, and the
ground truth beside them. `ntu` (actions of a skeleton), `graph` (a signal on any graph) and `roads` (incidents on a
road network) are bundled. Each can also give a sample without its cause: the counterfactual. `ntu_oracle` and
`roads_oracle` decide by rules, without training, so that replacing what is marked as true must change their answer.
"""
