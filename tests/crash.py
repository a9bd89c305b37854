"""Kill -9 at random moments: the rerun must come to what an undisturbed run comes to, and nothing may be left over.

    python tests/crash.py                          # some 60 kills, ten minutes on two cores
    python tests/crash.py --kills 1 --only index prepare
    python tests/crash.py --seed 7 --keep /tmp/crash

Each run is a fork of this process, which has imported the tools; the moments lie between the first change in its
folder and its end. After the kill all processes that the run had started must end by themselves. Then the same command
runs to its end. Lost: what the undisturbed run has and the rerun has not, or not the same; doubled: what it has too
often; left over: other files than the undisturbed run leaves, and processes.
"""

import argparse
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import numpy as np  # noqa: E402
from processes import children_of, is_running, wait_until  # noqa: E402

PATIENCE_S = 600
OLD_S = 1_500_000_000  # a time of change long ago: photos younger than seconds are not remembered


@dataclass(frozen=True)
class Operation:
    """What is killed.

    Attributes:
        prepare: puts the inputs into an empty folder, once.
        run: does the work, in a process whose current folder is a copy of that folder.
        results: what it came to, by name.
        kills: how many, where the command line does not say.
        modules: to import once instead of in every run.
        varying: patterns of paths that differ from run to run: logs; `*` goes over folders.
    """

    prepare: Callable[[Path], object]
    run: Callable[[], object]
    results: Callable[[Path], dict[str, object]]
    kills: int
    modules: tuple[str, ...] = ()
    varying: tuple[str, ...] = ()


@dataclass
class Tally:
    """What became of an operation's kills."""

    kills: int = 0
    lost: int = 0
    doubled: int = 0
    left_over: int = 0
    notes: list[str] = field(default_factory=list)


# What is done


def small_sample(folder: Path, images: int = 30, copies: int = 1, photos: bool = True) -> None:
    """Draw a data set; each further copy repeats its rows and, if wanted, photos under other names."""
    from fashion_mmdet.synthetic import make_sample

    make_sample(folder / 'data', images=images, test_images=4, height=96, width=64, seed=3, workers=1)
    header, *lines = (folder / 'data/train.csv').read_text().splitlines(keepends=True)
    names = sorted((folder / 'data/train').glob('*.jpg'))
    for number in range(1, copies):
        for path in names if photos else ():
            shutil.copyfile(path, path.with_name(f'{number}_{path.name}'))
    rows = [line if number == 0 else f'{number}_{line}' for number in range(copies) for line in lines]
    (folder / 'data/train.csv').write_text(header + ''.join(rows))
    for path in (folder / 'data').rglob('*.*'):
        os.utime(path, (OLD_S, OLD_S))


def build_index() -> None:
    """With two workers, however small the CSV."""
    from fashion_mmdet.datasets import index_build, index_store

    index_build.POOL_BYTES = 0
    index_store.open_index('data/train.csv')


def read_headers() -> None:
    """Read every photo's header; what is read is kept at the end, also of photos that have just been copied."""
    from fashion_mmdet.datasets import headers

    headers.SETTLED_NS = 0
    with headers.HeaderCache(Path('data/train')) as cache:
        for path in sorted(Path('data/train').iterdir()):
            cache.read_size(path)


def tool(name: str, *arguments: str) -> Callable[[], object]:
    """Run a tool of the repository."""
    return lambda: importlib.import_module(f'tools.{name}').main(list(arguments))


def small_ccp(folder: Path) -> None:
    """Photos of 200 x 100 pixels, one in four without labels."""
    import cv2
    from scipy.io import savemat

    rng = np.random.default_rng(0)
    for name in ('ccp/photos', 'ccp/annotations/pixel-level'):
        (folder / name).mkdir(parents=True)
    savemat(folder / 'ccp/label_list.mat', {'label_list': np.array([['null', 'shirt', 'shoes']], object)})
    for number in range(120):
        cv2.imwrite(str(folder / f'ccp/photos/{number:04d}.jpg'), rng.integers(0, 256, (200, 100, 3), np.uint8))
        if number % 4:
            labels = np.kron(rng.integers(0, 3, (10, 5)), np.ones((20, 20))).astype(np.uint8)
            savemat(folder / f'ccp/annotations/pixel-level/{number:04d}.mat', {'groundtruth': labels})


def tiny_training(folder: Path) -> None:
    """A data set and the tests' config that trains in seconds; one loading worker."""
    from tests.conftest import TINY_CONFIG, TINY_PIPELINE

    small_sample(folder, images=12)
    workers = "\nfor loader in (train_dataloader, val_dataloader):\n    loader['num_workers'] = 1\n"
    (folder / 'tiny.py').write_text(TINY_CONFIG.format(root=ROOT, pipeline=TINY_PIPELINE) + workers)


