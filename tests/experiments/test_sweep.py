"""Sweeps: spaces, options, resuming, pruning and stopping, with a stand-in for the training; one real sweep."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest
from processes import is_running, wait_until

optuna = pytest.importorskip('optuna')

from optuna.trial import TrialState  # noqa: E402

from fashion_mmdet.config import load_config, parse_options  # noqa: E402
from fashion_mmdet.experiments.sweep import space as space_module  # noqa: E402
from fashion_mmdet.experiments.sweep import study as study_module  # noqa: E402
from fashion_mmdet.experiments.sweep import trial as trial_module  # noqa: E402
from fashion_mmdet.experiments.sweep.loop import Sweep  # noqa: E402
from fashion_mmdet.experiments.sweep.report import save_best  # noqa: E402
from tests.conftest import ROOT  # noqa: E402
from tools import sweep as sweep_tool  # noqa: E402

# Three epochs; the score of epoch e is e * lr. `stub` in the config says what else it does; `together`: go on only when
# so many trials have begun.
STUB = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from fashion_mmdet.config import parse_options
folder = Path(sys.argv[sys.argv.index('--work-dir') + 1])
resume = '--resume' in sys.argv
options = parse_options(sys.argv[sys.argv.index('--cfg-options') + 1:])
logs = sorted(folder.glob('*/vis_data/scalars.json'))
done = max([json.loads(line)['step'] for log in logs for line in open(log)], default=0) if resume else 0
(folder / 'pid').write_text(str(os.getpid()))
with open(folder / 'starts.txt', 'a') as file:
    file.write(f'resume={{resume}} done={{done}}\\n')
if options.get('stub.fail'):
    sys.exit('a warning before\\ntrain: no such photo')
vis_data = folder / f'run{{len(logs)}}' / 'vis_data'
vis_data.mkdir(parents=True)
for epoch in range(done + 1, 4 if not options.get('stub.silent') else 0):
    with open(vis_data / 'scalars.json', 'a') as file:
        file.write(json.dumps({{'fashion/score': epoch * options['lr'], 'step': epoch}}) + '\\n')
    if epoch == options.get('stub.hang_after') and not resume:
        time.sleep(options.get('stub.hang_s', 300))
    while len(list(folder.parent.glob('trial_*/pid'))) < options.get('stub.together', 0):
        time.sleep(0.05)
"""
CONFIG = """
lr = 0.1
stub = dict(fail=None, silent=None, hang_after=None, hang_s=300, together=0)
train_cfg = dict(max_epochs=3)
"""
PATIENCE_S = 240
SPACE = "space = {'lr': dict(type='float', low=0.01, high=0.1)}\n"


@pytest.fixture(scope='session')
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with Optuna's empty tables: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp('tables') / 'sweep.db'
    study_module.open_storage(f'sqlite:///{path}', heartbeat_s=10)
    return path


