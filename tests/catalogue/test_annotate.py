"""Photos into a catalogue: rows as the model gives them, one shard after the other, the same after a stop."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_mmdet.catalogue import annotate as job
from fashion_mmdet.catalogue.annotate import annotate
from fashion_mmdet.catalogue.annotator import Task
from fashion_mmdet.catalogue.embeddings import Projection, describe_masks, scale_masks
from fashion_mmdet.catalogue.inputs import Photos, open_photos
from fashion_mmdet.catalogue.schema import Catalogue, to_matrix
from fashion_mmdet.inference import load_model
from fashion_mmdet.utils.parallel import WorkerPool
from tests.conftest import run_here
from tools import annotate as tool
from tools import search

LOOSE = dict(score_thr={'default': 0.0}, max_per_image=3)


@pytest.fixture(scope='module')
def task(tiny_run: Path) -> Task:
    return Task(str(tiny_run), device='cpu', options=repr(LOOSE))


@pytest.fixture(scope='module')
def photos(sample_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """12 photos and one that is cut off, with a price each."""
    folder = tmp_path_factory.mktemp('shop')
    paths = sorted((sample_root / 'train').glob('*.jpg'))
    (folder / 'broken.jpg').write_bytes(paths[0].read_bytes()[:300])
    paths.insert(5, folder / 'broken.jpg')
    table = pa.table(dict(path=list(map(str, paths)), price=np.arange(13) / 2))
    pq.write_table(table, folder / 'list.parquet')
    return open_photos([str(folder / 'list.parquet')])


@pytest.fixture(scope='module')
def catalogue(photos: Photos, task: Task, tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    out = tmp_path_factory.mktemp('whole')
    annotate(photos, out, task, map, photos_a_shard=5)
    return Catalogue.open(out)


def rows_of(folder: Path) -> dict[str, list[dict]]:
    catalogue = Catalogue.open(folder)
    return {name: catalogue.dataset(name).to_table().to_pylist() for name in ('garments', 'photos', 'problems')}


def stop_after(calls: int) -> Callable:
    """Map as `map` does, and stop as Ctrl-C does after so many calls of a function."""

    def mapper(function: Callable, items: Iterable) -> Iterator:
        for number, item in enumerate(items):
            if number == calls:
                raise KeyboardInterrupt
            yield function(item)

    return mapper


def test_rows_are_what_the_model_finds_with_the_columns_of_the_input(catalogue: Catalogue, photos: Photos, task: Task):
    model = load_model(task.run, device='cpu', postprocess=LOOSE)
    rows = rows_of(catalogue.folder)
    assert len(rows['photos']) == 12
    assert sum(row['garments'] for row in rows['photos']) == len(rows['garments'])
    for row in rows['photos']:
        result = model.predict(row['image'])
        garments = [one for one in rows['garments'] if one['image'] == row['image']]
        assert (row['height'], row['width']) == (result.height, result.width) == (96, 64)
        assert [one['garment'] for one in garments] == list(range(len(result.garments)))
        for one, wanted in zip(garments, result.garments, strict=True):
            assert one['category'] == wanted.category
            assert one['score'] == pytest.approx(wanted.score, abs=1e-4)  # batches of other sizes round differently
            assert one['price'] == row['price']
            assert one['fingerprint'] == model.fingerprint
            assert sum(colour['share'] for colour in one['colours']) + 0.2 > 0.99  # small shares are left out
    (problem,) = rows['problems']
    assert problem['image'].endswith('broken.jpg')
    assert problem['price'] == 2.5
    assert 'cut off' in problem['problem']


def test_embeddings_are_those_of_the_masks_in_the_same_forward_pass(catalogue: Catalogue, task: Task):
    model = load_model(task.run, device='cpu', postprocess=LOOSE)
    projection = Projection.load(catalogue.folder / job.PROJECTION, model.fingerprint)
    table = catalogue.dataset().to_table()
    image = table['image'][0].as_py()
    rows = [index for index, name in enumerate(table['image'].to_pylist()) if name == image]
    prepared = model.prepare(image)
    ((_, features),) = model.infer_features([prepared])
    height, width = prepared['data_samples'].metainfo['img_shape'][:2]
    pixels = prepared['inputs'].numpy().transpose(1, 2, 0)[:height, :width]
    masks = scale_masks([table['mask'][row].as_py() for row in rows], (height, width))
    wanted = projection(describe_masks(pixels, masks, features.levels, features.size))
    np.testing.assert_allclose(to_matrix(table['embedding'])[rows].astype(float), wanted.astype(float), atol=0.02)


@pytest.mark.parametrize('calls', [1, 2])
def test_a_stopped_run_goes_on_to_the_same_rows_none_twice(
    catalogue: Catalogue, photos: Photos, task: Task, tmp_path: Path, calls: int
):
    """Shards of 5, 5 and 3 photos are a chunk each; stopped after so many chunks there are so many shards. The
    projection comes from the whole catalogue, so that no sample is mapped."""
    given = task._replace(projection=str(catalogue.folder / job.PROJECTION))
    with pytest.raises(KeyboardInterrupt):
        annotate(photos, tmp_path, given, stop_after(calls), photos_a_shard=5)
    assert len(list((tmp_path / 'garments').glob('*.parquet'))) == calls
    annotate(photos, tmp_path, given, map, photos_a_shard=5)
    assert rows_of(tmp_path) == rows_of(catalogue.folder)
    assert annotate(photos, tmp_path, given, map, photos_a_shard=5).photos == 0


def test_a_projection_beside_the_shipped_weights_is_for_their_model_alone(
    catalogue: Catalogue, photos: Photos, task: Task, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(job, 'SHIPPED_PROJECTION', catalogue.folder / job.PROJECTION)
    fingerprint = catalogue.plan.fingerprint
    found = job._find_projection(photos, tmp_path, task, fingerprint, stop_after(0))
    assert found.digest == Projection.load(catalogue.folder / job.PROJECTION).digest
    with pytest.raises(KeyboardInterrupt):  # a sample is asked for
        job._find_projection(photos, tmp_path / 'other', task, 'another model', stop_after(0))


@pytest.mark.slow
def test_two_processes_give_the_same_rows_as_one(catalogue: Catalogue, photos: Photos, task: Task, tmp_path: Path):
    with WorkerPool(2) as pool_:
        annotate(photos, tmp_path, task, pool_.map, photos_a_shard=5)
    assert rows_of(tmp_path) == rows_of(catalogue.folder)


@pytest.mark.slow
def test_ray_gives_the_same_rows(catalogue: Catalogue, photos: Photos, task: Task, tmp_path: Path):
    pytest.importorskip('ray.data')
    from fashion_mmdet.catalogue.mappers import open_mapper

    with open_mapper('local', 2, 'cpu') as mapper:
        annotate(photos, tmp_path, task, mapper, photos_a_shard=5)
    assert rows_of(tmp_path) == rows_of(catalogue.folder)


def test_another_model_or_other_options_are_another_catalogue(photos: Photos, task: Task, catalogue: Catalogue):
    with pytest.raises(ValueError, match='another settings is there'):
        annotate(photos, catalogue.folder, task._replace(options=repr(dict(score_thr=0.9))), map, photos_a_shard=5)


def test_a_place_that_cannot_be_reached_stops_the_run(task: Task, catalogue: Catalogue, tmp_path: Path):
    """Two paths that lead nowhere are no broken photos; nothing is written of that shard."""
    photos = Photos(pa.table(dict(image=['/nowhere/a.jpg', '/nowhere/b.jpg'])))
    given = task._replace(projection=str(catalogue.folder / job.PROJECTION))
    with pytest.raises(ValueError, match=r'none of 2 photos in a row can be reached; the first: /nowhere/a\.jpg'):
        annotate(photos, tmp_path, given, map)
    assert Catalogue.open(tmp_path).missing_shards() == [0]


def test_the_tool_says_what_it_did_and_goes_on_where_it_is_called_again(
    sample_root: Path, tiny_run: Path, tmp_path: Path
):
    command = [sample_root / 'test', '--out', tmp_path / 'c', '--model', tiny_run, '--workers', 1, '--device', 'cpu']
    options = ['--options', 'score_thr=0.0', 'max_per_image=2']
    command += options
    done = run_here(tool.main, *command)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith('4 photos, ')
    assert run_here(tool.main, *command).stdout.startswith('0 photos, 0 garments, 0 not read')
    assert run_here(search.main, 'build', tmp_path / 'c').returncode == 0
    asked = ['query', tmp_path / 'c', sample_root / 'test/sample_test_000001.jpg', '--model', tiny_run, '-k', 1]
    done = run_here(search.main, *asked, '--garment', 0, '--json', '--device', 'cpu', *options)
    ((answer,),) = (one['found'] for one in json.loads(done.stdout))
    assert answer['image'].endswith('sample_test_000001.jpg')
    assert answer['similarity'] == pytest.approx(1, abs=0.01)
    done = run_here(tool.main, tmp_path / 'none', '--out', tmp_path / 'd')
    assert done.returncode == 2
    assert done.stderr.count('\n') == 1
