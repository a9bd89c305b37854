"""What requests ask for and answers say, as OpenAPI documents it."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Point = tuple[int, int]


class Options(BaseModel):
    """What an answer should hold."""

    model_config = ConfigDict(extra='forbid')

    threshold: Share | None = Field(
        None,
        description="garments from this confidence on, whatever the model's own thresholds are (without it: those); "
        'what the network itself drops, often below 0.05, does not come back',
        examples=[0.4],
    )
    masks: Literal['rle', 'polygon', 'none'] = Field('rle', description='form of the masks', examples=['polygon'])
    attributes: bool = Field(True, description="with the garments' attributes, where the model knows any")
    cutouts: bool = Field(False, description='with each garment cut out of the photo, as a PNG')


class Rle(BaseModel):
    """A mask as COCO's compressed run lengths, which pycocotools decodes."""

    size: tuple[int, int] = Field(description='height, width')
    counts: str


class Polygon(BaseModel):
    """A part of a mask: points x, y in pixels along the edges of pixels, so that none is lost."""

    outer: list[Point]
    holes: list[list[Point]]


class Garment(BaseModel):
    """A garment, accessory or part."""

    category: str
    category_id: int
    score: float = Field(description='confidence, 0 to 1')
    box: tuple[int, int, int, int] = Field(description='x1, y1, x2, y2 in pixels; x2 and y2 are exclusive')
    area: int = Field(description='pixels of the mask')
    mask: Rle | None = Field(None, description='with masks=rle')
    polygons: list[Polygon] | None = Field(None, description='with masks=polygon')
    attributes: list[str] | None = Field(None, description='with attributes=true')
    attribute_ids: list[int] | None = Field(None, description='with attributes=true')
    cutout: str | None = Field(None, description='with cutouts=true: PNG of the box, transparent outside, in base64')


EXAMPLE = dict(
    image_id='photo.jpg',
    height=6,
    width=8,
    model='94f7f9b5aaec6d7400ce6341fe492095',
    garments=[
        dict(
            category='jacket',
            category_id=4,
            score=0.93,
            box=[2, 1, 6, 5],
            area=15,
            mask=dict(size=[6, 8], counts='>3210000;'),
            attributes=['single breasted'],
            attribute_ids=[10],
        )
    ],
)


class Answer(BaseModel):
    """The garments of a photo, by descending confidence."""

    model_config = ConfigDict(json_schema_extra=dict(examples=[EXAMPLE]))

    image_id: str = Field(description='file name of the upload')
    height: int = Field(description='pixels, turned upright by EXIF')
    width: int
    model: str = Field(description='fingerprint: equal ones give equal answers')
    garments: list[Garment]


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = 'about:blank'
    title: str
    status: int
    detail: str = Field(description='what is wrong and what to do, in one line')


class Outcome(BaseModel):
    """What came of one photo of several: an answer, or the problem with it."""

    answer: Answer | None = None
    problem: Problem | None = None


class BatchAnswer(BaseModel):
    """An outcome for each photo, in the order of the photos."""

    outcomes: list[Outcome]


class Label(BaseModel):
    """A category or an attribute."""

    id: int
    name: str
    threshold: float | None = Field(None, description="the model's own, of a category")


class Limits(BaseModel):
    """What an upload may be."""

    max_bytes: int
    max_pixels: int
    max_photos: int


class CatalogueInfo(BaseModel):
    """A catalogue that `/v1/similar` searches."""

    garments: int
    columns: list[str] = Field(description='its own ones, such as a price')
    in_stock: bool = Field(description='whether a column in_stock says what alternatives to offer')


class Labels(BaseModel):
    """What the model can find, and what it may be given."""

    name: str
    model: str = Field(description='fingerprint')
    categories: list[Label]
    attributes: list[Label]
    limits: Limits | None = None
    catalogue: CatalogueInfo | None = None


class State(BaseModel):
    """How the service is."""

    status: str