@pytest.fixture
def folder(tmp_path: Path, tables: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with config, space, storage and the stand-in for tools/train.py."""
    shutil.copy(tables, tmp_path)
    (tmp_path / 'tune.py').write_text(CONFIG)
    (tmp_path / 'space.py').write_text(SPACE)
    (tmp_path / 'stub.py').write_text(STUB.format(root=str(ROOT)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(trials: int, *options: str, heartbeat_s: int = 10) -> list[str]:
    """The sweep tool's arguments in `folder`; `options` go to every trial."""
    return [
        'tune.py',
        '--space',
        'space.py',
        '--trials',
        str(trials),
        '--storage',
        'sqlite:///sweep.db',
        '--train',
        'stub.py',
        '--heartbeat-s',
        str(heartbeat_s),
        *(['--cfg-options', *options] if options else []),
    ]


def start(arguments: list[str]) -> subprocess.Popen:
    """Start the tool as a process of its own."""
    return subprocess.Popen(
        [sys.executable, f'{ROOT}/tools/sweep.py', *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, 'OMP_NUM_THREADS': '1'},
    )


def make_sweep(folder: Path, pruner: optuna.pruners.BasePruner | None = None, options: tuple[str, ...] = ()) -> Sweep:
    """A sweep of one trial that looks at its child five times a second."""
    study = open_study(folder)
    study.pruner = pruner or optuna.pruners.NopPruner()
    cfg = load_config('tune.py', parse_options(options))
    return Sweep(
        study,
        'tune.py',
        cfg,
        list(options),
        space_module.read_space('space.py', cfg),
        Path('runs'),
        1,
        train=Path('stub.py'),
        poll_s=0.2,
    )


def open_study(folder: Path, **changes) -> optuna.Study:
    """The study of `folder`, made where it is missing."""
    arguments = dict(url=f'sqlite:///{folder}/sweep.db', name='one', origin={}, seed=0, pruner='none', heartbeat_s=10)
    return study_module.open_study(**{**arguments, **changes})


def finished_study(storage: str = 'sqlite:///sweep.db') -> optuna.Study:
    """The study that the tool has written."""
    return optuna.load_study(study_name=None, storage=storage)


def starts(run: Path) -> list[str]:
    return (run / 'starts.txt').read_text().splitlines()


# The space


def test_values_become_options_that_read_back_as_the_same_values():
    """Text goes as it is, so that a choice may be text for a tuple."""
    values = {'a.lr': 0.1, 'a.n': 3, 'a.flag': True, 'a.none': None, 'a.type': 'AdamW', 'a.scale': '(384, 256)'}
    options = space_module.to_options(values)
    assert options == ['a.lr=0.1', 'a.n=3', 'a.flag=True', 'a.none=None', 'a.type=AdamW', 'a.scale=(384, 256)']
    assert parse_options(options) == {**values, 'a.scale': (384, 256)}


def test_a_suggestion_has_one_value_of_the_right_type_for_every_key():
    trial = optuna.trial.FixedTrial({'a': 0.5, 'b': 2, 'c': 'x'})
    space = {
        'a': dict(type='float', low=0.1, high=1.0, log=True),
        'b': dict(type='int', low=1, high=3),
        'c': dict(type='categorical', choices=['x', 'y']),
    }
    assert space_module.suggest(trial, space) == {'a': 0.5, 'b': 2, 'c': 'x'}
    assert all('type' in distribution for distribution in space.values()), 'the space itself stays'


@pytest.mark.parametrize(
    ('space', 'complaint'),
    [
        (
            "{'learning_rate': dict(type='float', low=0, high=1)}",
            "the config has no 'learning_rate': no such top-level",
        ),
        ("{'train_cfg.epochs': dict(type='int', low=1, high=2)}", "no 'epochs': train_cfg has max_epochs"),
        ("{'lr.x': dict(type='int', low=1, high=2)}", "no 'x': lr has the value 0.1"),
        ("{'lr': dict(type='gauss', low=0, high=1)}", "lr: unknown type 'gauss'; there are float, int, categorical"),
        ("{'lr': dict(low=0, high=1)}", 'lr: expected a dict with a type'),
        ("{'lr': dict(type='float', low=2, high=1)}", 'is no float distribution: '),
        ("{'lr': dict(type='float', low=0, hihg=1)}", 'is no float distribution: '),
        ("{'lr': dict(type='categorical', choices=[[1, 2]])}", 'choice [1, 2]: expected a number'),
        ('{}', "expected space = {'a.config.key'"),
    ],
)
def test_a_space_that_does_not_fit_is_one_line_with_its_key(
    folder: Path, capsys: pytest.CaptureFixture, space: str, complaint: str
):
    (folder / 'space.py').write_text(f'space = {space}\n')
    assert complaint in run_and_fail(capsys, command(1))
    assert not (folder / 'work_dirs').exists(), 'nothing was begun'


def run_and_fail(capsys: pytest.CaptureFixture, arguments: list[str]) -> str:
    """Run the tool, which must exit with status 2 and one line on stderr; return the line."""
    with pytest.raises(SystemExit) as exit_:
        sweep_tool.main(arguments)
    assert exit_.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith('sweep: ')]
    return line


