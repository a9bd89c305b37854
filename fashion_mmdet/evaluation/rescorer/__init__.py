"""A rescorer applied: features of a detection, the models, the file that keeps them."""
