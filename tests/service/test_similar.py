"""Search of a catalogue over HTTP, with a model that sees colours and a shop of twelve photos."""

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('fastapi')
pytest.importorskip('httpx2')
pytest.importorskip('faiss')
pytest.importorskip('duckdb')

from shop import COUNT, png, write_shop
from stand_in_model import SeeingModel, StandInModel
from starlette.testclient import TestClient

from fashion_mmdet.catalogue.recommend import pick_diverse
from fashion_mmdet.service.app import create_app
from fashion_mmdet.service.pictures import find_photo, name_photo
from fashion_mmdet.service.schemas import Options
from fashion_mmdet.service.segmenter import Segmenter
from fashion_mmdet.service.settings import Settings
from fashion_mmdet.service.shelf import Shelf
from fashion_mmdet.service.uploads import Upload
from tests.conftest import run_here
from tools import serve as tool


class Service:
    """A service with a shop's catalogue; `client` speaks with it."""

    def __init__(self, shop: Path, photos: Path | None, **options) -> None:
        self.model, settings = SeeingModel(), Settings(**options)
        self.shelf = Shelf.open(shop / 'catalogue', self.model.fingerprint, photos)
        self.segmenter = Segmenter(self.model, settings, projection=self.shelf.projection)
        self.client = TestClient(create_app(self.segmenter, settings, shelf=self.shelf), raise_server_exceptions=False)

    def ask(self, number: int = 0, **options):
        """Send photo `number` as the body."""
        return self.client.post('/v1/similar', params=options, content=png(number))

    def dress(self, number: int = 0, **options) -> dict:
        """Return what is said of the dress of a photo."""
        response = self.ask(number, garment=0, **options)
        assert response.status_code == 200, response.text
        (dress,) = response.json()['garments']
        return dress


@pytest.fixture(scope='module')
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp('shop'))


@pytest.fixture(scope='module')
def service(shop: Path) -> Iterator[Service]:
    made = Service(shop, shop / 'photos')
    with made.client:
        yield made


def test_each_garment_has_what_the_store_finds_for_its_embedding(service: Service):
    """A photo of the catalogue finds itself first; all else is what `VectorStore.search` gives, in one forward pass."""
    before = len(service.model.batches)
    answer = service.ask(4, k=5).json()
    assert service.model.batches[before:] == [1]
    _, vectors = service.segmenter.embed_alone(Upload('', png(4)), Options())
    wanted = service.shelf.store.search(vectors, 5)
    assert [one['category'] for one in answer['garments']] == ['dress', 'shoe']
    for place, (garment, table) in enumerate(zip(answer['garments'], wanted, strict=True)):
        assert garment['index'] == place
        assert [one['row'] for one in garment['similar']] == table['row'].to_pylist()
        assert [one['similarity'] for one in garment['similar']] == pytest.approx(table['similarity'].to_pylist())
    first = answer['garments'][0]['similar'][0]
    assert first['similarity'] == pytest.approx(1, abs=2e-3)
    assert (first['image'], first['garment'], first['box']) == ('4.png', 0, [0, 0, 28, 40])
    assert first['columns'] == dict(price=4, in_stock=True)  # bytes and nulls are left out
    assert [one['name'] for one in first['colours']] == ['teal']


def test_a_photo_without_garments_has_nothing_alike(service: Service):
    """The dress, the surest, has 0.9."""
    options = dict(threshold=0.95, alternatives=True, same_category=True, goes_with=True)
    assert service.ask(**options).json()['garments'] == []
    assert service.ask(threshold=0.95).json()['garments'] == []
    assert service.ask(threshold=0.95, garment=0).status_code == 422
    assert service.ask(threshold=0.95, box='0,0,9,9').status_code == 422


def test_segment_answers_as_without_a_catalogue_and_shares_the_queue(service: Service):
    settings = Settings()
    plain = TestClient(create_app(Segmenter(StandInModel(), settings), settings))
    with plain:
        wanted = plain.post('/v1/segment', content=png(3)).json()
        assert plain.post('/v1/similar', content=png(3)).status_code == 404
        assert 'catalogue' not in plain.get('/v1/labels').json()
    assert service.client.post('/v1/segment', content=png(3)).json() == wanted
    told = service.client.get('/v1/labels').json()['catalogue']
    assert told == dict(garments=2 * COUNT, columns=['price', 'in_stock', 'added'], in_stock=True)


