"""The same figures again: from any number of processes, and from the same seed."""

import io
import json
import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import torch

from fashion_mmdet.evaluation import metrics
from fashion_mmdet.evaluation.dump import read_dump
from fashion_mmdet.evaluation.matching import ImageCounts, count_images
from fashion_mmdet.evaluation.predictions import Prediction, Truth
from tools import test as tool
from tools import train

SEVEN = [
    '--cfg-options',
    'postprocess.score_thr=0.02',
    'val_dataloader.dataset.split=all',
    'val_dataloader.dataset.num_images=7',
]


def run_rank(rank: int, ranks: int, port: int, argv: list[str], log: Path) -> None:
    """Test as one of several processes, as torchrun starts them; what it says goes to a file."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(ranks),
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
        TORCHELASTIC_USE_AGENT_STORE='True',
    )
    with log.open('w', buffering=1) as file, redirect_stdout(file), redirect_stderr(file):
        tool.main([*argv, '--launcher', 'pytorch'])


def find_every_second(truths: list[Truth], predictions: list[Prediction], match: str) -> list[ImageCounts]:
    """Count as if every second true object had been found, and nothing else: the tiny run finds none."""
    found = [
        Prediction(
            truth.image_id,
            truth.size,
            truth.categories[::2],
            np.ones(len(truth.masks[::2]), np.float32),
            truth.masks[::2],
        )
        for truth in truths
    ]
    return count_images(truths, found, match)


@pytest.fixture(scope='module')
def one_process(tiny_config: Path, tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of seven photos' scores and dump from one process; ranks forked meanwhile score alike."""
    folder = tmp_path_factory.mktemp('ranks')
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, 'count_images', find_every_second)
        with redirect_stdout(io.StringIO()):
            tool.main([str(tiny_config), str(tiny_run / 'epoch_2.pth'), '--work-dir', str(folder), *SEVEN])
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize('ranks', [2, 3, 4])
def test_any_number_of_ranks_gives_the_score_of_one_process(
    sample_root: Path, tiny_config: Path, tiny_run: Path, one_process: Path, tmp_path: Path, ranks: int
):
    """Seven photos divide by none of 2, 3, 4: some ranks test a photo a second time, which must not count.

    With every second of n objects found, a photo scores ceil(n / 2) / n.

    The ranks are forked from this process, which has everything imported; they meet at a store that this one keeps.
    """
    store = torch.distributed.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False)
    argv = [str(tiny_config), str(tiny_run / 'epoch_2.pth'), '--work-dir', str(tmp_path), *SEVEN]
    fork = multiprocessing.get_context('fork')
    processes = [
        fork.Process(target=run_rank, args=(rank, ranks, store.port, argv, tmp_path / f'{rank}.txt'))
        for rank in range(ranks)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * ranks, (tmp_path / '0.txt').read_text()[-3000:]
    scores = json.loads((tmp_path / 'val.json').read_text())
    assert scores == json.loads((one_process / 'val.json').read_text())
    alone, together = (list(read_dump(folder / 'val.parquet')) for folder in (one_process, tmp_path))
    objects = Counter(line.split(',')[0] for line in (sample_root / 'train.csv').read_text().splitlines())
    counts = [objects[raw.image_id] for raw in together]
    assert len(counts) == 7
    assert scores['fashion/score'] == pytest.approx(sum((n + 1) // 2 / n for n in counts) / 7)
    assert [raw.image_id for raw in alone] == [raw.image_id for raw in together]
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.mask_probs, other.mask_probs)


@pytest.mark.slow
def test_the_same_seed_trains_the_same_weights(tiny_config: Path, tmp_path: Path):
    """Flips, scales, crops and colours drawn in two workers: all tensors equal bit for bit."""
    config = tmp_path / 'drawn.py'
    config.write_text(f"""
_base_ = '{tiny_config}'
train_dataloader = dict(num_workers=2, dataset=dict(pipeline=dict(
    _delete_=True, load=dict(type='LoadScaled', scale=(192, 128), ratio_range=(0.8, 1.25)),
    crop=dict(type='RandomCrop', crop_size=(128, 192), recompute_bbox=True, allow_negative_crop=True),
    flip=dict(type='RandomFlip', prob=0.5), color=dict(type='PhotoMetricDistortion'),
    pack=dict(type='PackDetInputs'))))
train_cfg = dict(max_epochs=1, val_begin=2)
""")
    weights = []
    for name in ('first', 'second'):
        assert train.main([str(config), '--work-dir', str(tmp_path / name)]) == 0
        weights.append(torch.load(tmp_path / name / 'epoch_1.pth', weights_only=False)['state_dict'])
    first, second = weights
    assert (tmp_path / 'first' / 'batches.txt').read_text() == (tmp_path / 'second' / 'batches.txt').read_text()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
