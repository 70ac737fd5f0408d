"""Charts of explanations and graphs: the importance of nodes, frames and positions."""
