"""What `/v1/similar` asks for and says."""

from typing import Annotated, Any

from pydantic import BaseModel as Base
from pydantic import ConfigDict, Field, model_validator

from fashion_mmdet.service.schemas import EXAMPLE, Answer, Garment, Options

Texts = Annotated[list[str], Field(max_length=20)]
BOUND = 'COLUMN=VALUE, for any column of the catalogue; several must all hold'


class SimilarOptions(Options):
    """Which garments of the photo to search for, among which of the catalogue, and what else to say of them."""

    garment: int | None = Field(None, ge=0, description='number of one garment in the answer to /v1/segment, from 0')
    box: str | None = Field(
        None,
        pattern=r'^\d{1,6},\d{1,6},\d{1,6},\d{1,6}$',
        description='x1,y1,x2,y2 in pixels: the garment whose box fits it best',
        examples=['10,20,200,400'],
    )
    k: int = Field(10, ge=1, le=100, description='how many for each garment')
    same_category: bool = Field(False, description="only garments of the category that the photo's one has")
    category: str | None = Field(None, description='only garments of this category')
    attribute: Texts = Field([], description='only garments with all of these attributes')
    colour: Texts = Field([], description='only garments with all of these among their dominant colours (CSS names)')
    equal: Texts = Field([], description=BOUND, examples=[['shop=Oslo']])
    at_least: Texts = Field([], description=BOUND)
    at_most: Texts = Field([], description=BOUND, examples=[['price=50']])
    alternatives: bool = Field(False, description='also what to offer instead: same category, in stock, diverse')
    in_stock: str = Field('in_stock', description='column that says so: true, or a number of at least 1')
    goes_with: bool = Field(False, description="also the categories that come with the garment's on photos")

    @model_validator(mode='after')
    def _one_choice(self) -> 'SimilarOptions':
        if self.garment is not None and self.box is not None:
            raise ValueError('give garment or box, not both')
        return self


class Colour(Base):
    """A dominant colour."""

    name: str = Field(description='nearest CSS colour')
    share: float = Field(description='of the garment, 0 to 1')
    L: float = Field(description='CIELAB under D65')
    a: float
    b: float


class Match(Base):
    """A garment of the catalogue."""

    row: int = Field(description='its number in the catalogue')
    similarity: float = Field(description='cosine of the embeddings, -1 to 1')
    image: str = Field(description='name or URL of its photo')
    garment: int = Field(description='its number in that photo')
    category: str
    attributes: list[str]
    score: float = Field(description='confidence, 0 to 1')
    box: tuple[int, int, int, int] = Field(description='x1, y1, x2, y2 in pixels of its photo')
    colours: list[Colour]
    columns: dict[str, Any] = Field(description="the catalogue's own columns, such as a price; without nulls")
    photo: str | None = Field(
        None, description="path of its picture on this service, where the photo's file is at hand"
    )


class Companion(Base):
    """A category that comes with another on the catalogue's photos."""

    category: str
    together: int = Field(description='photos with both')
    lift: float = Field(description='how many times as often as by chance')
    low: float = Field(description='lower limit of its 95 % interval, by which companions are ranked')
    high: float


class GarmentMatches(Garment):
    """A garment of the photo and what is like it."""

    index: int = Field(description='its number in the photo')
    similar: list[Match] = Field(description='the nearest first')
    alternatives: list[Match] | None = Field(None, description='with alternatives=true')
    goes_with: list[Companion] | None = Field(None, description='with goes_with=true')


class SimilarAnswer(Answer):
    """The garments of a photo, or the one asked for, each with what is like it in the catalogue."""

    model_config = ConfigDict(
        json_schema_extra=dict(examples=[dict(EXAMPLE, garments=[dict(EXAMPLE['garments'][0], index=0, similar=[])])])
    )

    garments: list[GarmentMatches]
