"""The benchmarks of the catalogue's parts, on small inputs."""

import numpy as np
import pytest

from fashion_mmdet.benchmarks import colours, vectors


def test_vectors_are_clustered_unit_and_the_same_every_time():
    """Near neighbours exist: the best cosine of another draw is far above that of random directions (about 0.3)."""
    drawn = vectors.draw_vectors(3000, 1)
    assert drawn.dtype == np.float16
    np.testing.assert_array_equal(drawn, vectors.draw_vectors(3000, 1))
    np.testing.assert_allclose(np.linalg.norm(drawn.astype(float), axis=1), 1, atol=2e-3)
    queries = vectors.draw_vectors(20, 2).astype(float)
    assert (queries @ drawn.astype(float).T).max(1).mean() > 0.5


@pytest.mark.slow
def test_every_store_finds_its_neighbours(monkeypatch: pytest.MonkeyPatch):
    """Exact stores find all, without and with the filter; a process each."""
    pytest.importorskip('duckdb')
    pytest.importorskip('faiss')
    exact = ('exact, numpy float32', 'FAISS SQfp16', 'VectorStore')
    monkeypatch.setattr(vectors, 'CONTENDERS', {name: vectors.CONTENDERS[name] for name in exact})
    (table,) = vectors.run(1, None, (1500,))
    assert [row[0] for row in table.rows] == list(exact)
    assert all(float(row[3]) > 0.97 and float(row[5]) > 0.97 for row in table.rows)


def test_colours_are_timed():
    (table,) = colours.run(1, None, (40, 60))
    assert [row[1] for row in table.rows] == ['ours, 2,000 pixels', 'ours, all pixels', 'scikit-learn, all pixels']
