"""The benchmarks of the index at toy size."""

import os
import subprocess
import sys

import numpy as np
import pytest

from fashion_mmdet.benchmarks import competition_csv, index, memory, workers
from fashion_mmdet.datasets.records import read_records


def test_the_csv_has_the_rows_images_and_run_lengths_that_it_should(tmp_path):
    """331,213 rows in 45,625 images: 700 rows in 96; a mask has about 230 runs, and nothing for the audit."""
    assert competition_csv.write_csv(tmp_path / 'train.csv', rows=700) == 96
    records, audit = read_records(tmp_path / 'train.csv')
    assert audit.report() == ''
    assert (len(records), sum(len(record.instances) for record in records)) == (96, 700)
    text = (tmp_path / 'train.csv').read_text().splitlines()
    assert len(text) == 701
    runs = [len(line.split(',')[1].split()) / 2 for line in text[1:]]
    assert np.mean(runs) == pytest.approx(competition_csv.MEAN_RUNS, rel=0.15)


def test_a_process_counts_with_its_children_and_shared_pages_once():
    """Two children that inherited 64 MB hold them together with this process once, not thrice."""
    block = np.ones(8 << 20)
    before = memory.shared_out_bytes([os.getpid()])
    read_end, write_end = os.pipe()
    children = []
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os.read(read_end, 1)
            os._exit(0)
        children.append(child)
    try:
        assert set(children) <= set(memory.family(os.getpid()))
        together = memory.shared_out_bytes([os.getpid(), *children])
    finally:
        os.write(write_end, b'xx')
        for child in children:
            os.waitpid(child, 0)
        os.close(read_end)
        os.close(write_end)
    assert block.nbytes == 64 << 20
    assert together < before + block.nbytes / 2


@pytest.mark.slow
def test_the_index_is_opened_parsed_and_built(monkeypatch):
    monkeypatch.setattr(index, 'FRACTION', 2)
    (table,) = index.run(rounds=1, rows=60)
    assert [row[0] for row in table.rows] == ['start, index there', 'parse row by row', 'build the index']
    assert all(len(row) == len(table.header) for row in table.rows)
    assert '60 rows, 8 images' in table.note


@pytest.mark.slow
def test_readers_of_every_kind_are_measured(monkeypatch):
    """All forked here: starting Python six times would take longer than the test."""
    monkeypatch.setattr(workers, 'COUNTS', (1, 2))
    monkeypatch.setattr(workers, 'KINDS', {'forked worker': 'fork', 'spawned worker': 'fork', 'rank': 'fork'})
    (table,) = workers.run(rounds=1, rows=60)
    assert [row[:2] for row in table.rows] == [(kind, count) for kind in workers.KINDS for count in '12']
    assert [row[-1] for row in table.rows[::2]] == ['-'] * 3
    assert all(row[-1].endswith('%') for row in table.rows[1::2])


def test_the_index_opens_without_torch():
    code = (
        'import sys; import fashion_mmdet.datasets.index_store, fashion_mmdet.datasets.image_list; '
        'sys.exit("torch" in sys.modules)'
    )
    assert (
        subprocess.run(
            [sys.executable, '-c', code], env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)}, check=False
        ).returncode
        == 0
    )
