"""Exploring a data set: statistics counted by hand and by loops, pictures without clipped text, the page, bad input."""

import re
import shutil
from collections import Counter
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from pycocotools import mask as coco_mask

from fashion_mmdet.analysis import eda, eda_plots
from fashion_mmdet.analysis.eda import ExampleDraw
from fashion_mmdet.analysis.eda_page import read_photo
from fashion_mmdet.analysis.eda_plots import FADE, isolate, pick_columns, plot_example
from fashion_mmdet.classes import PALETTE
from fashion_mmdet.datasets.audit import Audit
from fashion_mmdet.datasets.records import Record, Row, read_records, read_rows
from fashion_mmdet.utils import files
from tests.builders import write_csv
from tools import eda as tool

# 4x5 and 10x2 photos have 20 pixels. d.jpg has an empty mask alone: the audit drops it.
ROWS = (
    'a.jpg,1 4,4,5,0_34_3',
    'b.jpg,1 2,4,5,0',
    'a.jpg,5 2,4,5,23',
    'c.jpg,1 6 11 4,10,2,23',
    'd.jpg,,4,5,7',
    'c.jpg,11 5,10,2,31',
    'a.jpg,9 1,4,5,23',
)


def read_tables(path: Path) -> eda.Tables:
    return eda.collect(read_rows(path, Audit()))


@pytest.fixture
def tables(tmp_path: Path) -> eda.Tables:
    return read_tables(write_csv(tmp_path, *ROWS))


@pytest.fixture(scope='module')
def random_objects() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image (of 40, the last 5 empty), category and share of 300 objects."""
    rng = np.random.default_rng(0)
    return rng.integers(35, size=300), rng.integers(46, size=300) // 2, rng.random(300)


def test_rows_become_tables_in_the_order_of_the_file(tables: eda.Tables):
    """d.jpg is not there; the first object has attributes 3 and 34; c's shoe covers 6 + 4 pixels."""
    assert tables.image_ids == ['a.jpg', 'b.jpg', 'c.jpg']
    assert tables.sizes_px.tolist() == [[4, 5], [4, 5], [10, 2]]
    assert tables.image.tolist() == [0, 1, 0, 2, 2, 0]
    assert tables.category.tolist() == [0, 0, 23, 23, 31, 23]
    assert tables.area_px.tolist() == [4, 2, 2, 10, 5, 1]
    np.testing.assert_allclose(tables.area_share, [0.2, 0.1, 0.1, 0.5, 0.25, 0.05])
    assert (tables.attribute.tolist(), tables.attribute_object.tolist()) == ([3, 34], [0, 0])


def test_the_tables_agree_with_the_records(sample_root: Path):
    tables, (records, _) = read_tables(sample_root / 'train.csv'), read_records(sample_root / 'train.csv')
    assert tables.image_ids == [record.image_id for record in records]
    objects = [(record, instance) for record in records for instance in record.instances]
    found = sorted(zip(tables.image, tables.category, tables.area_px, strict=True))
    wanted = sorted(
        (tables.image_ids.index(record.image_id), instance.category, int(coco_mask.area(instance.mask)))
        for record, instance in objects
    )
    assert found == wanted
    assert Counter(tables.attribute.tolist()) == Counter(
        attribute for _, instance in objects for attribute in instance.attributes
    )


def test_statistics_by_hand(tables: eda.Tables):
    """a: shirt, two shoes; b: shirt; c: shoe, sleeve. One of two shirts has attributes. Shoes: 0.05, 0.1, 0.5."""
    sizes, counts = eda.count_sizes(tables.sizes_px)
    assert (sizes.tolist(), counts.tolist()) == ([[4, 5], [10, 2]], [2, 1])
    assert np.bincount(tables.image).tolist() == [3, 1, 2]
    objects, images = eda.count_categories(tables.image, tables.category)
    assert {category: (objects[category], images[category]) for category in np.flatnonzero(objects)} == {
        0: (2, 2),
        23: (3, 2),
        31: (1, 1),
    }
    assert np.flatnonzero(np.bincount(tables.attribute)).tolist() == [3, 34]
    shares = eda.attribute_shares(tables.category, tables.attribute_object)
    assert shares[0] == 0.5
    assert np.isnan(shares[1:]).all()
    assert shares.shape == (13,)
    together = eda.count_together(tables.image, tables.category, 3)
    assert together[np.ix_([0, 23, 31], [0, 23, 31])].tolist() == [[2, 1, 0], [1, 2, 1], [0, 1, 1]]
    assert together.sum() == 9
    assert eda.commonest_pair(together) == (0, 23)
    quantiles = eda.area_quantiles(tables.area_share, tables.category, (0.0, 0.5, 1.0))
    np.testing.assert_allclose(quantiles[23], [0.05, 0.1, 0.5])
    assert np.isnan(quantiles[1]).all()


