"""Convert labels between this project's layout and COCO, Fashionpedia, CVAT, Label Studio, YOLO.

    python tools/convert.py instances.json data/mine --photos photos [--map names.csv]     # into the layout
    python tools/convert.py data/ccp/train.csv labels.json --to coco                       # ground truth out of it
    python tools/convert.py work_dirs/RUN/val.parquet tasks.json --to labelstudio          # predictions
    python tools/convert.py --check data/ccp/train.csv       # every format there and back: what each keeps

FROM is a COCO or Fashionpedia JSON, a CVAT for images XML, a Label Studio JSON, a YOLO data.yaml, a CSV of 2019 or
2020, or a dump of tools/test.py; its format is found out. Names without a category, crowds and shapes without a mask
are left out and counted; polygons of an object are united, as pycocotools does. Photos without an object are not in
the layout. Beside CVAT's and Label Studio's files lies the configuration of their labels. FiftyOne imports the COCO
file: dataset_type=fo.types.COCODetectionDataset, label_types='segmentations'.
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_mmdet.utils.cli import ToolParser, one_line_errors

if TYPE_CHECKING:
    from fashion_mmdet.datasets.records import Record

TARGETS = ('train', 'coco', 'cvat', 'labelstudio', 'yolo')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('convert', __doc__)
    parser.add_argument(
        'source', metavar='FROM', nargs='?', type=Path, help='file, or folder with train.csv or data.yaml'
    )
    parser.add_argument('target', metavar='TO', nargs='?', type=Path, help='file to write; a folder for train and yolo')
    parser.add_argument('--to', choices=TARGETS, default='train', help='train: train.csv and train/ (default)')
    parser.add_argument('--map', metavar='FILE', help='CSV, YAML or JSON: foreign name, our category or nothing')
    parser.add_argument(
        '--photos', metavar='DIR', type=Path, help='photos to link (or copy, across disks), for train and yolo'
    )
    parser.add_argument('--crowd', choices=('drop', 'keep'), default='drop', help='objects with iscrowd 1 (drop)')
    parser.add_argument('--check', metavar='CSV', type=Path, help='only measure what each format keeps of this data')
    parser.add_shared('postprocess', 'options')
    args = parser.parse_args(argv)
    if args.check is None and args.target is None:
        parser.error('FROM and TO are needed (or --check CSV)')
    if args.photos is not None and args.to not in ('train', 'yolo'):
        parser.error(f'--photos goes with --to train and --to yolo; {args.to} holds no photos')
    return args


def open_records(args: argparse.Namespace, kind: str, source: Path, folder: Path) -> tuple[Iterable['Record'], int]:
    """Give the images of a source one by one, and how many there are; foreign labels become a train.csv in `folder`."""
    from fashion_mmdet.converters.interchange.formats import DUMP, LAYOUT, READERS
    from fashion_mmdet.converters.interchange.layout import TRAIN, write_layout
    from fashion_mmdet.datasets.index_store import open_index

    if kind == DUMP:
        from fashion_mmdet.config import parse_options, read_postprocess
        from fashion_mmdet.evaluation.dump import read_dump, read_info
        from fashion_mmdet.evaluation.export import to_record
        from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess

        chosen = read_postprocess(args.postprocess) if args.postprocess else {}
        options = Postprocess.from_config({**chosen, **parse_options(args.options)})
        return (to_record(postprocess(raw, options)) for raw in read_dump(source)), len(read_info(source).images)
    if kind != LAYOUT:
        with reported_intake(args) as intake:
            write_layout(folder, READERS[kind](source, intake))
        source = folder / TRAIN
    index = open_index(source)
    print_audit(source, index.audit.report())
    return (index.record(position) for position in range(len(index))), len(index)


@contextlib.contextmanager
def reported_intake(args: argparse.Namespace) -> Iterator[object]:
    """Make the intake that the options ask for; when the block ends well, print its report."""
    from fashion_mmdet.converters.interchange.intake import Intake, read_name_map

    intake = Intake(read_name_map(args.map) if args.map else None, args.crowd == 'keep')
    yield intake
    print(intake.report())


def print_audit(where: Path, report: str) -> None:
    """Print what an audit found, if anything."""
    if report:
        print(f'convert: the audit of {where} found\n{report}', file=sys.stderr)


def convert_in(args: argparse.Namespace, kind: str, source: Path) -> None:
    """Write the one layout."""
    from fashion_mmdet.converters.interchange.formats import READERS, to_labels
    from fashion_mmdet.converters.interchange.layout import write_layout
    from fashion_mmdet.utils.progress import track

    if kind in READERS:
        with reported_intake(args) as intake:
            audit = write_layout(args.target, track(READERS[kind](source, intake), 'objects'), args.photos)
    else:
        records, total = open_records(args, kind, source, args.target)
        audit = write_layout(args.target, to_labels(track(records, 'images', total)), args.photos)
    print_audit(args.photos, audit.report())
    print(f'saved: {args.target / "train.csv"}')


def convert_out(args: argparse.Namespace, kind: str, source: Path) -> None:
    """Write another tool's format."""
    from fashion_mmdet.converters.interchange.formats import WRITERS, link_yolo_photos, note_photos
    from fashion_mmdet.utils.files import own_tempdir
    from fashion_mmdet.utils.progress import track

    photos = []
    with own_tempdir(), tempfile.TemporaryDirectory() as folder:
        records, total = open_records(args, kind, source, Path(folder))
        result = WRITERS[args.to](args.target, note_photos(track(records, 'images', total), photos))
    if args.to == 'yolo':
        print(result.summary())
        if args.photos is None:
            print(f'the photos belong into {args.target / "images" / "train"} (--photos DIR links them)')
        else:
            audit = link_yolo_photos(track(photos, 'photos'), args.photos, args.target)
            print_audit(args.photos, audit.report())
    print(f'saved: {args.target}, {getattr(result, "masks", result)} masks')


def check(csv: Path) -> None:
    """Print what every format keeps of a data set."""
    from fashion_mmdet.converters.interchange.round_trip import check_formats
    from fashion_mmdet.utils.progress import track
    from fashion_mmdet.utils.tables import format_text

    rows = [
        (
            one.kind,
            one.masks,
            f'{one.identical / max(one.masks, 1):.2%}',
            f'{one.mean_lost:.6f}',
            f'{one.worst_lost:.4f}',
            one.file_bytes / 1e6,
            one.write_s,
            one.read_s,
            one.peak_bytes / 1e6,
        )
        for one in track(check_formats(csv), 'formats', len(TARGETS) - 1)
    ]
    header = ('format', 'masks', 'identical', 'IoU lost', 'at worst', 'MB', 'write s', 'read s', 'peak MB')
    print(format_text(header, rows, right=header[1:], digits=1))


def main(argv: list[str] | None = None) -> int:
    """Convert, or check the formats."""
    args = parse_args(argv)
    with one_line_errors('convert'):
        if args.check is not None:
            check(args.check)
            return 0
        from fashion_mmdet.converters.interchange.formats import find_source
        from fashion_mmdet.utils.files import check_outputs

        kind, source = find_source(args.source)
        check_outputs([args.target], [source])
        (convert_in if args.to == 'train' else convert_out)(args, kind, source)
    return 0


if __name__ == '__main__':
    sys.exit(main())
