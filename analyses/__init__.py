"""The questions (docs/protocol.md): each module turns checkpoints into one tidy table, a row per seed and setting."""