def test_statistics_agree_with_plain_loops(random_objects):
    image, category, share = random_objects
    held = [set(category[image == index].tolist()) for index in range(40)]
    objects, images = eda.count_categories(image, category)
    together = eda.count_together(image, category, 40)
    for one in range(46):
        assert objects[one] == sum(1 for other in category if other == one)
        assert images[one] == sum(1 for members in held if one in members)
        for two in range(46):
            assert together[one, two] == sum(1 for members in held if {one, two} <= members)
    medians = eda.area_quantiles(share, category, (0.5,))[:, 0]
    np.testing.assert_allclose(medians[:23], [np.median(share[category == one]) for one in range(23)])
    pair = max(((one, two) for one in range(46) for two in range(one)), key=lambda pair: together[pair])
    assert together[eda.commonest_pair(together)] == together[pair]


@pytest.mark.parametrize(('counts', 'share'), [([], 0), ([0, 1, 11], 0), ([2, 10, 1, 11], 0.5), ([5], 1)])
def test_the_share_between_counts_both_ends(counts: list[int], share: float):
    assert eda.share_between(np.array(counts), 2, 10) == share


def test_equally_common_sizes_come_smaller_height_first():
    sizes, counts = eda.count_sizes(np.array([[9, 1], [5, 7], [9, 1], [5, 2]]))
    assert (sizes.tolist(), counts.tolist()) == ([[9, 1], [5, 2], [5, 7]], [2, 1, 1])


def test_no_pair_where_no_image_holds_two():
    assert eda.commonest_pair(np.diag(np.arange(46))) is None


def test_lines_are_counted_over_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, 'BLOCK_BYTES', 4)
    (tmp_path / 'lines').write_bytes(b'12\n\n567890\n')
    assert files.count_lines(tmp_path / 'lines') == 3


def offer_all(draw: ExampleDraw, names: str) -> list[tuple[str, list[int]]]:
    """Offer a row for every letter; a row's category is its place. What was drawn: image and categories."""
    for place, name in enumerate(names):
        draw.offer(Record(name, 4, 5), Row(place, (), (np.array([0]), np.array([1]))))
    return [(record.image_id, [row.category for row in rows]) for record, rows in draw.drawn()]


def test_drawn_images_have_all_their_rows_however_these_are_scattered():
    names = 'abcdefghabcdefghaabb'
    for seed in range(20):
        drawn = offer_all(ExampleDraw(3, seed), names)
        assert len(drawn) == 3
        for name, places in drawn:
            assert places == [place for place, other in enumerate(names) if other == name]


def test_the_draw_is_even_and_repeats_with_its_seed():
    """One of 3 images, 600 seeds: 200 each expected, standard deviation sqrt(600 * 1/3 * 2/3) = 11.5, times 4: 46."""
    names = [offer_all(ExampleDraw(1, seed), 'aaaaabc')[0][0] for seed in range(600)]
    assert all(abs(count - 200) < 46 for count in Counter(names).values())
    assert len(set(names)) == 3
    assert names[:20] == [offer_all(ExampleDraw(1, seed), 'aaaaabc')[0][0] for seed in range(20)]


def test_a_draw_of_more_than_there_are_takes_all():
    assert sorted(offer_all(ExampleDraw(9, 0), 'aba')) == [('a', [0, 2]), ('b', [1])]


@pytest.mark.parametrize(
    ('panels', 'columns'), [(1, 1), (3, 3), (4, 4), (5, 5), (6, 6), (7, 4), (9, 5), (10, 5), (11, 4), (16, 4), (18, 6)]
)
def test_columns_leave_few_gaps(panels: int, columns: int):
    """7: 4 columns leave 1 gap, 5 leave 3, 6 leave 5. 9: 3, 1, 3. 11: 1, 4, 1, so 4. 18: 2, 2, 0."""
    assert pick_columns(panels) == columns


