"""What a prediction says of a photo: its garments, and what can be made of them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fashion_mmdet.classes import ATTRIBUTES, CATEGORIES
from fashion_mmdet.evaluation.predictions import Prediction
from fashion_mmdet.inference.photos import PhotoLike, to_rgb
from fashion_mmdet.masks import rle
from fashion_mmdet.masks.polygons import Polygon, mask_to_polygons

DRAWN_PX = (720, 1440)


@dataclass(frozen=True, slots=True)
class Garment:
    """A garment, accessory or part found in a photo.

    Attributes:
        category: name, such as 'shirt, blouse'.
        category_id: its number in the competition, 0 to 45.
        score: confidence in [0, 1].
        box: x1, y1, x2, y2 of the mask in pixels of the photo; x2 and y2 are exclusive.
        mask: COCO RLE of the photo's size, counts as str.
        attributes: names, such as 'single breasted'; () where the model knows none.
        attribute_ids: their numbers in the competition, 0 to 91, ascending.
        area: pixels of the mask.
    """

    category: str
    category_id: int
    score: float
    box: tuple[int, int, int, int]
    mask: dict
    attributes: tuple[str, ...]
    attribute_ids: tuple[int, ...]
    area: int


class Result:
    """The garments of one photo, by descending score.

    Attributes:
        image_id: name of the photo's file; 'photo' for what has none.
        height, width: of the photo, upright, in pixels.
        garments: what was found.

    Args:
        image_id, height, width, garments: as above.
        photo: RGB array, or a path, bytes or PIL image to decode when the pixels are first asked for; None where the
            pixels are not at hand.
    """

    def __init__(
        self, image_id: str, height: int, width: int, garments: list[Garment], photo: PhotoLike | None = None
    ) -> None:
        self.image_id, self.height, self.width, self.garments = image_id, height, width, garments
        self._photo = photo

    def __repr__(self) -> str:
        """Show what was found."""
        found = ', '.join(f'{garment.category} {garment.score:.2f}' for garment in self.garments) or 'nothing'
        return f'Result({self.image_id!r}, {self.height}x{self.width}: {found})'

    @property
    def photo(self) -> np.ndarray | None:
        """The photo at full size, (H, W, 3) uint8 RGB, upright; decoded at each call unless an array was given.

        Raises:
            OSError, ValueError: the file has changed or gone since.
        """
        if self._photo is None:
            return None
        photo = to_rgb(self._photo)
        if photo.shape[:2] != (self.height, self.width):
            raise ValueError(
                f'{self.image_id}: the photo has changed: it was {self.height}x{self.width} when predicted'
            )
        return photo

    def to_json(self) -> dict[str, Any]:
        """Return everything but the photo as plain dicts, lists, numbers and texts."""
        garments = [dict(asdict(one), box=list(one.box), attributes=list(one.attributes)) for one in self.garments]
        for one in garments:
            one['attribute_ids'] = list(one['attribute_ids'])
        return dict(image_id=self.image_id, height=self.height, width=self.width, garments=garments)

    def to_coco(self, image_id: int | str = 1, first_id: int = 1) -> list[dict[str, Any]]:
        """Return the garments as annotations of a COCO file, `iscrowd` 0, as mmdet and FiftyOne read them.

        Args:
            image_id: `id` of the image in the file.
            first_id: `id` of the first annotation.

        Returns:
            Dicts of id, image_id, category_id (0 to 45), segmentation (RLE), bbox (x, y, width, height), area, iscrowd,
            score and attribute_ids.
        """
        return [
            dict(
                id=first_id + index,
                image_id=image_id,
                category_id=one.category_id,
                segmentation=one.mask,
                bbox=[one.box[0], one.box[1], one.box[2] - one.box[0], one.box[3] - one.box[1]],
                area=one.area,
                iscrowd=0,
                score=one.score,
                attribute_ids=list(one.attribute_ids),
            )
            for index, one in enumerate(self.garments)
        ]

    def mask(self, index: int) -> np.ndarray:
        """Return a garment's mask as an (H, W) bool bitmap."""
        return rle.runs_to_mask(rle.coco_to_runs(self.garments[index].mask), self.height, self.width)

    def polygons(self) -> list[list[Polygon]]:
        """Return each garment's parts as an outer ring with holes, (N, 2) x, y in pixels, which lose no pixel.

        Rings run along the edges of pixels. A format without holes needs RLE, or loses them.
        """
        found = []
        for index, garment in enumerate(self.garments):
            x1, y1, x2, y2 = garment.box
            corner = np.array([x1, y1], np.int32)
            polygons = mask_to_polygons(self.mask(index)[y1:y2, x1:x2])
            found.append([Polygon(one.outer + corner, [hole + corner for hole in one.holes]) for one in polygons])
        return found

    def cutout(self, index: int) -> np.ndarray:
        """Cut a garment out in the photo's own colours and size.

        Returns:
            (h, w, 4) uint8 RGBA, cropped to the garment's box: opaque inside of the mask, transparent black outside.

        Raises:
            ValueError: the photo is not at hand.
        """
        x1, y1, x2, y2 = self.garments[index].box
        inside = self.mask(index)[y1:y2, x1:x2, None]
        pixels = np.where(inside, self._need_photo()[y1:y2, x1:x2], 0)
        return np.concatenate([pixels, inside * np.uint8(255)], axis=2, dtype=np.uint8)

    def draw(self, height_px: int | None = None) -> np.ndarray:
        """Draw masks, outlines, names and scores on the photo.

        Args:
            height_px: height of the picture; None for the photo's own, but 720 to 1440.

        Returns:
            (h, w, 3) uint8 RGB.

        Raises:
            ValueError: the photo is not at hand.
        """
        from fashion_mmdet.evaluation.overlay import draw_objects

        height_px = height_px or min(max(self.height, DRAWN_PX[0]), DRAWN_PX[1])
        notes = [f'{one.score:.2f}' for one in self.garments]
        categories, masks = [one.category_id for one in self.garments], [one.mask for one in self.garments]
        return np.asarray(draw_objects(self._need_photo(), categories, masks, notes, height_px=height_px))

    def _need_photo(self) -> np.ndarray:
        photo = self.photo
        if photo is None:
            raise ValueError(f'{self.image_id}: the result was made without the photo')
        return photo


def make_result(prediction: Prediction, photo: PhotoLike | None = None) -> Result:
    """Make the result of a final prediction whose masks have the photo's size."""
    height, width = prediction.size
    garments = [
        _make_garment(*one, height)
        for one in zip(
            prediction.categories.tolist(),
            prediction.scores.tolist(),
            prediction.masks,
            prediction.attributes,
            strict=True,
        )
    ]
    return Result(prediction.image_id, height, width, garments, photo)


def _make_garment(category: int, score: float, mask: dict, attributes: tuple[int, ...], height: int) -> Garment:
    runs = rle.coco_to_runs(mask)
    return Garment(
        category=CATEGORIES[category],
        category_id=category,
        score=score,
        box=rle.bounding_box(runs, height),
        mask=mask,
        attributes=tuple(ATTRIBUTES[attribute] for attribute in attributes),
        attribute_ids=tuple(attributes),
        area=rle.area(runs),
    )
