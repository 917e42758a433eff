"""Batched Monte Carlo tree search over any model."""
