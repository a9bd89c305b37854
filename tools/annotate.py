"""Annotate photos into a catalogue: a row for every garment, in Parquet, resumable.

    python tools/annotate.py photos --out catalogue                 a folder, all depths
    python tools/annotate.py 'shop/*/front.jpg' --out catalogue     a pattern
    python tools/annotate.py list.parquet --out catalogue           paths, URLs or bytes, other columns come along
    python tools/annotate.py s3://bucket/photos --out catalogue     any URL of fsspec (extra `catalogue`)
    python tools/annotate.py list.parquet --out catalogue --ray local   on Ray, or a cluster's address (extra `ray`)

The folder holds garments/, photos/ and problems/ (the photos that could not be read, and why) in shards, a manifest,
and embedding.safetensors, which makes the embeddings of a query. Run the same command again to go on after a stop.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.config import parse_options, read_postprocess
from fashion_mmdet.utils.checks import COUNT
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('annotate', __doc__)
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='photos, folders, patterns, URLs, or Parquet files')
    parser.add_argument('--out', metavar='DIR', required=True, help='folder of the catalogue')
    parser.add_argument(
        '--column', metavar='NAME', help='of the Parquet: paths, URLs or bytes (default: found by name)'
    )
    parser.add_argument(
        '--model', metavar='RUN', help="a run's folder, weights or config; default: the shipped weights"
    )
    parser.add_argument('--checkpoint', metavar='FILE', help='weights for a config, or others of the run')
    parser.add_argument(
        '--embedding', metavar='FILE', help='embedding.safetensors of a catalogue of the same model (default: fitted)'
    )
    parser.add_argument('--shard', type=number(COUNT), default=256, help='photos a shard (default %(default)s)')
    parser.add_argument('--ray', metavar='ADDRESS', help="'local', or the address of a Ray cluster")
    parser.add_argument('--device', help='such as cpu or cuda:1; default: the GPU where there is one')
    parser.add_shared('trust', postprocess="in place of the model's, from tools/tune_thresholds.py")
    parser.add_shared(workers='processes (default: one per core; on a GPU one)')
    parser.add_shared(options="that go over the model's postprocess, such as score_thr=0.3")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Annotate; 0 when all photos are done, 130 when interrupted."""
    args = parse_args(argv)
    options = {}
    with one_line_errors('annotate'):
        if args.postprocess:
            options = read_postprocess(args.postprocess)
        options.update(parse_options(args.options))
        from fashion_mmdet.catalogue.annotate import annotate
        from fashion_mmdet.catalogue.annotator import Task
        from fashion_mmdet.catalogue.inputs import open_photos
        from fashion_mmdet.catalogue.mappers import open_mapper

        task = Task(args.model, args.checkpoint, args.device, repr(options), args.embedding, args.trust)
        photos = open_photos(args.inputs, args.column)
        try:
            with open_mapper(args.ray, args.workers, args.device) as mapper:
                tally = annotate(photos, Path(args.out), task, mapper, args.shard)
        except KeyboardInterrupt:
            print('annotate: interrupted; the same command goes on from here', file=sys.stderr)
            return 130
    print(f'{tally.photos} photos, {tally.garments} garments, {tally.problems} not read: {args.out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
