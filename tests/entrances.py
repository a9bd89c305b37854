"""The entrances of the package, each with the inputs that a stranger may bring and what must hold for any of them.

An entrance is a strategy of hypothesis and a check. A check lets ValueError and OSError pass, as the tools do (one line
for a person); any other exception is a defect, and so is an answer that breaks the entrance's own rule.
"""

import contextlib
import csv
import functools
import importlib.util
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import safetensors.torch
import torch
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from fashion_mmdet.config import parse_options
from fashion_mmdet.converters.interchange.formats import READERS, WRITERS
from fashion_mmdet.converters.interchange.intake import Intake
from fashion_mmdet.datasets.decoding import decode_whole
from fashion_mmdet.datasets.images import find_problem, read_size
from fashion_mmdet.datasets.index import Index
from fashion_mmdet.datasets.index_build import build_index
from fashion_mmdet.datasets.records import Instance, Record, read_records
from fashion_mmdet.datasets.targets import read_targets
from fashion_mmdet.evaluation.dump import DumpWriter, read_dump, read_info
from fashion_mmdet.evaluation.matching import count_image
from fashion_mmdet.evaluation.merge import Merge
from fashion_mmdet.evaluation.postprocess import OVERLAPS, Postprocess, postprocess
from fashion_mmdet.evaluation.predictions import Prediction, RawPrediction, Truth, check_raw
from fashion_mmdet.evaluation.submission import find_problems, read_predictions
from fashion_mmdet.experiments.checkpoints import load_file
from fashion_mmdet.experiments.record import read_record
from fashion_mmdet.experiments.train_log import read_log
from fashion_mmdet.masks import rle
from fashion_mmdet.masks.transform import nearest_source
from fashion_mmdet.utils.literals import read_assignment

TOLD = (ValueError, OSError)  # what a tool turns into one line


@dataclass(frozen=True)
class Entrance:
    """Where foreign input comes in: a name, the inputs to try, and what must hold for each."""

    name: str
    inputs: st.SearchStrategy
    check: Callable[[object], None]


