"""Postprocessing options chosen on some images of a dump and scored on others."""
