"""The command lines: what they share, and `muzero-probe` itself."""