@contextlib.contextmanager
def written(content: bytes, name: str) -> Iterator[Path]:
    """Give a file of that content for the time of a check."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        yield path


def damaged(contents: st.SearchStrategy) -> st.SearchStrategy:
    """Cut, overwrite, repeat or leave alone some bytes of each content."""

    def damage(content: bytes, cuts: list[tuple[str, float, bytes]]) -> bytes:
        for kind, place, piece in cuts:
            at = int(place * len(content))
            if kind == 'cut':
                content = content[:at]
            elif kind == 'overwrite':
                content = content[:at] + piece + content[at + len(piece) :]
            else:
                content = content[:at] + piece + content[at:]
        return content

    cut = st.tuples(
        st.sampled_from(['cut', 'overwrite', 'overwrite', 'insert']), st.floats(0, 1), st.binary(min_size=1, max_size=8)
    )
    return st.builds(damage, contents, st.lists(cut, max_size=3))


# Tables: rows that are nearly right, so that they come past the first check.
numbers = st.one_of(st.integers(-2, 40), st.sampled_from([0, 2**31, 2**63, 10**12, 999_999_999])).map(str)
texts = st.text(max_size=6)
runs = st.one_of(
    st.lists(st.integers(1, 9), max_size=12).map(
        lambda steps: ' '.join(
            f'{start} {length}' for start, length in zip(np.cumsum([1, *steps])[::2], steps[1::2], strict=False)
        )
    ),
    st.lists(numbers, max_size=8).map(' '.join),
    texts,
)
class_ids = st.one_of(
    st.integers(0, 50).map(str),
    st.lists(st.integers(0, 99), min_size=1, max_size=4).map(lambda ids: '_'.join(map(str, ids))),
    st.sampled_from(['6.0', ' 6', '-1', '', '06', '6_', '\u0665']),
    texts,
)
image_ids = st.one_of(st.sampled_from(['a.jpg', 'b.jpg', 'a', 'A.JPG', '../x.jpg', '/etc/passwd', '']), texts)
heights = st.one_of(st.just('7'), st.just('7'), numbers, texts)


def tables(header: tuple[str, ...], *columns: st.SearchStrategy) -> st.SearchStrategy:
    """Write CSV files with that header, some of them damaged."""

    def write(rows: list[tuple[str, ...]]) -> bytes:
        file = io.StringIO()
        csv.writer(file).writerows([header, *rows])
        return file.getvalue().encode('utf-8', 'surrogatepass')

    whole = st.lists(st.tuples(*columns), max_size=6).map(write)
    return st.one_of(whole, damaged(whole))


def check_train_csv(content: bytes) -> None:
    """Rows that are kept lie within their image; the index holds what the records hold."""
    with written(content, 'train.csv') as path:
        try:
            records, _ = read_records(path)
        except TOLD:
            return
        for record in records:
            assert record.instances
            for instance in record.instances:
                assert instance.mask['size'] == [record.height, record.width]
                assert 0 <= instance.category < 46
                if record.height * record.width < 10**6:
                    assert coco_mask.area(instance.mask) > 0


def check_index(content: bytes) -> None:
    """The index of a CSV holds what the records hold, or both refuse."""
    with written(content, 'train.csv') as path:
        try:
            records, audit = read_records(path)
        except TOLD:
            records = None
        try:
            build_index(path, path.with_suffix('.arrow'), workers=1)
            index = Index.open(path.with_suffix('.arrow'), path)
        except TOLD:
            assert records is None
            return
        assert records is not None
        kept = [index.record(position) for position in range(len(index))]
        assert [record for record in kept if record.instances] == records
        assert index.audit.counts == audit.counts


def check_submission(content: bytes) -> None:
    """What is found valid can be read, and its masks keep apart within a ClassId."""
    with written(content, 'submission.csv') as path:
        try:
            problems = list(find_problems(path, size=(7, 7)))
        except TOLD:
            return
        assert all(len(problem.splitlines()) == 1 for problem in problems)
        if problems:
            return
        for prediction in read_predictions(path, size=(7, 7)).values():
            masks = coco_mask.decode(prediction.masks) if prediction.masks else np.zeros((7, 7, 0))
            for key in set(zip(prediction.categories.tolist(), prediction.attributes, strict=True)):
                same = [
                    number
                    for number, other in enumerate(
                        zip(prediction.categories.tolist(), prediction.attributes, strict=True)
                    )
                    if other == key
                ]
                assert masks[..., same].sum(axis=-1).max(initial=0) <= 1


bitmaps = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32 - 1), st.floats(0, 1)).map(
    lambda drawn: np.random.default_rng(drawn[2]).random(drawn[:2]) < drawn[3]
)


def check_bitmap(mask: np.ndarray) -> None:
    """Every form of a mask gives the mask back; pycocotools reads ours and we read its."""
    height, width = mask.shape
    found = rle.mask_to_runs(mask)
    np.testing.assert_array_equal(rle.runs_to_mask(rle.kaggle_to_runs(rle.runs_to_kaggle(found)), height, width), mask)
    ours = rle.runs_to_coco(found, height, width)
    np.testing.assert_array_equal(coco_mask.decode(ours), mask)
    theirs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(rle.runs_to_mask(rle.coco_to_runs(theirs), height, width), mask)
    for new_size in ((1, 1), (5, 9), (2 * height, 3 * width)):
        rows, columns = (nearest_source(old, new) for old, new in zip(mask.shape, new_size, strict=True))
        np.testing.assert_array_equal(
            rle.runs_to_mask(rle.resize(found, mask.shape, new_size), *new_size), mask[np.ix_(rows, columns)]
        )


coco_counts = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=12),
    st.lists(st.integers(-5, 2**62), max_size=6),
    st.text('0123456789:;<=>?@ABCDEFPQRSTUVWXYZ[]^_`abcdefghijklmno', max_size=24),
)


def check_coco(drawn: tuple) -> None:
    """COCO RLE is read as pycocotools would read it, or refused."""
    counts, height, width = drawn
    with contextlib.suppress(*TOLD):
        starts, ends = rle.coco_to_runs({'size': [height, width], 'counts': counts})
        assert (starts < ends).all()
        assert starts.min(initial=0) >= 0
        assert ends.max(initial=0) <= height * width
    with contextlib.suppress(*TOLD):
        rle.stack_coco([{'size': [height, width], 'counts': counts}], height, width)


odd_floats = st.one_of(st.floats(width=32), st.floats(-50, 50, width=32), st.floats(0, 1, width=32))


@st.composite
def raw_predictions(draw: st.DrawFn) -> dict:
    """Draw the fields of a raw prediction; some hold what no sound model says."""
    count, side = draw(st.integers(0, 4)), draw(st.sampled_from([1, 2, 7, 28]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width = draw(
        st.one_of(
            st.tuples(st.integers(1, 40), st.integers(1, 40)), st.tuples(st.integers(-1, 10**6), st.integers(-1, 40))
        )
    )
    corners = rng.uniform(-10, 50, (count, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners.min(1), corners.max(1)], axis=1)
    scores, probs = rng.random(count, np.float32), rng.random((count, side, side)).astype(np.float16)
    categories = rng.integers(0, 46, count)
    for _ in range(draw(st.integers(0, 2))):
        if count:
            field = draw(st.sampled_from([boxes, scores, probs]))
            with np.errstate(over='ignore'):
                field.ravel()[draw(st.integers(0, field.size - 1))] = draw(odd_floats)
    if count and draw(st.booleans()) and draw(st.booleans()):
        categories[0] = draw(st.integers(-2, 200))
    return dict(
        image_id=draw(image_ids),
        height=height,
        width=width,
        categories=categories,
        scores=scores,
        boxes=boxes,
        mask_probs=probs,
    )


postprocess_options = st.fixed_dictionaries(
    dict(
        score_thr=st.floats(0, 1),
        nms_iou=st.none() | st.floats(0, 1),
        cross_class_iou=st.none() | st.floats(0, 1),
        mask_thr=st.floats(0, 1),
        mask_temperature=st.none() | st.floats(0.05, 20),
        overlap=st.sampled_from(OVERLAPS),
        min_area=st.integers(0, 50),
        max_per_image=st.none() | st.integers(0, 3),
    )
)


def check_postprocess(drawn: tuple) -> None:
    """Masks lie in the image, by descending score, above the area; none overlaps where that is promised."""
    fields, options = drawn
    try:
        raw = check_raw(RawPrediction(**fields))
        chosen = Postprocess(**options)
        prediction = postprocess(raw, chosen, (32, 24))
    except TOLD:
        return
    assert (np.diff(prediction.scores) <= 0).all()
    masks = coco_mask.decode(prediction.masks) if prediction.masks else np.zeros((32, 24, 0), np.uint8)
    assert masks.shape[:2] == (32, 24)
    assert (masks.sum((0, 1)) >= max(chosen.min_area, 1)).all()
    if chosen.overlap == 'all':
        assert masks.sum(axis=2).max(initial=0) <= 1


def _dump_bytes() -> bytes:
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'd.parquet'
        writer = DumpWriter(path, config='a = 1', checkpoint='x.pth')
        for number in range(3):
            writer.write(
                RawPrediction(
                    f'{number}.jpg',
                    20,
                    30,
                    np.arange(2),
                    np.array([0.9, 0.5], np.float32),
                    np.array([[1, 2, 9, 9]] * 2, np.float32),
                    rng.random((2, 7, 7)).astype(np.float16),
                )
            )
        writer.close()
        return path.read_bytes()


def _altered_dump(drawn: tuple) -> bytes:
    """Put a value into a column of a sound dump, drop or retype a column, or alter its metadata."""
    column, value, kind, meta = drawn
    table = pq.read_table(io.BytesIO(_DUMP))
    place = table.schema.get_field_index(column)
    if kind == 'drop':
        table = table.remove_column(place)
    elif kind == 'value':
        values = table.column(place).to_pylist()
        values[1] = value
        with contextlib.suppress(pa.ArrowException, OverflowError):
            table = table.set_column(place, column, pa.array(values, table.schema.field(place).type))
    elif kind == 'text':
        table = table.set_column(place, column, pa.array(['x'] * len(table)))
    else:
        table = table.replace_schema_metadata({b'fashion_mmdet': json.dumps(meta).encode()})
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


_DUMP = _dump_bytes()
json_keys = st.sampled_from(['config', 'checkpoint', 'images', 'a'])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(json_keys, inner, max_size=4),
    max_leaves=8,
)
dumps = st.one_of(
    damaged(st.just(_DUMP)),
    st.tuples(
        st.sampled_from(pq.read_schema(io.BytesIO(_DUMP)).names),
        st.one_of(st.none(), st.integers(-(2**15), 2**31), odd_floats, texts, st.binary(max_size=100)),
        st.sampled_from(['value', 'value', 'drop', 'text', 'meta']),
        json_values,
    ).map(_altered_dump),
)


def check_dump(content: bytes) -> None:
    """A dump is read into predictions that postprocessing takes, or refused."""
    with written(content, 'd.parquet') as path:
        try:
            info = read_info(path)
            raws = list(read_dump(path))
        except TOLD as error:
            if 'd.parquet' not in str(error):
                raise AssertionError('names no file') from error
            return
        assert len(raws) == len(info.images)
        for raw in raws:
            postprocess(raw, Postprocess(), (16, 16))


record_lines = st.one_of(
    st.dictionaries(
        st.sampled_from(['step', 'epoch', 'loss', 'fashion/score', 'targets', 'started', 'data', 'seed']),
        json_values,
        max_size=5,
    ).map(json.dumps),
    texts,
    json_values.map(json.dumps),
)
record_files = st.lists(record_lines, max_size=4).map(lambda lines: '\n'.join(lines).encode('utf-8', 'surrogatepass'))


def check_record(content: bytes) -> None:
    """What a run's folder says of itself is read, or refused with the file's name."""
    with written(content, 'run.json') as path:
        for read in (lambda: read_record(path.parent), lambda: read_log([path]), lambda: read_targets(path)):
            try:
                read()
            except TOLD as error:
                if 'run.json' not in str(error):
                    raise AssertionError('names no file') from error


def _checkpoints() -> list[bytes]:
    file, state = io.BytesIO(), dict(weight=torch.arange(6.0).view(2, 3), bias=torch.zeros(2))
    torch.save(dict(meta=dict(epoch=1, iter=3), state_dict=state), file)
    return [file.getvalue(), safetensors.torch.save(state, dict(classes='["a", "b"]'))]


def check_checkpoint(drawn: tuple[bytes, str]) -> None:
    """A checkpoint is loaded, or refused with the file's name."""
    content, name = drawn
    with written(content, name) as path:
        try:
            load_file(path)
        except TOLD as error:
            if name not in str(error):
                raise AssertionError('names no file') from error


