"""From raw predictions to masks, scores, submissions and pictures."""
