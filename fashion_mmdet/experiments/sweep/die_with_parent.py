"""Become a command that is terminated when the process that started it dies, be it by kill -9 (Linux only).

    python -I die_with_parent.py PARENT_PID COMMAND...

A file of its own, run without the package: importing that here would cost every trial seconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept across exec


def main(argv: list[str]) -> int:
    """Ask the kernel for SIGTERM at the parent's death, then turn into the command."""
    parent, command = int(argv[0]), argv[1:]
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew
        return 1
    os.execv(command[0], command)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
