"""Whether the gradient that torch computes is the derivative of the score: models leave parts of themselves out."""
