"""The replicas of a model: decoding in threads, and computation in batches over requests."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from ray import serve
from ray.util.metrics import Counter

from translearn.deploy.model import build_model
from translearn.deploy.web.answer import Answer, answer
from translearn.models.model_info import ModelInfo
from translearn.models.weights import State
from translearn.training.precision import prepare_process

_BATCH_SIZE = 64


class Predictor:
    """A replica of the model."""

    def __init__(self, state: State, info: ModelInfo, num_threads: int) -> None:
        """Build the model, and compute once: the first time takes longest."""
        prepare_process(num_threads)
        self._model = build_model(state, info)
        self._decoders, self._computer = ThreadPoolExecutor(num_threads), ThreadPoolExecutor(1)
        self._images = Counter("translearn_served_images", "Images by outcome", ("outcome",))
        size = self._model.image_size
        self._model.probabilities(np.zeros((1, size, size, 3), np.uint8))

    async def __call__(self, contents: list[bytes], with_pictures: bool) -> list[Answer]:
        """Return the answers to encoded images."""
        return list(await asyncio.gather(*(self._answer(content, with_pictures) for content in contents)))

    async def _answer(self, content: bytes, with_picture: bool) -> Answer:
        pixels = await asyncio.get_running_loop().run_in_executor(self._decoders, self._model.decoded, content)
        self._images.inc(tags={"outcome": "refused" if isinstance(pixels, str) else "classified"})
        if isinstance(pixels, str):
            return Answer(reason=pixels)
        return answer(await self._probabilities(pixels), pixels, with_picture)

    # Without a wait: while a batch is computed the next one gathers.
    @serve.batch(max_batch_size=_BATCH_SIZE, batch_wait_timeout_s=0.0)
    async def _probabilities(self, images: list[np.ndarray]) -> list[np.ndarray]:
        loop, stacked = asyncio.get_running_loop(), np.stack(images)
        return list(await loop.run_in_executor(self._computer, self._model.probabilities, stacked))