def test_all_but_the_object_fades():
    """Outside: 80 % white and 20 % of the grey (10 + 20 + 60) / 3 = 30 are 210. The inside keeps its colours up
    to its edge, the line begins beyond.
    """
    photo = np.tile(np.array([10, 20, 60], np.uint8), (60, 40, 1))
    mask = np.zeros((60, 40), bool)
    mask[20:50, :20] = True
    panel = isolate(photo, mask, (250, 0, 0))
    assert FADE == 0.8
    assert panel[5, 30].tolist() == [210, 210, 210]
    assert panel[35, 10].tolist() == [10, 20, 60]
    assert panel[20, 10].tolist() == [10, 20, 60]
    assert panel[19, 10].tolist() == [250, 0, 0]
    assert isolate(photo, np.zeros((60, 40), bool), (250, 0, 0)).tolist() == [[[210] * 3] * 40] * 60


def test_an_object_has_a_panel_where_its_mask_is():
    """A 10x2 photo: the first ten pixels are its left column, so the left half of the 512x512 panel; area 50 %."""
    left, low = (np.array([0]), np.array([10])), (np.array([8, 18]), np.array([10, 20]))
    photo = np.full((512, 512, 3), 100, np.uint8)
    figure = plot_example(photo, Record('c.jpg', 10, 2), [Row(31, (), low), Row(23, (), left)])
    assert [axes.get_title(loc='left') or axes.get_title() for axes in figure.axes] == [
        'photo, 2 objects',
        'shoe  50 %',
        'sleeve  20 %',
    ]
    _, shoe, sleeve = (np.asarray(axes.images[0].get_array()) for axes in figure.axes)
    assert shoe[100, 100].tolist() == sleeve[480, 400].tolist() == [100, 100, 100]
    assert shoe[100, 400].tolist() == sleeve[100, 100].tolist() == [224, 224, 224]
    assert shoe[100, 256].tolist() == list(PALETTE[23])


def test_a_photo_that_cannot_be_shown_is_named_with_its_problem(tmp_path: Path):
    Image.new('RGB', (64, 96), 'red').save(tmp_path / 'good.jpg')
    whole = (tmp_path / 'good.jpg').read_bytes()
    (tmp_path / 'cut.jpg').write_bytes(whole[:-20])
    (tmp_path / 'text.jpg').write_text('no photo')
    assert read_photo(tmp_path / 'good.jpg', 96, 64).shape == (512, 512, 3)
    assert read_photo(tmp_path / 'good.jpg', 96, 64)[9, 9, 0] > 250  # RGB, not BGR
    for name, problem in (('none', 'missing_file'), ('cut', 'truncated_file'), ('text', 'unreadable_file')):
        with pytest.raises(ValueError, match=f'^{problem}: .*{name}.jpg'):
            read_photo(tmp_path / f'{name}.jpg', 96, 64)
    with pytest.raises(ValueError, match=r'^size_mismatch: .*good\.jpg'):
        read_photo(tmp_path / 'good.jpg', 64, 96)


def full_figures() -> dict[str, Figure]:
    """Every plot at its fullest: 46 categories, 92 attributes, six-digit counts, sizes up to 6824x10717."""
    rng = np.random.default_rng(0)
    objects = rng.integers(1, 200_000, 46)
    together = np.triu(rng.integers(1, 9_000, (46, 46)), 1)
    with matplotlib.rc_context(eda_plots.STYLE):
        return dict(
            sizes=eda_plots.plot_sizes(np.array([[6824, 10717], [3000, 2000], [300, 200]] * 30)),
            labels=eda_plots.plot_labels(rng.poisson(20, 40_000), 2, 10),
            categories=eda_plots.plot_categories(objects, objects),
            attributes=eda_plots.plot_attributes(rng.integers(1, 99_999, 92)),
            skewed=eda_plots.plot_attributes(np.geomspace(99_999, 1, 92).astype(int)),
            shares=eda_plots.plot_attribute_shares(rng.random(13)),
            together=eda_plots.plot_together(together + together.T + np.diag(np.full(46, 45_625))),
            areas=eda_plots.plot_areas(np.sort(rng.random((46, 5)), axis=1), objects),
        )