option_keys = st.sampled_from(
    [
        'score_thr',
        'nms_iou',
        'mask_thr',
        'mask_temperature',
        'overlap',
        'min_area',
        'drop_categories',
        'x',
        '',
        'max_per_image',
        'attribute_thr',
        'attribute_policy',
        'filter',
        'rescorer',
        'cross_class_iou',
        'weights',
        'iou_thr',
    ]
)
option_texts = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            'None',
            'nan',
            'inf',
            '-1',
            '0.5',
            '0,5',
            '[1,2]',
            "{'default': 0.5, '3': 0.1}",
            '1.5',
            '[1, [2]]',
            'true',
            "'x'",
            '(0.1, 0.2)',
            '1e999',
            '[' * 50,
            '10**100',
            '{3: nan}',
            '__import__("os")',
        ]
    ),
)


def check_options(pairs: list[tuple[str, str]]) -> None:
    """Options are read, and taken by the postprocessing and the merging only where they make sense."""
    with contextlib.suppress(*TOLD):
        options = parse_options([f'{key}={text}' for key, text in pairs])
        for taker in (Postprocess, Merge):
            with contextlib.suppress(*TOLD):
                made = taker.from_config(options)
                if taker is Postprocess:
                    postprocess(_RAW, made, (16, 16))


