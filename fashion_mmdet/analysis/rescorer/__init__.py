"""Rescorer training: a small model that gives a detection a new score from all others of the photo."""