def test_a_key_may_name_an_item_of_a_list():
    cfg = dict(hooks=[dict(type='A', n=1), dict(type='B', n=2)])
    assert space_module.value_at(cfg, 'hooks.1.n') == 2
    with pytest.raises(ValueError, match="no '2': hooks has 2 items"):
        space_module.value_at(cfg, 'hooks.2.n')


@pytest.mark.parametrize('config', ['quickstart', 'maskrcnn_r50_lossw'])
def test_the_shipped_space_fits_the_shipped_configs(config: str):
    space = space_module.read_space(
        f'{ROOT}/configs/spaces/loss_weights.py', load_config(f'{ROOT}/configs/fashion/{config}.py')
    )
    assert sum(key.endswith('loss_weight') for key in space) == 5
    assert len(space) == 8


def test_names_are_as_short_as_tells_them_apart():
    """Two last parts of the first two are the same, three are not."""
    assert space_module.short_names(['m.rpn.loss_cls.w', 'm.roi.loss_cls.w', 'lr']) == {
        'm.rpn.loss_cls.w': 'rpn.loss_cls.w',
        'm.roi.loss_cls.w': 'roi.loss_cls.w',
        'lr': 'lr',
    }


def test_the_overlay_is_the_config_with_the_options_and_names_only_what_changes(tmp_path: Path):
    """Three epochs instead of five also shorten the cosine: the overlay has the schedules as options stretch them."""
    config = f'{ROOT}/configs/fashion/quickstart.py'
    options = ['train_cfg.max_epochs=3', 'optim_wrapper.optimizer.lr=0.02']
    space_module.write_overlay(tmp_path / 'best.py', config, options, 'A claim.')
    best = load_config(str(tmp_path / 'best.py'))
    assert best.to_dict() == load_config(config, parse_options(options)).to_dict()
    assert best.param_scheduler[1].T_max == 3
    text = (tmp_path / 'best.py').read_text()
    assert text.startswith('"""A claim.\n')
    assert 'loss_weight' not in text
    assert 'lr=0.02' in text


# The study


def test_every_trial_has_a_generator_of_its_own_and_a_restart_goes_on_as_if_nothing_had_happened(folder: Path):
    """Values of three trials in one go, and of one and two after opening the study again; no value comes twice."""

    def draw(name: str, counts: list[int]) -> list[float]:
        for count in counts:
            study = open_study(folder, name=name)
            study.optimize(lambda trial: trial.suggest_float('lr', 0.0, 1.0), n_trials=count)
        return [trial.params['lr'] for trial in study.trials]

    at_once = draw('at_once', [3])
    assert draw('in_two', [1, 2]) == at_once
    assert len(set(at_once)) == 3


def test_a_trial_queued_again_stands_for_its_first_run_and_is_no_surplus(folder: Path):
    """Trial 0 failed and is queued as 1; trial 2 is the second that counts, trial 3 one too many."""
    study = open_study(folder)
    study.ask()
    study.tell(0, state=TrialState.FAIL)
    study_module.requeue(study, study.trials[0])
    assert {number: trial.state for number, trial in study_module.trials_by_root(study).items()} == {
        0: TrialState.WAITING
    }
    assert [study.ask().number for _ in range(3)] == [1, 2, 3]
    assert list(study_module.trials_by_root(study)) == [0, 2, 3]
    assert [study_module.is_surplus(study, trial, 2) for trial in study.trials[1:]] == [False, False, True]


def test_a_trial_that_died_before_its_first_heartbeat_does_not_block_the_study(folder: Path):
    """Nothing but `ask` has happened to trial 0; after the six silent heartbeats it has failed, not before."""
    study = open_study(folder)
    study.ask()
    study_module.fail_lost_trials(study, heartbeat_s=100)
    assert study.trials[0].state == TrialState.RUNNING
    time.sleep(0.1)
    study_module.fail_lost_trials(study, heartbeat_s=0)
    assert study.trials[0].state == TrialState.FAIL


def test_a_study_refuses_another_space(folder: Path, capsys: pytest.CaptureFixture):
    assert sweep_tool.main(command(1)) == 0
    (folder / 'space.py').write_text(SPACE.replace('0.01', '0.02'))
    assert 'was begun with another space; choose another --study' in run_and_fail(capsys, command(2))


