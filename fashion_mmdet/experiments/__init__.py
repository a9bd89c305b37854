"""Experiments as declared and as run: what differs between configs."""
