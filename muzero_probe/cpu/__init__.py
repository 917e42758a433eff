"""Compiled CPU arithmetic of MLP and residual agents: every number is rounded the same way, whatever computes it."""