def test_a_database_that_cannot_be_opened_is_one_line(folder: Path, capsys: pytest.CaptureFixture):
    (folder / 'file').touch()
    assert '--storage sqlite:///file/sweep.db: ' in run_and_fail(
        capsys, [*command(1), '--storage', 'sqlite:///file/sweep.db']
    )
    assert '--storage nonsense: ' in run_and_fail(capsys, [*command(1), '--storage', 'nonsense'])


@pytest.mark.parametrize('option', ['--trials', '--heartbeat-s'])
def test_a_number_below_one_is_one_line(option: str, capsys: pytest.CaptureFixture):
    with pytest.raises(SystemExit) as exit_:
        sweep_tool.main(['config.py', '--space', 'space.py', '--trials', '2', option, '0'])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f'sweep: argument {option}: 0: must be a whole number, at least 1\n'


def test_without_optuna_the_tool_says_how_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, 'optuna', None)
    assert 'pip install -e .[sweep]' in run_and_fail(capsys, command(1))


# A trial


def test_trust_reaches_every_training():
    for trust in (True, False):
        made = trial_module.train_command('c.py', Path('run'), ['lr=1'], resume=True, trust=trust)
        assert made[2:] == ['c.py', '--work-dir', 'run', '--resume', *['--trust'] * trust, '--cfg-options', 'lr=1']


def test_the_best_config_does_not_overwrite_the_one_it_is_based_on(folder: Path, capsys: pytest.CaptureFixture):
    """A sweep from the best of another, in the same folder."""
    (folder / 'tune.py').rename(folder / 'best.py')
    arguments = ['best.py', *command(1)[1:], '--work-dir', '.']
    assert 'best.py: is one of the files to read' in run_and_fail(capsys, arguments)
    assert (folder / 'best.py').read_text() == CONFIG


def test_scores_are_read_across_a_resume_and_past_a_cut_off_line(tmp_path: Path):
    """The first start validated epochs 1 and 2 and was cut off in the line of 3; the second went on from epoch 2."""
    for name, text in (
        (
            '20260101_000000',
            '{"loss": 9.0, "epoch": 1, "step": 5}\n{"fashion/score": 0.1, "step": 1}\n'
            '{"fashion/score": 0.2, "step": 2}\n{"fashion/sc',
        ),
        ('20260101_000100', '{"loss": 8.0, "epoch": 3, "step": 15}\n{"fashion/score": 0.3, "step": 3}\n'),
    ):
        (tmp_path / name / 'vis_data').mkdir(parents=True)
        (tmp_path / name / 'vis_data' / 'scalars.json').write_text(text)
    assert trial_module.read_scores(tmp_path) == {1: 0.1, 2: 0.2, 3: 0.3}


def test_a_child_deaf_to_sigterm_is_killed(tmp_path: Path):
    deaf = 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print("deaf"); time.sleep(300)'
    process = subprocess.Popen([sys.executable, '-uc', deaf], start_new_session=True, stdout=subprocess.PIPE)
    process.stdout.readline()
    trial_module.stop(process, patience_s=0.5)
    process.stdout.close()
    assert process.returncode == -signal.SIGKILL


def test_the_error_of_a_child_is_its_one_line_error_or_its_tracebacks_last_line_or_its_signal(tmp_path: Path):
    def error_of(code: str) -> str:
        with trial_module.running([sys.executable, '-c', textwrap.dedent(code)], tmp_path) as process:
            process.wait(PATIENCE_S)
        with pytest.raises(trial_module.TrainingFailed) as error:
            trial_module.check_ended_well(process, tmp_path)
        return str(error.value)

    assert error_of('import sys; print("x\\ntrain: no photo\\nbye", file=sys.stderr); sys.exit(2)') == 'train: no photo'
    assert error_of('1 / 0') == 'ZeroDivisionError: division by zero'
    assert error_of('import os, signal; os.kill(os.getpid(), signal.SIGKILL)') == 'ended by SIGKILL'
    assert error_of('raise SystemExit(3)') == 'exit status 3'


# The loop, with the stand-in


