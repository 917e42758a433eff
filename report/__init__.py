"""One page of verdicts, effects, figures and their provenance, made from tables alone (docs/architecture.md)."""
