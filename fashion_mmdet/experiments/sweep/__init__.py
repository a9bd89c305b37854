"""Search of config values: study, trials, loop, report."""
