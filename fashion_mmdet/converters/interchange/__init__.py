"""Labels in other tools' formats: into the one layout and out of it."""
