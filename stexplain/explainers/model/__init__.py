"""All that touches a model: whatever changes one restores it, also after an error."""
