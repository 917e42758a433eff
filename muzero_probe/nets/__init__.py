"""Representation, dynamics and prediction nets with a leading seed axis."""