def test_a_garment_is_chosen_by_number_or_box(service: Service):
    """The shoe fills the upper right corner, 4 by 4 pixels, from column 52 on."""
    assert [one['index'] for one in service.ask(garment=1).json()['garments']] == [1]
    (shoe,) = service.ask(box='50,0,56,6').json()['garments']
    assert (shoe['index'], shoe['category']) == (1, 'shoe')


@pytest.mark.parametrize(
    ('options', 'images'),
    [
        (dict(category='shoe'), range(COUNT)),
        (dict(same_category=True, at_least='price=3', at_most='price=5'), [3, 4, 5]),
        (dict(same_category=True, equal='in_stock=false'), [0, 3, 6, 9]),
        (dict(same_category=True, colour='navy', at_most='price=4'), [1, 3]),
        (dict(attribute='midi', equal=['price=2', 'in_stock=true']), [2]),
        (dict(equal="image=' or true --"), []),
        (dict(at_least='added=2026-01-01'), []),
    ],
)
def test_filters_let_through_what_they_say(service: Service, options: dict, images):
    """Prices are the photos' numbers but photo 0's, which is null; odd ones are navy; only dresses are midi."""
    found = service.dress(k=100, **options)['similar']
    assert sorted(int(one['image'].split('.')[0]) for one in found) == list(images)
    wanted = 'shoe' if 'category' in options else 'dress'
    assert all(one['category'] == wanted for one in found)


def test_alternatives_are_in_stock_of_the_category_and_diverse(service: Service):
    """The same as maximal marginal relevance over the 8 dresses in stock; a filter counts for them too."""
    found = service.dress(3, alternatives=True, k=4)
    assert found['similar'][0]['image'] == '3.png'
    _, vectors = service.segmenter.embed_alone(Upload('', png(3)), Options())
    where = "category = 'dress' and in_stock"
    (near,) = service.shelf.store.search(vectors[:1], 100, where, with_vectors=True)
    assert len(near) == 8
    picked = pick_diverse(near['similarity'].to_numpy(), np.array(near['embedding'].to_pylist()), 4)
    rows = near['row'].to_numpy()[picked].tolist()
    assert [one['row'] for one in found['alternatives']] == rows
    cheap = service.dress(3, alternatives=True, at_most='price=2')['alternatives']
    assert sorted(one['image'] for one in cheap) == ['1.png', '2.png']
    dear = service.dress(3, alternatives=True, in_stock='price', at_least='price=10')['alternatives']
    assert sorted(one['image'] for one in dear) == ['10.png', '11.png']


def test_companions_come_from_the_catalogues_photos(service: Service):
    """Of 12 photos all have a dress and a shoe: 12 * 12 / (12 * 12) = 1, and no chance in it."""
    assert service.dress(goes_with=True)['goes_with'] == [
        dict(category='shoe', together=COUNT, lift=1.0, low=1.0, high=1.0)
    ]
    assert 'goes_with' not in service.dress()


