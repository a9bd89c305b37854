"""Export a checkpoint's weights as safetensors: without training state, and without code that loading could run.

    python tools/export_weights.py work_dirs/maskrcnn_lite0_cpu/best_fashion_score_iter_1000.pth weights.safetensors
    python tools/export_weights.py CHECKPOINT OUT.safetensors --half --postprocess tuned.py --scores val.json
    python tools/test.py CONFIG weights.safetensors

The metadata holds config (without paths), classes, scores and source. Such a file can stand wherever a .pth can:
tools/test.py, `load_from`, `init_cfg`; and it is all that tools/predict.py and `load_model` need.
"""

import argparse
import sys
from pathlib import Path

from fashion_mmdet.config import read_postprocess
from fashion_mmdet.utils.cli import ToolParser, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('export_weights', __doc__)
    parser.add_argument('checkpoint', help='.pth file')
    parser.add_argument('out', metavar='OUT.safetensors')
    parser.add_argument('--half', action='store_true', help='float16: half the size; loads into a float32 model')
    parser.add_argument(
        '--scores', metavar='JSON', help='of these weights, as tools/test.py writes them beside its dump'
    )
    parser.add_shared(postprocess="for these weights, in place of their config's")
    parser.add_shared(trust='load a checkpoint that may run code')
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Export and say what is in the file."""
    args = parse_args(argv)
    with one_line_errors('export_weights'):
        from fashion_mmdet.experiments.checkpoints import trust_files
        from fashion_mmdet.experiments.export import export_weights
        from fashion_mmdet.utils.json_files import read_object

        trust_files(args.trust)
        postprocess = read_postprocess(args.postprocess) if args.postprocess else None
        scores = read_object(args.scores) if args.scores else None
        metadata = export_weights(args.checkpoint, args.out, args.half, postprocess, scores)
        print(
            f'{args.out}: {Path(args.out).stat().st_size / 1e6:.1f} MB; {metadata["facts"]}; '
            f'scores: {metadata.get("scores", "not known")}'
        )
    return 0


if __name__ == '__main__':
    sys.exit(main())
