"""Whether values pass between nodes beside the operations whose edges are followed, and where first: measured."""