_RAW = RawPrediction(
    'a.jpg',
    20,
    30,
    np.arange(2),
    np.array([0.9, 0.5], np.float32),
    np.array([[1, 2, 9, 9], [3, 3, 12, 12]], np.float32),
    np.full((2, 7, 7), 0.7, np.float16),
)


def check_assignment(text: str) -> None:
    """A value of a config's text is read without running the text."""
    with contextlib.suppress(*TOLD):
        read_assignment(text, 'a')


config_texts = st.one_of(
    texts,
    st.text('a=dict(1,)[]{}:\'"b \n', max_size=30),
    st.integers(1, 3000).map(lambda depth: 'a = ' + '[' * depth + ']' * depth),
)


def _photos() -> list[bytes]:
    photo = cv2.resize(np.random.default_rng(0).integers(0, 255, (4, 5, 3), np.uint8), (40, 32))
    return [cv2.imencode(suffix, photo)[1].tobytes() for suffix in ('.jpg', '.png', '.bmp', '.webp', '.tiff', '.jpg')]


def check_photo(content: bytes) -> None:
    """What the audit lets pass decodes, at the size that the audit read."""
    with written(content, 'a.jpg') as path:
        if find_problem(path) is None:
            assert decode_whole(content, str(path)).shape[:2] == read_size(path)


