"""Compiled CPU arithmetic of the MLP agents: every number is rounded the same way, whatever computes it."""
