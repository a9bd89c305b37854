"""Runs side by side: scores, differences, table and page."""
