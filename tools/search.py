"""Search a catalogue: what is like a garment on a photo, or fits some words. Needs the extra `catalogue`.

python tools/search.py build catalogue                                   index what tools/annotate.py wrote
python tools/search.py query catalogue photo.jpg                         like each garment of a photo
python tools/search.py query catalogue photo.jpg --garment 0 --same-category --at-most price=50
python tools/search.py query catalogue --words 'navy maxi dress'         names only, no photo
python tools/search.py evaluate pairs data/pairs                         make_sample.py --views: finds it the garment?
python tools/search.py evaluate categories data/ccp --held-out           finds it garments of the category?
python tools/search.py evaluate inshop data/inshop                       DeepFashion In-shop Clothes Retrieval
"""

import argparse
import json
import sys
from pathlib import Path

from fashion_mmdet.config import parse_options
from fashion_mmdet.utils.checks import COUNT, NATURAL
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors
from fashion_mmdet.utils.tables import format_text


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('search', __doc__)
    actions = parser.add_subparsers(dest='action', required=True, metavar='ACTION', parser_class=_ActionParser)
    build = actions.add_parser('build', help='index a catalogue')
    build.add_argument('catalogue', type=Path, help='folder that tools/annotate.py wrote')
    query = actions.add_parser('query', help='ask an indexed catalogue')
    query.add_argument('catalogue', type=Path)
    query.add_argument('photo', nargs='?', help='path or URL')
    query.add_argument('--garment', type=number(NATURAL), help='its number in the photo, from 0 (default: each)')
    query.add_argument('--words', default='', help='names of a category, attributes and colours')
    query.add_argument('--same-category', action='store_true', help="only what has the garment's category")
    for name in ('equal', 'at-least', 'at-most'):
        query.add_argument(f'--{name}', nargs='+', action='extend', default=[], metavar='COLUMN=VALUE')
    query.add_argument('-k', type=number(COUNT), default=10, help='how many (default %(default)s)')
    query.add_shared(options="that go over the model's postprocess, such as score_thr=0.3")
    evaluate = actions.add_parser('evaluate', help='measure on photos whose garments are known')
    evaluate.add_argument('what', choices=('pairs', 'categories', 'inshop'))
    evaluate.add_argument('root', type=Path, help='folder of the data')
    evaluate.add_argument(
        '--held-out', action='store_true', help='categories: only the photos that the configs hold out'
    )
    evaluate.add_argument('--embedding', metavar='FILE', help='embedding.safetensors (default: fitted on the gallery)')
    evaluate.add_shared('workers', 'seed')
    for one in (query, evaluate):
        one.add_argument(
            '--model', metavar='RUN', help="a run's folder, weights or config; default: the shipped weights"
        )
        one.add_argument('--checkpoint', metavar='FILE', help='weights for a config, or others of the run')
        one.add_argument('--device', help='such as cpu or cuda:1; default: the GPU where there is one')
        one.add_shared('trust', 'json')
    args = parser.parse_args(argv)
    if args.action == 'query' and not args.photo and not (args.words or args.equal or args.at_least or args.at_most):
        parser.error('query: give a photo, or --words, --equal, --at-least, --at-most')
    return args


class _ActionParser(ToolParser):
    def __init__(self, prog: str, **options: object) -> None:
        super().__init__('search', None)
        self.prog = prog


def run_query(args: argparse.Namespace) -> None:
    """Print what was found."""
    from fashion_mmdet.catalogue.colours import css_colours
    from fashion_mmdet.catalogue.filters import make_filter
    from fashion_mmdet.catalogue.query import STORE, find_garments, find_similar, list_garments, read_words
    from fashion_mmdet.catalogue.store import VectorStore
    from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES

    store = VectorStore.open(args.catalogue / STORE)
    bounds = {name: parse_options(getattr(args, name)) for name in ('equal', 'at_least', 'at_most')}
    where, values = make_filter(
        store.columns.schema, **read_words(args.words, CATEGORIES, ATTRIBUTES, css_colours()[0]), **bounds
    )
    if args.photo:
        task = _task(args)
        garments = find_garments(args.catalogue, args.photo, task)
        found = find_similar(store, garments, args.garment, args.k, where, values, args.same_category)
    else:
        found = [(None, list_garments(store, args.k, where, values))]
    if args.json:
        print(json.dumps([dict(garment=one, found=table.to_pylist()) for one, table in found], default=str))
        return
    for garment, table in found:
        if garment:
            print(f'{garment["garment"]}: {garment["category"]} {garment["score"]:.2f}')
        print(format_text(*_lay_out(table)))


def _lay_out(table) -> tuple[list[str], list[list]]:
    shown = [name for name in ('similarity', 'image', 'garment', 'category', 'score') if name in table.column_names]
    rows = [[row[name] for name in shown] + [_colours(row)] for row in table.to_pylist()]
    return [*shown, 'colours'], rows


def _colours(row: dict) -> str:
    return ', '.join(one['name'] for one in row['colours'] or ())


def run_evaluation(args: argparse.Namespace) -> None:
    """Print the scores of every method."""
    from fashion_mmdet.catalogue import known
    from fashion_mmdet.catalogue.embeddings import Projection
    from fashion_mmdet.catalogue.mappers import open_mapper
    from fashion_mmdet.catalogue.retrieval import SCORES
    from fashion_mmdet.catalogue.trial import describe_all, run_trial

    if args.what == 'categories':
        photos = known.read_categories(args.root, 0.2 if args.held_out else None)
    else:
        photos = (known.read_pairs if args.what == 'pairs' else known.read_inshop)(args.root)
    projection = Projection.load(args.embedding) if args.embedding else None
    with open_mapper(workers=args.workers, device=args.device) as mapper:
        described = describe_all(_task(args), photos, mapper)
    results = dict(run_trial(described, args.seed, projection))
    if args.json:
        rows = {
            name: dict(zip(SCORES, (one._asdict() for one in found), strict=True)) for name, found in results.items()
        }
        print(json.dumps(rows))
        return
    rows = [
        [name, *(f'{one.mean:.3f} [{one.low:.3f}, {one.high:.3f}]' for one in found)] for name, found in results.items()
    ]
    print(format_text(['method', *SCORES], rows))


def _task(args: argparse.Namespace):
    from fashion_mmdet.catalogue.annotator import Task

    options = repr(parse_options(getattr(args, 'options', [])))  # of no use to known masks
    return Task(args.model, args.checkpoint, args.device, options, trust=args.trust)


def main(argv: list[str] | None = None) -> int:
    """Build, query or evaluate."""
    args = parse_args(argv)
    with one_line_errors('search'):
        if args.action == 'build':
            from fashion_mmdet.catalogue.query import STORE, build_store

            print(f'{len(build_store(args.catalogue))} garments indexed: {args.catalogue / STORE}')
        else:
            (run_query if args.action == 'query' else run_evaluation)(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
