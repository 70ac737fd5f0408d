"""Damage of one kind of input each."""
