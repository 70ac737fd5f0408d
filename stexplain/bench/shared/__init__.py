"""What several stages share, by concept: training a model, which samples are explained, how scores are shown."""
