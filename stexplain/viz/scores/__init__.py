"""Charts of scores: accuracy, forecast errors, faithfulness, localisation, comparisons of methods."""