def test_a_sweep_runs_the_wanted_trials_and_the_same_command_repeats_none(folder: Path, capsys: pytest.CaptureFixture):
    """The score is the best of the epochs, the third: three times the rate."""
    assert sweep_tool.main(command(2)) == 0
    assert sweep_tool.main(command(2)) == 0
    assert sweep_tool.main(command(3)) == 0
    trials = finished_study().trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 3
    for trial in trials:
        assert trial.value == pytest.approx(3 * trial.params['lr'])
        assert starts(folder / f'work_dirs/tune_space/trial_{trial.number:04d}') == ['resume=False done=0']
    best = max(trials, key=lambda trial: trial.value)
    assert load_config('work_dirs/tune_space/best.py').lr == best.params['lr']
    output = capsys.readouterr().out
    assert f'--cfg-options lr={best.params["lr"]!r}' in output
    assert f'trial 0: score {trials[0].value:.4f}; best {trials[0].value:.4f}, trial 0 [1/2]' in output


def test_options_reach_every_trial_and_the_best_config_and_may_not_set_what_the_space_varies(
    folder: Path, capsys: pytest.CaptureFixture
):
    assert sweep_tool.main(command(1, 'train_cfg.max_epochs=7')) == 0
    assert load_config('work_dirs/tune_space/best.py').train_cfg.max_epochs == 7
    assert '--cfg-options lr: space.py varies it' in run_and_fail(capsys, command(1, 'lr=1'))


def test_the_pruner_stops_a_training_and_its_process(folder: Path):
    """Every score is under 5, so the first, of epoch 1, ends the trial; the child would hang for minutes."""
    sweep = make_sweep(folder, optuna.pruners.ThresholdPruner(lower=5.0), ('stub.hang_after=1',))
    sweep.run()
    (trial,) = sweep.study.trials
    assert trial.state == TrialState.PRUNED
    assert trial.last_step == 1
    assert not is_running(int(Path('runs/trial_0000/pid').read_text()))
    with pytest.raises(ValueError, match='no trial was completed'):
        save_best(sweep.study, 'tune.py', sweep.cfg, [], Path('runs'))


def test_the_last_epochs_score_stops_nothing(folder: Path):
    """Pruned at the end, a whole training would be lost: the child lingers for a second after its last score."""
    options = ('stub.hang_after=3', 'stub.hang_s=1')
    sweep = make_sweep(folder, optuna.pruners.ThresholdPruner(lower=5.0, n_warmup_steps=3), options)
    sweep.run()
    assert [trial.state for trial in sweep.study.trials] == [TrialState.COMPLETE]


def test_failing_trainings_show_their_error_and_three_in_a_row_end_the_sweep(
    folder: Path, capsys: pytest.CaptureFixture
):
    line = run_and_fail(capsys, command(9, 'stub.fail=True'))
    assert line == 'sweep: 3 trainings failed in a row; the last: train: no such photo'
    assert [trial.state for trial in finished_study().trials] == [TrialState.FAIL] * 3


def test_a_training_without_a_score_has_failed(folder: Path, capsys: pytest.CaptureFixture):
    assert 'no trial was completed' in run_and_fail(capsys, command(1, 'stub.silent=True'))
    assert [trial.state for trial in finished_study().trials] == [TrialState.FAIL]


def test_a_folder_of_another_study_is_refused(folder: Path, capsys: pytest.CaptureFixture):
    (folder / 'work_dirs/tune_space/trial_0000').mkdir(parents=True)
    assert 'trial_0000: not of study tune_space' in run_and_fail(capsys, command(1))


def test_no_trial_begins_after_the_timeout(folder: Path, capsys: pytest.CaptureFixture):
    assert 'no trial was completed' in run_and_fail(capsys, [*command(1), '--timeout-min', '0'])
    assert finished_study().trials == []


def test_a_trial_that_another_sweep_took_over_is_left_to_it(folder: Path, capsys: pytest.CaptureFixture):
    """As after a machine's long sleep: the trial is failed from outside while it runs; its child must end."""
    sweep = make_sweep(folder, options=('stub.hang_after=1',))

    def take_over() -> None:
        wait_until(lambda: Path('runs/trial_0000/pid').is_file(), 'the child has started')
        open_study(folder).tell(0, state=TrialState.FAIL)

    thread = threading.Thread(target=take_over)
    thread.start()
    sweep.run()
    thread.join()
    assert 'trial 0: taken over by another sweep' in capsys.readouterr().out
    assert not is_running(int(Path('runs/trial_0000/pid').read_text()))