def test_nothing_is_clipped_and_no_labels_overlap():
    for name, figure in full_figures().items():
        figure.draw_without_rendering()
        drawn, (width_in, height_in) = figure.get_tightbbox(), figure.get_size_inches()
        assert min(drawn.x0, drawn.y0) > -0.01, name
        assert drawn.x1 < width_in + 0.01, name
        assert drawn.y1 < height_in + 0.01, name
        for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
            low, high = sorted(axis.get_view_interval())
            boxes = [
                label.get_window_extent()
                for place, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
                if low <= place <= high
            ]
            for one, two in pairwise(boxes):
                assert not one.padded(-0.5).overlaps(two.padded(-0.5)), (name, one, two)


def test_a_long_tail_is_one_bar():
    """1,000 images with 3 objects, one with 74: the tail begins at 20, twice the range's end."""
    axes = eda_plots.plot_labels(np.array([3] * 1000 + [74]), 2, 10).axes[0]
    bars = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in axes.patches}
    assert (bars[3], bars[20], sum(bars.values())) == (1000, 1, 1001)
    assert axes.get_xticklabels()[-1].get_text() == '20+'


def test_boxes_and_bars_have_the_colour_of_their_category():
    objects = np.zeros(46, int)
    objects[[6, 23]] = 1, 5
    axes = eda_plots.plot_categories(objects, objects).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ['shoe', 'pants']
    np.testing.assert_allclose(
        [bar.get_facecolor()[:3] for bar in axes.patches], np.array([PALETTE[23], PALETTE[6]]) / 255
    )


