"""Arithmetic that every processor rounds alike: elementary functions, vectors of sixteen numbers, matrix products."""
