"""Become a command that is terminated when the process that started it dies, be it by kill -9 (Linux only).

    python -I die_with_parent.py PARENT_PID COMMAND...

A script of its own that imports nothing of the package, which would cost every trial seconds.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; kept across exec

if __name__ == '__main__':
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it died before the kernel knew
        sys.exit(1)
    os.execv(command[0], command)
