"""Training with files: a run and its journal, its progress, and an inventory of what runs have left."""
