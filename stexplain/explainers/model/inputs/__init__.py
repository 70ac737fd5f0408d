"""The signals on their way into a model: several copies or rows at a time, and how they are laid out."""