def trained(folder: Path) -> None:
    """The same with a finished run."""
    tiny_training(folder)
    assert finish(fork(train, folder)) == 0, f'{folder}: the training failed'


def train() -> object:
    """Train, or go on."""
    os.environ['FASHION_DATA'] = 'data'
    return tool('train', 'tiny.py', '--work-dir', 'run', '--resume')()


def dump() -> object:
    """Write raw predictions of the val images."""
    os.environ['FASHION_DATA'] = 'data'
    return tool('test', 'tiny.py', 'run/epoch_2.pth', '--work-dir', 'out')()


def dumped(folder: Path) -> None:
    """The same with raw predictions."""
    trained(folder)
    assert finish(fork(dump, folder)) == 0, f'{folder}: no dump'


def sweep() -> object:
    """Two trials of the stand-in that the sweep's tests train with."""
    return tool(
        'sweep',
        'tune.py',
        '--space',
        'space.py',
        '--trials',
        '2',
        '--storage',
        'sqlite:///sweep.db',
        '--train',
        'stub.py',
        '--heartbeat-s',
        '1',
        '--work-dir',
        'runs',
    )()


def small_space(folder: Path) -> None:
    """A config with one value to search, and the stand-in, half a second an epoch."""
    from tests.experiments import test_sweep

    (folder / 'tune.py').write_text(test_sweep.CONFIG)
    (folder / 'space.py').write_text(test_sweep.SPACE)
    (folder / 'stub.py').write_text(
        test_sweep.STUB.format(root=str(ROOT)).replace(
            '    if epoch == options', '    time.sleep(0.5)\n    if epoch == options'
        )
    )


# What it came to


def file_bytes(*folders: str) -> Callable[[Path], dict[str, object]]:
    """Read all files of some folders; the run's own path in them counts as any other's."""

    def read(root: Path) -> dict[str, object]:
        paths = [path for folder in folders for path in sorted((root / folder).rglob('*')) if path.is_file()]
        return {str(path.relative_to(root)): path.read_bytes().replace(str(root).encode(), b'') for path in paths}

    return read


def index_rows(root: Path) -> dict[str, object]:
    """Read the images of the index, and its bytes."""
    from fashion_mmdet.datasets.index import Index

    path = root / 'data/train.csv.index.arrow'
    index = Index.open(path, root / 'data/train.csv')
    return {f'image {number}': index.record(number) for number in range(len(index))} | {'bytes': path.read_bytes()}


def header_rows(root: Path) -> dict[str, object]:
    """Read the height and width of every photo that is kept, with its size in bytes; times differ by the copy."""
    from fashion_mmdet.datasets.headers import HeaderCache

    with HeaderCache(root / 'data/train') as cache:
        return {name: (kept[0], *kept[-2:]) for name, kept in cache._known.items()}


def checkpoint_values(root: Path) -> dict[str, object]:
    """Read the weights and the optimizer's state of every checkpoint, and the scores by epoch."""
    import torch

    from fashion_mmdet.experiments.sweep.trial import read_scores

    values: dict[str, object] = {f'score {step}': score for step, score in read_scores(root / 'run').items()}
    for path in sorted((root / 'run').glob('*.pth')):
        checkpoint = torch.load(path, weights_only=False)
        for name, tensor in checkpoint['state_dict'].items():
            values[f'{path.name} {name}'] = tensor.numpy().tobytes()
        for number, state in checkpoint.get('optimizer', {}).get('state', {}).items():
            values[f'{path.name} optimizer {number}'] = repr({key: value for key, value in state.items()})
    return values


def dump_rows(root: Path) -> dict[str, object]:
    """Read the predictions of the dump, image by image, each as often as it comes, and the score."""
    from fashion_mmdet.evaluation.dump import read_dump

    rows: Counter[str] = Counter()
    values: dict[str, object] = {}
    for raw in read_dump(root / 'out/val.parquet'):
        rows[raw.image_id] += 1
        values[f'{raw.image_id} {rows[raw.image_id]}'] = [
            getattr(raw, name).tobytes() for name in ('boxes', 'scores', 'categories', 'mask_probs')
        ]
    scores = json.loads((root / 'out/val.json').read_text())
    return values | {'score': json.dumps({key: value for key, value in scores.items() if 'score' in key})}


def sweep_rows(root: Path) -> dict[str, object]:
    """Read how each trial that counts ended; its values depend on how often it was begun."""
    import optuna

    from fashion_mmdet.experiments.sweep.study import trials_by_root

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter('ignore', optuna.exceptions.ExperimentalWarning)
    study = optuna.load_study(study_name='tune_space', storage=f'sqlite:///{root}/sweep.db')
    trials = {
        f'trial {number}': (trial.state.name, bool(np.isclose(trial.value or 0, 3 * trial.params['lr'])))
        for number, trial in trials_by_root(study).items()
    }
    return trials | {path.name: path.is_dir() for path in (root / 'runs').glob('trial_*')}


