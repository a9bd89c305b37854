"""Labels that out-of-fold predictions contradict: evidence, ranking, and how well it works on corrupted labels."""
