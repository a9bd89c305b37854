"""Data sources in one layout, and the data set that mmdet reads."""