@pytest.mark.slow
@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_after_a_signal_no_child_runs_and_the_same_command_resumes_the_trial_in_its_folder(folder: Path, number: int):
    """Killed outright, the sweep cannot queue its trial again: six silent heartbeats tell the next one."""
    run = Path('work_dirs/tune_space/trial_0000')
    arguments = command(2, 'stub.hang_after=2', heartbeat_s=1)
    with start(arguments) as process:
        wait_until(lambda: len(trial_module.read_scores(run)) == 2, 'the child has written two scores')
        child = int((run / 'pid').read_text())
        assert is_running(child)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == (128 + number if number == signal.SIGTERM else -number)
    wait_until(lambda: not is_running(child), 'the child has ended')

    (folder / 'stub.py').write_text(STUB.format(root=str(ROOT)).replace('time.sleep', 'float'))  # no more hanging
    assert sweep_tool.main(arguments) == 0

    assert starts(run) == ['resume=False done=0', 'resume=True done=2']
    ended = study_module.trials_by_root(finished_study())
    assert [trial.state for trial in ended.values()] == [TrialState.COMPLETE] * 2
    assert len(list(Path('work_dirs/tune_space').glob('trial_*'))) == 2
    assert ended[0].value == pytest.approx(3 * ended[0].params['lr'])


@pytest.mark.slow
def test_two_sweeps_share_one_storage(folder: Path):
    """Five trials among two processes that begin at the same moment, with no table yet: each is run once.

    The first trial ends only when the other process has begun one, however much later that one starts.
    """
    storage = 'sqlite:///new/sweep.db'
    arguments = [*command(5, 'stub.together=2'), '--storage', storage]
    processes = [start(arguments) for _ in range(2)]
    outputs = [process.communicate(timeout=PATIENCE_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    ended = study_module.trials_by_root(finished_study(storage))
    assert [trial.state for trial in ended.values()] == [TrialState.COMPLETE] * 5
    runs = sorted(Path('work_dirs/tune_space').glob('trial_*'))
    assert [starts(run) for run in runs] == [['resume=False done=0']] * 5
    assert len({trial.params['lr'] for trial in ended.values()}) == 5
    assert all('score' in output for output, _ in outputs), 'both have worked'


@pytest.mark.slow
def test_a_sweep_of_a_real_training(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """A trial of one iteration, as tools/compare_runs.py reads it; the best one's overlay is a config."""
    monkeypatch.setenv('PYTHONPATH', f'{ROOT}{os.pathsep}{ROOT}/tests')
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    (tmp_path / 'space.py').write_text(
        "space = {'model.roi_head.bbox_head.fc_out_channels': dict(type='categorical', choices=[32, 64])}\n"
    )
    assert (
        sweep_tool.main(
            [
                str(tiny_config),
                '--space',
                f'{tmp_path}/space.py',
                '--trials',
                '1',
                '--work-dir',
                f'{tmp_path}/runs',
                '--storage',
                f'sqlite:///{tmp_path}/sweep.db',
                '--cfg-options',
                'train_cfg.max_epochs=1',
                'train_cfg.val_interval=1',
                'train_dataloader.dataset.num_images=2',
            ]
        )
        == 0
    )
    study = finished_study(f'sqlite:///{tmp_path}/sweep.db')
    (trial,) = study.trials
    run = tmp_path / f'runs/trial_{trial.number:04d}'
    assert trial_module.read_scores(run) == {1: trial.value}
    width = load_config(str(run / 'tiny.py')).model.roi_head.bbox_head.fc_out_channels
    assert width == trial.params['model.roi_head.bbox_head.fc_out_channels']
    assert (run / 'epoch_1.pth').is_file()
    assert load_config(f'{tmp_path}/runs/best.py').train_cfg.max_epochs == 1
