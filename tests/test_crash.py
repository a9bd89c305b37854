"""The quick part of `make crash`: one kill each of what prepares data."""

import subprocess
import sys

import pytest
from crash import QUICK

from tests.conftest import ROOT


@pytest.mark.slow
def test_what_was_killed_at_a_random_moment_comes_to_the_same_and_leaves_nothing_over():
    """A process of its own: it forks, and would fork what other tests have started."""
    done = subprocess.run(
        [sys.executable, 'tests/crash.py', '--kills', '1', '--only', *QUICK],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