@pytest.mark.parametrize(
    ('options', 'text'),
    [
        (dict(garment=2), 'garment 2: the photo has 2, numbered from 0'),
        (dict(garment=-1), 'garment: '),
        (dict(garment=0, box='0,0,1,1'), 'garment or box, not both'),
        (dict(box='30,20,40,40'), 'no garment of the photo is there'),
        (dict(box='1,2,3'), 'box: '),
        (dict(k=0), 'k: '),
        (dict(k=101), 'k: '),
        (dict(category='dres'), "category 'dres': there is none"),
        (dict(colour='bluish'), "colour 'bluish': there is none"),
        (dict(attribute='soft'), "attribute 'soft': there is none"),
        (dict(at_most='price'), 'write COLUMN=VALUE'),
        (dict(at_most='cost=5'), "no column 'cost'"),
        (dict(at_most='price=cheap'), "column 'price' holds double, 'cheap' is none"),
        (dict(equal='colours=red'), "column 'colours' holds list"),
        (dict(equal=['price=1', 'price=2']), 'comes twice'),
        (dict(alternatives=True, in_stock='image'), "in_stock: 'image' is no column"),
        (dict(alternatives=True, in_stock='stock'), "in_stock: 'stock' is no column"),
        (dict(where='1=1'), 'where: '),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_in_one_line(service: Service, options: dict, text: str):
    response = service.ask(**options)
    assert (response.status_code, response.headers['content-type']) == (422, 'application/problem+json')
    assert text in response.json()['detail']
    assert len(response.json()['detail'].splitlines()) == 1


def test_a_picture_is_the_garments_box(service: Service):
    """The dress is the left half of its photo, 28 of 56 columns; a JPEG differs by a few grey levels."""
    (match,) = service.dress(5, k=1)['similar']
    response = service.client.get(match['photo'])
    assert response.headers['content-type'] == 'image/jpeg'
    pixels = cv2.imdecode(np.frombuffer(response.content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (40, 28, 3)
    original = cv2.imdecode(np.frombuffer(png(5), np.uint8), cv2.IMREAD_COLOR)[:, :28]
    assert np.abs(pixels.mean((0, 1)) - original.mean((0, 1))).max() < 3


def test_pictures_that_are_not_at_hand(service: Service, shop: Path, tmp_path: Path):
    """No such row, a photo that has changed, no folder of photos."""
    for row, status in ((2 * COUNT, 404), (10**30, 404), (-1, 422), ('x', 422)):
        assert service.client.get(f'/v1/catalogue/photo/{row}').status_code == status
    (tmp_path / '5.png').write_bytes(png(5, (8, 8)))
    for photos, said in ((tmp_path, 'has changed'), (None, 'not at hand')):
        other = Service(shop, photos)
        response = other.client.get('/v1/catalogue/photo/10')
        assert response.status_code == 404
        assert said in response.json()['detail']
        assert str(tmp_path) not in response.text
    with other.client:
        assert 'photo' not in other.dress()['similar'][0]


def test_no_path_leads_out_of_the_folder_of_photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    photos, secret = tmp_path / 'photos', tmp_path / 'secret.png'
    (photos / 'deep').mkdir(parents=True)
    for path in (secret, photos / 'a.png', photos / 'deep' / 'b.png'):
        path.write_bytes(png(0))
    os.symlink(secret, photos / 'link.png')
    monkeypatch.chdir(tmp_path)
    for image in ('a.png', 'photos/a.png', str(photos / 'a.png'), 'deep/../a.png'):
        assert find_photo(photos, image) == photos / 'a.png'
    assert find_photo(photos, 'deep/b.png') == photos / 'deep' / 'b.png'
    for image in ('../secret.png', 'secret.png', str(secret), 'link.png', 'deep', '', 'a\0.png', 'x' * 5000,
                  'https://shop/a.png'):  # fmt: skip
        assert find_photo(photos, image) is None, image


def test_names_of_photos_tell_nothing_of_the_machine():
    photos = Path('/home/me/photos')
    assert name_photo(photos, '/home/me/photos/deep/a.png') == 'deep/a.png'
    assert name_photo(photos, '/home/me/other/a.png') == name_photo(None, '/home/me/a.png') == 'a.png'
    for image in ('deep/a.png', 'https://shop/a.png', ''):
        assert name_photo(photos, image) == image


def test_keys_are_needed_here_too(shop: Path):
    service = Service(shop, shop / 'photos', api_keys=('secret',))
    assert service.ask().status_code == 401
    assert service.client.get('/v1/catalogue/photo/0').status_code == 401
    with service.client as client:
        assert client.get('/v1/catalogue/photo/0', headers={'X-API-Key': 'secret'}).status_code == 200


def test_a_catalogue_of_another_model_is_refused(shop: Path):
    with pytest.raises(ValueError, match='of model f00d, not of beef'):
        Shelf.open(shop / 'catalogue', 'beef')
    with pytest.raises(FileNotFoundError, match='no vector store'):
        Shelf.open(shop / 'photos', SeeingModel.fingerprint)
    with pytest.raises(NotADirectoryError, match='no such folder of photos'):
        Shelf.open(shop / 'catalogue', SeeingModel.fingerprint, shop / 'nothing')


def test_the_tool_wants_options_that_go_together():
    assert 'give it too' in run_here(tool.main, '--photos', 'p').stderr
    done = run_here(tool.main, '--catalogue', 'c', '--ray', 1, 1)
    assert (done.returncode, 'without --ray' in done.stderr) == (2, True)