TORCH = ('tests.conftest', 'fashion_mmdet.register', 'tools.train', 'tools.test')
OPERATIONS = {
    'index': Operation(
        lambda folder: small_sample(folder, copies=40, photos=False),
        build_index,
        index_rows,
        10,
        ('fashion_mmdet.datasets.index_store',),
    ),
    'headers': Operation(
        lambda folder: small_sample(folder, copies=8), read_headers, header_rows, 8, ('fashion_mmdet.datasets.headers',)
    ),
    'prepare': Operation(
        lambda folder: small_sample(folder, copies=4),
        tool('prepare_data', 'data', 'small', '--max-side', '40', '--workers', '2'),
        file_bytes('small'),
        10,
        ('tools.prepare_data', 'fashion_mmdet.converters.downscale'),
    ),
    'convert': Operation(
        small_ccp,
        tool('convert_ccp', 'ccp', 'data'),
        file_bytes('data'),
        8,
        ('tools.convert_ccp', 'fashion_mmdet.converters.ccp'),
    ),
    'sample': Operation(
        lambda folder: None,
        tool(
            'make_sample',
            'data',
            '--images',
            '60',
            '--test-images',
            '8',
            '--height',
            '96',
            '--width',
            '64',
            '--workers',
            '2',
        ),
        file_bytes('data'),
        8,
        ('tools.make_sample', 'fashion_mmdet.synthetic'),
    ),
    'tune': Operation(
        dumped,
        tool(
            'tune_thresholds',
            'out/val.parquet',
            '--truth',
            'data/train.csv',
            '--out',
            'tuned/tuned.py',
            '--repeats',
            '1',
            '--size',
            '64',
            '--workers',
            '2',
        ),
        file_bytes('tuned'),
        6,
        (
            *TORCH,
            'tools.tune_thresholds',
            'fashion_mmdet.analysis.tuning.inputs',
            'fashion_mmdet.analysis.tuning.curves',
        ),
    ),
    'dump': Operation(trained, dump, dump_rows, 6, TORCH, ('out/test/2*',)),
    # A photo's size is remembered once the photo is more than seconds old: by the rerun, at the latest.
    'train': Operation(tiny_training, train, checkpoint_values, 5, TORCH, ('run/2*', 'data/train.headers.arrow')),
    'sweep': Operation(
        small_space,
        sweep,
        sweep_rows,
        4,
        ('tools.sweep', 'fashion_mmdet.experiments.sweep.loop'),
        ('runs/trial_*/run*',),
    ),
}
QUICK = ('index', 'prepare', 'convert', 'sample')  # headers are read too fast to be sure of meeting them


# Running and killing


def fork(run: Callable[[], object], folder: Path) -> int:
    """Start a run in a process and session of its own, its output in a log beside the folder; gives its id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        os.chdir(folder)
        with open(folder.with_suffix('.log'), 'ab') as log:
            for number in (1, 2):
                os.dup2(log.fileno(), number)
        os.environ['TMPDIR'] = str(folder)  # so that what is forgotten among temporary files is seen
        tempfile.tempdir = None
        status = run() or 0
    except SystemExit as exit_:
        status = exit_.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status if isinstance(status, int) else 1)


def finish(pid: int) -> int:
    """Wait for a run's end; its exit status, negative for a signal."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.005)


def list_files(folder: Path) -> set[str]:
    """List the paths in a folder, hidden ones too."""
    return {str(path.relative_to(folder)) for path in folder.rglob('*')}


def wait_for_first_change(pid: int, folder: Path) -> None:
    """Wait until a run has put something into its folder: what comes before is import and reading."""
    folders = [folder, *(path for path in folder.rglob('*') if path.is_dir())]

    def times() -> list[int]:  # a folder's time changes with each file that comes or goes
        return [one.stat().st_mtime_ns for one in folders]

    before = times()
    wait_until(lambda: times() != before or not is_running(pid), 'the first change', PATIENCE_S)


def kill_once(operation: Operation, folder: Path, delay_s: float) -> tuple[bool, set[int]]:
    """Start a run and kill it; return whether that was in time, and which of its processes stay for ten seconds."""
    pid = fork(operation.run, folder)
    wait_for_first_change(pid, folder)
    time.sleep(delay_s)
    helpers = children_of(pid)
    os.kill(pid, signal.SIGKILL)
    was_killed = finish(pid) == -signal.SIGKILL
    deadline = time.monotonic() + 10
    while (alive := {helper for helper in helpers if is_running(helper)}) and time.monotonic() < deadline:
        time.sleep(0.02)
    for helper in alive:
        os.kill(helper, signal.SIGKILL)
    return was_killed, alive


