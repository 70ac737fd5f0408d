"""What a model returned: the tensors in it, and the axis of each that follows the samples."""
