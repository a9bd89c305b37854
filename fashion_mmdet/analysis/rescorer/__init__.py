"""Rescorer training: a small model that gives a detection a new score, given all others of the photo."""