def torment(name: str, operation: Operation, base: Path, kills: int, seed: int) -> Tally:
    """Kill an operation again and again, and count what came of it."""
    rng, tally = random.Random(f'{name} {seed}'), Tally()
    for module in operation.modules:
        importlib.import_module(module)
    (inputs := base / name / 'inputs').mkdir(parents=True)
    operation.prepare(inputs)
    undisturbed = copy_of(inputs, 'undisturbed')
    pid = fork(operation.run, undisturbed)
    wait_for_first_change(pid, undisturbed)
    start = time.monotonic()
    assert finish(pid) == 0, undisturbed.with_suffix('.log').read_text()[-3000:]
    work_s = time.monotonic() - start
    expected = operation.results(undisturbed)
    assert expected, f'{name}: no results'
    for _ in range(10 * kills):
        if tally.kills == kills:
            break
        folder = copy_of(inputs, f'kill_{tally.kills}')
        was_killed, orphans = kill_once(operation, folder, rng.random() * work_s)
        if not was_killed:  # it was faster than the undisturbed one
            shutil.rmtree(folder)
            work_s *= 0.8
            continue
        tally.kills += 1
        status = finish(fork(operation.run, folder))
        judge(operation, undisturbed, expected, folder, status, orphans, tally)
    if tally.kills < kills:
        tally.notes.append(f'only {tally.kills} of {kills} kills met the work, which takes {work_s:.2f} s')
    return tally


def copy_of(inputs: Path, name: str) -> Path:
    """Copy the inputs, times of change included."""
    return Path(shutil.copytree(inputs, inputs.with_name(name), symlinks=True))


def judge(
    operation: Operation, undisturbed: Path, expected: dict, folder: Path, status: int, orphans: set[int], tally: Tally
) -> None:
    """Compare what a rerun came to with the undisturbed run's results and files."""
    if status != 0:
        tally.lost += 1
        tally.notes.append(
            f'{folder.name}: the rerun ended with {status}: '
            f'{folder.with_suffix(".log").read_text().strip().splitlines()[-1:]}'
        )
        return
    found = operation.results(folder)
    lost = [key for key, value in expected.items() if key not in found or found[key] != value]
    doubled = [key for key in found.keys() - expected.keys() if not (folder / key).is_file()]
    other = sorted(list_files(folder) ^ list_files(undisturbed))
    left = [*(path for path in other if not any(fnmatch(path, pattern) for pattern in operation.varying)), *orphans]
    for kind, keys in (('lost', lost), ('doubled', doubled), ('left over', left)):
        if keys:
            tally.notes.append(f'{folder.name}: {kind} {len(keys)}: {", ".join(map(str, keys[:3]))}')
    tally.lost, tally.doubled, tally.left_over = (
        tally.lost + len(lost),
        tally.doubled + len(doubled),
        tally.left_over + len(left),
    )


def main(argv: list[str] | None = None) -> int:
    """Kill, print the table; 1 where anything was lost, doubled or left over."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--kills', type=int, help='of each operation (default: 4 to 10, as long as each takes)')
    parser.add_argument('--only', nargs='+', choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument('--seed', type=int, default=0, help='of the moments (default %(default)s)')
    parser.add_argument('--keep', type=Path, help='folder for inputs and runs (default: a temporary one)')
    args = parser.parse_args(argv)
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ['PYTHONPATH'] = os.pathsep.join([str(ROOT), str(ROOT / 'tests')])
    tallies = {}
    with tempfile.TemporaryDirectory() as temporary:
        for name in args.only:
            start = time.monotonic()
            tallies[name] = tally = torment(
                name,
                OPERATIONS[name],
                (args.keep or Path(temporary)).resolve(),
                args.kills or OPERATIONS[name].kills,
                args.seed,
            )
            print(
                f'{name}: {tally.kills} kills in {time.monotonic() - start:.0f} s', *tally.notes, sep='\n  ', flush=True
            )
    print(f'\n{"operation":<10}{"kills":>8}{"lost":>8}{"doubled":>10}{"left over":>12}')
    for name, tally in tallies.items():
        print(f'{name:<10}{tally.kills:>8}{tally.lost:>8}{tally.doubled:>10}{tally.left_over:>12}')
    print(f'{"all":<10}{sum(tally.kills for tally in tallies.values()):>8}')
    return int(any(tally.notes for tally in tallies.values()))


if __name__ == '__main__':
    sys.exit(main())
