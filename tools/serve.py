"""Serve a model over HTTP: photos in, garments out, with a page at / to try it.

    pip install -e .[serve]
    python tools/serve.py                          # the shipped weights on http://127.0.0.1:8080
    python tools/serve.py --model work_dirs/RUN --host 0.0.0.0
    curl -F photo=@photo.jpg 'http://127.0.0.1:8080/v1/segment?threshold=0.4'
    python tools/serve.py --catalogue catalogue --photos photos    # finds what is alike: extra `catalogue`
    curl -F photo=@photo.jpg 'http://127.0.0.1:8080/v1/similar?same_category=true&at_most=price=50'

/openapi.json documents the interface, /metrics counts for Prometheus, /healthz and /readyz tell its state. With keys in
FASHION_API_KEYS, separated by commas, photos need one of them in the header X-API-Key. Ctrl-C, or a TERM signal, ends
the service when what it has begun is answered.
"""

import argparse
import os
import sys
from pathlib import Path

from fashion_mmdet.utils.checks import COUNT, POSITIVE, Interval
from fashion_mmdet.utils.cli import ToolParser, number, one_line_errors


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser('serve', __doc__)
    parser.add_argument('--model', metavar='RUN', help="a run's folder or a file of weights (default: the shipped one)")
    parser.add_argument('--host', default='127.0.0.1', help='address; 0.0.0.0 for any (default %(default)s)')
    port = number(Interval(0, 65_535, whole=True))
    parser.add_argument('--port', type=port, default=8080, help='0 for a free one (default %(default)s)')
    parser.add_argument('--max-mb', type=number(POSITIVE), default=25, help='of a photo (default %(default)s)')
    parser.add_argument('--max-megapixels', type=number(POSITIVE), default=50, help='of a photo (default %(default)s)')
    parser.add_argument('--max-batch', type=number(COUNT), help='photos in the model at once (default: 1; on a GPU 8)')
    parser.add_argument('--max-under-way', type=number(COUNT), default=32, help='photos at once; more are answered 429')
    parser.add_argument('--timeout', type=number(POSITIVE), default=30, help='seconds for an answer (default 30)')
    parser.add_argument('--cors', nargs='+', default=[], metavar='ORIGIN', help='whose pages may call; * for any')
    parser.add_argument(
        '--catalogue', type=Path, metavar='DIR', help='that tools/annotate.py wrote and tools/search.py indexed'
    )
    parser.add_argument('--photos', type=Path, metavar='DIR', help="the catalogue's photos, to show garments of them")
    parser.add_argument(
        '--ray',
        nargs=2,
        type=number(COUNT),
        metavar=('FEWEST', 'MOST'),
        help='replicas of the model on Ray Serve: on the cluster that RAY_ADDRESS names, else on this machine',
    )
    args = parser.parse_args(argv)
    if args.photos and not args.catalogue:
        parser.error('--photos: those of a --catalogue; give it too')
    if args.ray and args.catalogue:
        parser.error('--catalogue: is searched by one process, without --ray')
    return args


def main(argv: list[str] | None = None) -> int:
    """Serve until stopped; 0 then."""
    args = parse_args(argv)
    max_pixels = round(args.max_megapixels * 1e6)
    # OpenCV reads it when it is loaded: a second bound, should a header say one thing and its decoder find another.
    os.environ.setdefault('OPENCV_IO_MAX_IMAGE_PIXELS', str(max_pixels))
    with one_line_errors('serve'):
        try:
            from fashion_mmdet.service import server, settings
            from fashion_mmdet.service.shelf import Shelf

            if args.ray:
                from fashion_mmdet.service import ray_backend
        except ModuleNotFoundError as error:
            extra = 'ray' if args.ray else 'serve'
            raise ValueError(f'{error.name} is not installed: pip install -e .[{extra}]') from None
        import torch

        from fashion_mmdet.inference import load_model
        from fashion_mmdet.inference.model import GPU_BATCH

        chosen = settings.Settings(
            max_bytes=round(args.max_mb * 2**20),
            max_pixels=max_pixels,
            max_photos=min(16, args.max_under_way),
            max_batch=args.max_batch or (GPU_BATCH if torch.cuda.is_available() else 1),
            max_under_way=args.max_under_way,
            timeout_s=args.timeout,
            api_keys=settings.keys_from_environment(),
            cors_origins=tuple(args.cors),
        )
        listener = server.listen(args.host, args.port)
        if args.ray:
            server.serve_backend(ray_backend.start(args.model, chosen, args.ray), chosen, listener)
        else:
            model = load_model(args.model)
            shelf = Shelf.open(args.catalogue, model.fingerprint, args.photos) if args.catalogue else None
            server.serve(model, chosen, listener, shelf=shelf)
    return 0


if __name__ == '__main__':
    sys.exit(main())
