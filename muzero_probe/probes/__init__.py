"""Measurements of learned models; each takes models, states and settings and returns arrays."""
