"""Trackers besides TensorBoard: what configs/README.md shows for MLflow arrives in MLflow's own store."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tools import train

mlflow = pytest.importorskip('mlflow')

CONFIG = """
_base_ = '{base}'
{snippet}
train_cfg = dict(max_epochs=1, val_interval=1)
train_dataloader = dict(dataset=dict(num_images=4))
"""


def read_snippet() -> str:
    """Take the MLflow example out of configs/README.md."""
    text = (ROOT / 'configs/README.md').read_text().split('## Trackers')[1]
    return text.split('```python')[1].split('```')[0]


@pytest.mark.slow
def test_mlflow_has_curves_settings_and_files_of_a_run(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Four images in batches of two: the loss of iterations 1 and 2, the score of epoch 1."""
    monkeypatch.chdir(tmp_path)
    Path('work_dirs').mkdir()
    Path('tracked.py').write_text(CONFIG.format(base=tiny_config, snippet=read_snippet()))
    assert train.main(['tracked.py']) == 0

    client = mlflow.MlflowClient('sqlite:///work_dirs/mlflow.db')
    experiment = client.get_experiment_by_name('fashion')
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == 'FINISHED'
    assert [one.step for one in client.get_metric_history(run.info.run_id, 'loss')] == [1, 2]
    assert [one.step for one in client.get_metric_history(run.info.run_id, 'fashion/score')] == [1]
    assert run.data.params['train_cfg.max_epochs'] == '1'
    assert len(list(Path('work_dirs/mlflow').glob('*/artifacts/*/vis_data/scalars.json'))) == 1
    assert not Path('mlruns').exists()
    assert list(Path('work_dirs/tracked').glob('*/vis_data/events.out.tfevents.*')), 'TensorBoard stays'
