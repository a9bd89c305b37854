"""Rescorer training: a small model that scores a detection anew, given all others of the photo."""
