"""What went wrong and what to do next: from predictions to the next config."""
