"""What is given for a graph: the columns of tables, distances that are doubtful, correlations."""
