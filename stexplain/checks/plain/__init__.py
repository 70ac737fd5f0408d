"""The methods' documented equations once more, by plain loops in float64, to compare explainers with.

None of this shares code with the methods beyond how a model is called and where a layer's positions lie: slow and
obvious, so that a mistake in a method is not made twice.
"""
