"""The old name of tools/train_rescorer.py, kept for one version."""

import runpy
from pathlib import Path

if __name__ == '__main__':
    print('python tools/train_filter.py is now python tools/train_rescorer.py')
    runpy.run_path(str(Path(__file__).with_name('train_rescorer.py')), run_name='__main__')