def _form(photo: bytes) -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="p"; filename="a"\r\n\r\n' + photo + b'\r\n--x--\r\n'


web_requests = st.tuples(
    st.sampled_from(['/v1/segment', '/v1/segment:batch']),
    st.one_of(
        damaged(st.sampled_from(_photos())),
        damaged(st.sampled_from([_form(photo) for photo in _photos()])),
        st.builds(_form, damaged(st.sampled_from(_photos()))),
    ),
    st.sampled_from(['image/jpeg', 'multipart/form-data; boundary=x', 'multipart/form-data; boundary=x', '', 'a/b;c=']),
    st.one_of(
        st.sampled_from(['', 'threshold=0.1', 'masks=polygon', 'cutouts=true', 'masks=polygon&cutouts=1&threshold=0']),
        st.text('thresoldmaks=&%.0123456789', max_size=20),
    ),
    st.integers(1, 400),
)


def check_request(drawn: tuple[str, bytes, str, str, int]) -> None:
    """Any request is answered, never by a defect, and a refusal in one line."""
    status, content = _request_service(*drawn)
    answer = json.loads(content)
    assert status < 500, answer
    if status >= 400:
        assert answer['status'] == status
        assert len(answer['detail'].splitlines()) == 1


@functools.cache
def _make_app() -> Any:
    from stand_in_model import StandInModel

    from fashion_mmdet.service.app import create_app
    from fashion_mmdet.service.segmenter import Segmenter
    from fashion_mmdet.service.settings import Settings

    settings = Settings(max_wait_s=0, max_pixels=10_000, max_bytes=20_000)
    app = create_app(Segmenter(StandInModel(), settings), settings)
    app.state.renew = lambda: Segmenter(StandInModel(), settings)
    return app


def _request_service(path: str, body: bytes, content_type: str, query: str, chunk: int) -> tuple[int, bytes]:
    """Send a request in chunks to a service with a stand-in model; its status and content."""
    import anyio

    app = _make_app()
    chunks = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b'']
    scope = dict(type='http', method='POST', path=path, query_string=query.encode(), http_version='1.1', scheme='http')
    scope['headers'] = [(b'content-type', content_type.encode())]
    sent: list[dict] = []

    async def receive() -> dict:
        if not chunks:
            await anyio.sleep_forever()
        return dict(type='http.request', body=chunks.pop(0), more_body=bool(chunks))

    async def send(message: dict) -> None:
        sent.append(message)

    async def main() -> None:
        app.state.backend = app.state.renew()  # it belongs to one event loop
        async with app.state.backend.running():
            await app(scope, receive, send)

    anyio.run(main)
    return sent[0]['status'], b''.join(message.get('body', b'') for message in sent[1:])


def _masks_of(drawn: tuple) -> tuple[Truth, Prediction]:
    seed, true, predicted = drawn
    rng = np.random.default_rng(seed)

    def masks(count: int) -> list[dict]:
        return [rle.runs_to_coco(rle.mask_to_runs(rng.random((6, 5)) < rng.random()), 6, 5) for _ in range(count)]

    return (
        Truth('a', (6, 5), rng.integers(0, 3, true), masks(true), [()] * true),
        Prediction('a', (6, 5), rng.integers(0, 3, predicted), np.sort(rng.random(predicted))[::-1], masks(predicted)),
    )


def check_counts(drawn: tuple) -> None:
    """The compiled matching counts what the plain loops count."""
    import plain_evaluation

    truth, prediction = _masks_of(drawn)
    ours, plain = count_image(truth, prediction), plain_evaluation.count_image(truth, prediction)
    order, other = np.argsort(ours.categories), np.argsort(plain.categories)
    np.testing.assert_array_equal(ours.categories[order], plain.categories[other])
    np.testing.assert_array_equal(ours.counts[order], plain.counts[other])


