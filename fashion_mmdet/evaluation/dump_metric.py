"""The metric that writes a dump of raw predictions while mmengine tests."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from mmdet.registry import METRICS
from mmengine import dist
from mmengine.evaluator import BaseMetric

from fashion_mmdet.classes import category_ids
from fashion_mmdet.evaluation.dump import DumpWriter, read_dump
from fashion_mmdet.evaluation.predictions import RawPrediction, raw_from_sample


@METRICS.register_module()
class DumpRawPredictions(BaseMetric):
    """Stream every image's raw prediction into one Parquet file (`evaluation.dump`).

    With several processes each writes a part, on a shared disk, and the first joins them in order.

    Args:
        path: dump to write.
        config: the training's config as text, kept in the file.
        checkpoint: where the weights came from, kept in the file.
    """

    def __init__(self, path: str, config: str = '', checkpoint: str = '') -> None:
        super().__init__()
        self.path, self.config, self.checkpoint = Path(path), config, checkpoint
        self._writer: DumpWriter | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write each image."""
        ids = category_ids(self.dataset_meta)
        for sample in data_samples:
            self._open_writer().write(raw_from_sample(sample, ids))

    def evaluate(self, size: int) -> dict:
        """Close the file; with several processes, join the parts."""
        self._open_writer().close()
        self._writer = None
        if dist.get_world_size() > 1:
            dist.barrier()
            if dist.is_main_process():
                self._join(size, dist.get_world_size())
            dist.barrier()
        return {}

    def compute_metrics(self, results: list) -> dict:
        """Return nothing: the dump is the result."""
        return {}

    def _open_writer(self) -> DumpWriter:
        """Return this process's writer, opened at the first call."""
        if self._writer is None:
            path = self._part(dist.get_rank()) if dist.get_world_size() > 1 else self.path
            self._writer = DumpWriter(path, self.config, self.checkpoint)
        return self._writer

    def _part(self, rank: int) -> Path:
        return self.path.with_name(f'{self.path.name}.part{rank}')

    def _join(self, size: int, world_size: int) -> None:
        """Interleave the parts as the sampler dealt the images out, without those that pad the last round."""
        parts = [self._part(rank) for rank in range(world_size)]
        writer = DumpWriter(self.path, self.config, self.checkpoint)
        for count, raw in enumerate(_interleave(parts)):
            if count < size:
                writer.write(raw)
        writer.close()
        for part in parts:
            part.unlink()


def _interleave(parts: Sequence[Path]) -> Iterator[RawPrediction]:
    for round_ in zip_longest(*map(read_dump, parts)):
        yield from (raw for raw in round_ if raw is not None)
