"""What mixes nodes in a model's forward pass: products with an adjacency, gather-scatter, DGL's message passing."""
