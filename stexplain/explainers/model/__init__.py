"""All that touches a model. Whatever changes a model restores it, also after an error."""
