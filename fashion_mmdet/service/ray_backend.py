"""The service's model on Ray Serve: replicas on one machine or many, as many as the load needs; needs the extra `ray`.

This process keeps what is about HTTP: uploads, limits, keys, the page. Ray Serve gathers the batches, bounds the queue
and replaces a replica that died.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import ray
from anyio import to_thread
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from fashion_mmdet.evaluation.predictions import RawPrediction
from fashion_mmdet.service import schemas
from fashion_mmdet.service.batching import FullError, Places
from fashion_mmdet.service.segmenter import Segmenter
from fashion_mmdet.service.settings import Settings
from fashion_mmdet.service.uploads import Upload

ATTEMPTS = 3  # a replica may die with photos at work, and so may its successor


@serve.deployment
class Replica:
    """Answers uploads with a model of its own."""

    def __init__(self, run: str | None, settings: Settings) -> None:
        from fashion_mmdet.inference import load_model

        self._model = load_model(run)
        self._segmenter = Segmenter(self._model, settings, submit=self._submit)
        self._infer.set_max_batch_size(settings.max_batch)
        self._infer.set_batch_wait_timeout_s(settings.max_wait_s)

    def describe(self) -> schemas.Labels:
        """Say what the model can find."""
        return self._segmenter.labels

    async def segment(self, upload: Upload, options: schemas.Options) -> schemas.Answer:
        """Answer an upload; errors as `Segmenter.segment`."""
        return await self._segmenter.segment(upload, options)

    async def _submit(self, prepared: Any) -> RawPrediction:
        made = await self._infer(prepared)
        if isinstance(made, Exception):
            raise made
        return made

    @serve.batch
    async def _infer(self, prepared: list[Any]) -> list[RawPrediction | Exception]:
        return await to_thread.run_sync(self._infer_each, prepared)

    def _infer_each(self, prepared: list[Any]) -> list[RawPrediction | Exception]:
        """Predict a batch; where that fails, each photo by itself."""
        try:
            return list(self._model.infer(prepared))
        except Exception as error:
            if len(prepared) == 1:
                return [error]
        return [made for one in prepared for made in self._infer_each([one])]


class RayBackend:
    """Hands uploads to the replicas."""

    def __init__(self, handle: DeploymentHandle, settings: Settings) -> None:
        self._handle, self.places = handle, Places(settings.max_under_way)
        self.labels: schemas.Labels = handle.describe.remote().result()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do nothing: the replicas run already."""
        yield

    async def segment(self, upload: Upload, options: schemas.Options) -> schemas.Answer:
        """Answer an upload, by another replica where one died; errors as `Segmenter.segment`, and FullError."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._handle.segment.remote(upload, options)
            except BackPressureError:
                raise FullError from None
            except RayTaskError as error:
                raise error.cause from None
            except RayActorError:
                if attempt == ATTEMPTS:
                    raise
        raise AssertionError('unreachable')


def start(run: str | None, settings: Settings, replicas: tuple[int, int]) -> RayBackend:
    """Start the smallest number of replicas; more come, up to the largest, where each has more than a batch to do.

    Joins the cluster that RAY_ADDRESS names; without it, starts one on this machine.

    Raises:
        ValueError: the smallest number is larger than the largest.
    """
    if replicas[0] > replicas[1]:
        raise ValueError(f'{replicas[0]} replicas at least and {replicas[1]} at most: the smaller number comes first')
    deployment = Replica.options(
        max_ongoing_requests=2 * settings.max_batch,
        max_queued_requests=settings.max_under_way,
        autoscaling_config=dict(
            min_replicas=replicas[0], max_replicas=replicas[1], target_ongoing_requests=settings.max_batch
        ),
    )
    if not ray.is_initialized():  # 'local': left alone, Ray would join whatever cluster it finds on this machine
        ray.init(os.environ.get('RAY_ADDRESS') or 'local')
    serve.start(proxy_location='Disabled')  # this process speaks HTTP
    handle = serve.run(deployment.bind(run, settings), name='fashion_mmdet', route_prefix=None)
    return RayBackend(handle, settings)
