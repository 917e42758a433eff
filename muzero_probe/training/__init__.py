"""Self-play, replay, reanalyse and updates of a population."""