def _label_files() -> dict[str, bytes]:
    """Write two masks of a photo, one of them with an attribute, in every format that is one file."""
    instances = [
        Instance(10, (7,), rle.runs_to_coco((np.array([1, 9]), np.array([4, 30])), 6, 7), (0, 0, 5, 6)),
        Instance(23, (), rle.runs_to_coco((np.array([41]), np.array([42])), 6, 7), (6, 5, 7, 6)),
    ]
    files = {}
    for kind in ('coco', 'cvat', 'labelstudio'):
        with tempfile.TemporaryDirectory() as folder:
            WRITERS[kind](Path(folder) / 'labels', [Record('a.jpg', 6, 7, instances)])
            files[kind] = (Path(folder) / 'labels').read_bytes()
    return files


def _replace(value: object, key: str, new: object) -> object:
    """Replace the values of a key wherever it is."""
    if isinstance(value, dict):
        return {name: new if name == key else _replace(one, key, new) for name, one in value.items()}
    return [_replace(one, key, new) for one in value] if isinstance(value, list) else value


def _alter_labels(drawn: tuple[str, str, object]) -> tuple[str, bytes]:
    kind, key, value = drawn
    return kind, json.dumps(_replace(json.loads(_LABELS[kind]), key, value)).encode('utf-8', 'surrogatepass')


_LABELS = _label_files()
label_keys = st.sampled_from([
    'images', 'annotations', 'categories', 'attributes', 'id', 'image_id', 'category_id', 'file_name', 'height',
    'width', 'segmentation', 'counts', 'size', 'iscrowd', 'attribute_ids', 'name', 'data', 'image', 'result', 'value',
    'rle', 'brushlabels', 'choices', 'type', 'original_width', 'predictions',
])  # fmt: skip
label_values = st.one_of(
    json_values,
    st.integers(-5, 2**70),
    st.lists(st.integers(-5, 300), max_size=12),
    st.lists(st.lists(st.floats(-20, 20), min_size=6, max_size=6), max_size=3),
    image_ids,
)
label_files = st.one_of(
    *(st.tuples(st.just(kind), damaged(st.just(content))) for kind, content in _LABELS.items()),
    st.tuples(st.sampled_from(['coco', 'labelstudio']), label_keys, label_values).map(_alter_labels),
)


def check_labels(drawn: tuple[str, bytes]) -> None:
    """Foreign labels are read into masks that lie in their photos, or refused in one line with the file's name."""
    kind, content = drawn
    with written(content, 'labels') as path:
        try:
            found = list(READERS[kind](path, Intake()))
        except TOLD as error:
            if str(path) not in str(error) or len(str(error).splitlines()) != 1:
                raise AssertionError('names no file, or takes several lines') from error
            return
        for one in found:
            starts, ends = one.runs
            assert (starts < ends).all()
            assert 0 <= starts[0] <= ends[-1] <= one.photo.height * one.photo.width
            assert 0 <= one.category < 46


train_csv = tables(
    ('ImageId', 'EncodedPixels', 'Height', 'Width', 'ClassId'), image_ids, runs, heights, heights, class_ids
)
submission_csv = tables(('ImageId', 'EncodedPixels', 'ClassId'), image_ids, runs, class_ids)
ENTRANCES = (
    Entrance('train.csv', train_csv, check_train_csv),
    Entrance('index', train_csv, check_index),
    Entrance('submission', submission_csv, check_submission),
    Entrance('bitmap', bitmaps, check_bitmap),
    Entrance('COCO RLE', st.tuples(coco_counts, st.integers(0, 9), st.integers(0, 9)), check_coco),
    Entrance('postprocess', st.tuples(raw_predictions(), postprocess_options), check_postprocess),
    Entrance('dump', dumps, check_dump),
    Entrance('run record', st.one_of(record_files, damaged(record_files)), check_record),
    Entrance(
        'checkpoint',
        st.tuples(damaged(st.sampled_from(_checkpoints())), st.sampled_from(['a.pth', 'a.safetensors'])),
        check_checkpoint,
    ),
    Entrance('options', st.lists(st.tuples(option_keys, option_texts), max_size=3), check_options),
    Entrance('config text', config_texts, check_assignment),
    Entrance('photo', damaged(st.sampled_from(_photos())), check_photo),
    Entrance('foreign labels', label_files, check_labels),
    *([Entrance('web request', web_requests, check_request)] if importlib.util.find_spec('fastapi') else []),
    Entrance('matching', st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 5), st.integers(0, 5)), check_counts),
)