@pytest.fixture
def unsaved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Leave out the slow part, drawing and saving; the names of the pictures that would have been saved."""
    names: list[str] = []
    for name in [name for name in vars(eda_plots) if name.startswith('plot_')]:
        monkeypatch.setattr(eda_plots, name, lambda *values: None)
    monkeypatch.setattr(eda_plots, 'save_figure', lambda figure, path, dpi=0: names.append(path.name))
    return names


def run(root: Path, out: Path, *options: str) -> str:
    assert tool.main(['--data', str(root), '--out', str(out), *options]) == 0
    return (out / 'README.md').read_text()


def test_the_page_shows_every_picture_and_the_numbers(sample_root: Path, tmp_path: Path):
    page = run(sample_root, tmp_path / 'eda', '--examples', '2')
    linked = re.findall(r'!\[[^\]]+\]\(([^)]+)\)', page)
    assert linked == [
        f'{name}.png' for name in ('labels', 'categories', 'attributes', 'together', 'areas', 'example_1', 'example_2')
    ]
    assert sorted([*linked, 'README.md']) == sorted(path.name for path in (tmp_path / 'eda').iterdir())
    for name in linked:
        with Image.open(tmp_path / 'eda' / name) as picture:
            picture.load()
            assert picture.width >= 480
    tables = read_tables(sample_root / 'train.csv')
    assert f'12 images with {tables.image.size} objects' in page
    assert 'Every image is 96x64' in page
    shoes = int((tables.category == 23).sum())
    assert f'| 23 | shoe | {shoes} | {np.unique(tables.image[tables.category == 23]).size} |' in page
    counts = np.bincount(tables.image)
    assert f'{100 * ((counts >= 2) & (counts <= 10)).mean():.1f} % of the images have 2 to 10 objects' in page
    assert 'found nothing wrong with the rows and photos' in page


def test_the_data_set_is_that_of_the_environment(sample_root: Path, tmp_path: Path, unsaved: list[str]):
    """`sample_root` sets FASHION_DATA."""
    assert tool.main(['--out', str(tmp_path), '--examples', '0']) == 0
    assert f'# The data in {sample_root}\n' in (tmp_path / 'README.md').read_text()


def test_the_seed_chooses_the_examples(sample_root: Path, tmp_path: Path, unsaved: list[str]):
    shown = [
        re.findall(r'^`(.+)`$', run(sample_root, tmp_path, '--examples', '3', '--seed', seed), re.MULTILINE)
        for seed in ('1', '1', '2')
    ]
    assert len(shown[0]) == 3
    assert shown[0] == shown[1] != shown[2]


def test_bad_photos_are_left_out_of_the_examples_and_reported(sample_root: Path, tmp_path: Path, unsaved: list[str]):
    """Of 12 photos one is missing, one cut off; asked for all 12, ten are shown."""
    root = tmp_path / 'data'
    shutil.copytree(sample_root, root)
    missing, cut, *_ = sorted((root / 'train').iterdir())
    missing.unlink()
    cut.write_bytes(cut.read_bytes()[:-50])
    page = run(root, tmp_path / 'eda', '--examples', '12')
    assert page.count('](example_') == 10
    assert unsaved[-10:] == [f'example_{number}.png' for number in range(1, 11)]
    assert f'missing_file: {missing}\n' in page
    assert f'truncated_file: {cut}: cannot be decoded: the JPEG is cut off' in page
    assert 'missing_file: 1 (image dropped)' in page.split('## Audit')[1]
    assert 'found 2 problems of 2 kinds' in page


def test_two_sizes_are_drawn_and_listed(tmp_path: Path, unsaved: list[str]):
    page = run(write_csv(tmp_path / 'data', *ROWS).parent, tmp_path / 'eda')
    assert '2 distinct sizes' in page
    assert '| 4 | 5 | 2 | 66.7 % |\n| 10 | 2 | 1 | 33.3 % |' in page
    assert unsaved[0] == 'sizes.png'
    assert '50.0 % of the 2 main garments (categories 0 to 12) have attributes, 2.0 each' in page
    assert 'Shirt, blouse and shoe share the most images, 1 or 33.3 %; met by chance they would share 44.4 %' in page
    assert 'empty_mask: 1' in page
    assert f'photos were not checked: no folder {tmp_path / "data" / "train"}' in page
    assert 'No examples: no folder' in page


def test_shares_of_attributes_are_drawn_where_they_differ(tmp_path: Path, unsaved: list[str]):
    """Both shirts have an attribute and so has the coat; then another coat has none: a half of the coats."""
    rows = ('a.jpg,1 2,4,5,0_20', 'a.jpg,5 2,4,5,0_21', 'a.jpg,9 2,4,5,9_20')
    page = run(write_csv(tmp_path / 'equal', *rows).parent, tmp_path / 'eda')
    assert 'is the commonest (2).' in page
    assert 'attribute_shares.png' not in {*unsaved, *re.findall(r'\w+\.png', page)}
    page = run(write_csv(tmp_path / 'unequal', *rows, 'a.jpg,13 2,4,5,9').parent, tmp_path / 'eda')
    assert 'is the commonest (2), shirt, blouse the category that has them most often (100.0 %).' in page
    assert 'attribute_shares.png' in unsaved
    assert '(attribute_shares.png)' in page


def test_one_object_makes_a_page(tmp_path: Path):
    page = run(write_csv(tmp_path / 'data', 'a.jpg,1 4,4,5,23').parent, tmp_path / 'eda')
    assert '1 image with 1 object in' in page
    assert 'None of the 0 main garments (categories 0 to 12) has an attribute.' in page
    assert 'No image holds two categories.' in page
    assert '0.0 % of the images have 2 to 10 objects; the median is 1, the mean 1.0, the most 1.' in page
    assert sorted(path.name for path in (tmp_path / 'eda').iterdir()) == [
        'README.md',
        'areas.png',
        'categories.png',
        'labels.png',
    ]


@pytest.mark.parametrize(
    ('rows', 'options', 'message'),
    [
        (None, [], 'train.csv: no such file; --data or FASHION_DATA names the folder that holds train.csv'),
        ((), [], 'train.csv:2: no rows after the header'),
        (('a.jpg,,4,5,0',), [], 'train.csv: no row holds an object; the audit found: empty_mask: 1'),
        (('a.jpg,1 2,4,x,0',), [], "train.csv:2: Width 'x' is no positive whole number"),
        (ROWS, ['--examples', '-1'], '--examples: -1: must be a whole number, at least 0'),
        (ROWS, ['--seed', '-1'], '--seed: -1: must be a whole number, at least 0'),
    ],
)
def test_bad_input_is_one_line_and_status_2(rows, options, message, tmp_path: Path, capsys: pytest.CaptureFixture):
    root = tmp_path / 'data'
    if rows is not None:
        write_csv(root, *rows)
    with pytest.raises(SystemExit) as exit_:
        tool.main(['--data', str(root), '--out', str(tmp_path / 'eda'), *options])
    assert exit_.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('eda: ')
    assert error.count('\n') == 1
    assert message in error
    assert not (tmp_path / 'eda' / 'README.md').exists()


def test_a_file_in_the_place_of_the_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    (tmp_path / 'eda').write_text('')
    with pytest.raises(SystemExit) as exit_:
        tool.main(['--data', str(write_csv(tmp_path / 'data', *ROWS).parent), '--out', str(tmp_path / 'eda')])
    assert exit_.value.code == 2
    assert capsys.readouterr().err == f'eda: {tmp_path / "eda"}: File exists\n'
