"""The service over HTTP, with a model that finds the same in every photo."""

import base64
import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from processes import wait_until
from pycocotools import mask as coco_mask

pytest.importorskip('fastapi')
anyio = pytest.importorskip('anyio')
httpx2 = pytest.importorskip('httpx2')
uvicorn = pytest.importorskip('uvicorn')

from stand_in_model import BAD, WEAK, StandInModel  # noqa: E402
from starlette.testclient import TestClient  # noqa: E402

from fashion_mmdet.service.app import create_app  # noqa: E402
from fashion_mmdet.service.middleware import Telemetry  # noqa: E402
from fashion_mmdet.service.segmenter import Segmenter  # noqa: E402
from fashion_mmdet.service.settings import Settings  # noqa: E402

SIZE = 40, 56  # of the photos; the dress fills columns 0 to 27
GREY = np.full((*SIZE, 3), (200, 100, 50), np.uint8)  # BGR


def png(pixels: np.ndarray = GREY) -> bytes:
    return cv2.imencode('.png', pixels)[1].tobytes()


class Service:
    """A service with a stand-in model; `client` speaks with it."""

    def __init__(self, **options) -> None:
        self.model, settings, self.telemetry = StandInModel(), Settings(**options), Telemetry()
        segmenter = Segmenter(self.model, settings, self.telemetry.count_batch)
        self.app = create_app(segmenter, settings, self.telemetry)
        self.client = TestClient(self.app, raise_server_exceptions=False)

    def ask(self, photo: bytes = b'', **options):
        """Send a photo as the body."""
        return self.client.post('/v1/segment', params=options, content=photo or png())


@pytest.fixture
def serve() -> Iterator[Callable[..., Service]]:
    """Start services that stop with the test."""
    started: list[Service] = []

    def start(**options) -> Service:
        started.append(Service(**options))
        started[-1].client.__enter__()
        return started[-1]

    yield start
    for service in started:
        service.model.gate.set()
        service.client.__exit__(None, None, None)


def assert_problem(response, status: int, text: str) -> None:
    assert (response.status_code, response.headers['content-type']) == (status, 'application/problem+json')
    problem = response.json()
    assert problem['status'] == status
    assert text in problem['detail']
    assert len(problem['detail'].splitlines()) == 1


def test_a_photo_gives_its_garments(serve):
    """Of the three things in the photo the hat is below the model's own threshold of 0.5."""
    answer = serve().ask().json()
    assert {key: answer[key] for key in ('height', 'width', 'model')} == dict(height=40, width=56, model='f00d')
    dress, shoe = answer['garments']
    assert (dress['category'], dress['box'], dress['area']) == ('dress', [0, 0, 28, 40], 28 * 40)
    assert (dress['attributes'], dress['attribute_ids']) == (['midi'], [7])
    assert dress['score'] == pytest.approx(0.9)
    wanted = np.zeros(SIZE, np.uint8)
    wanted[:, :28] = 1
    np.testing.assert_array_equal(coco_mask.decode(dress['mask']), wanted)
    assert (shoe['category'], shoe['attributes']) == ('shoe', [])


def test_a_form_gives_the_same_as_a_body_and_the_files_name(serve):
    service = serve()
    answer = service.client.post('/v1/segment', files={'anything': ('../photos/a.png', png())}).json()
    assert answer['image_id'] == 'a.png'
    assert dict(answer, image_id='photo') == service.ask().json()


def test_a_body_of_unknown_length_is_served(serve):
    service = serve()
    content = png()
    chunks = (content[at : at + 7] for at in range(0, len(content), 7))
    assert service.client.post('/v1/segment', content=chunks).status_code == 200


def test_a_threshold_below_the_models_own_counts(serve):
    service = serve()
    for threshold, names in ((WEAK, ['dress', 'shoe', 'hat']), (0.7, ['dress']), (0.95, [])):
        garments = service.ask(threshold=threshold).json()['garments']
        assert [one['category'] for one in garments] == names


def test_masks_as_polygons_or_not_at_all(serve):
    service = serve()
    dress = service.ask(masks='polygon').json()['garments'][0]
    assert 'mask' not in dress
    ((part),) = dress['polygons']
    assert sorted(part['outer']) == [[0, 0], [0, 40], [28, 0], [28, 40]]
    assert part['holes'] == []
    bare = service.ask(masks='none', attributes=False).json()['garments'][0]
    assert set(bare) == {'category', 'category_id', 'score', 'box', 'area'}


def test_cutouts_have_the_photos_colours(serve):
    dress = serve().ask(cutouts=True).json()['garments'][0]
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(dress['cutout']), np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels.shape == (40, 28, 4)
    assert (pixels == (200, 100, 50, 255)).all()


def test_cutouts_are_bounded(serve):
    """The photo's 2,240 pixels are allowed, three cut-outs of 1,120 are too many."""
    service = serve(max_pixels=2240)
    found = service.model.infer

    def three(photos):
        (raw,) = found(photos)
        for name in ('categories', 'scores', 'boxes', 'mask_probs', 'attribute_probs'):
            setattr(raw, name, np.repeat(getattr(raw, name), 3, axis=0))
        raw.categories = np.arange(9)
        return [raw]

    service.model.infer = three
    service.app.state.backend.batcher._call = three
    assert_problem(service.ask(cutouts=True), 422, 'the cut-outs of 6 garments are too large')
    assert service.ask().status_code == 200


def test_one_bad_photo_of_several_does_not_concern_the_others(serve):
    """One breaks the batch: the other is answered when each is tried alone."""
    service = serve(max_wait_s=0.2)
    names = (
        ('good.png', png()),
        ('bad.png', b'GIF89a'),
        ('breaks.png', png(np.full_like(GREY, BAD))),
        ('cut.png', png()[:60]),
    )
    response = service.client.post('/v1/segment:batch', files=[('photos', one) for one in names])
    assert response.status_code == 200
    good, *bad = response.json()['outcomes']
    assert good['answer']['image_id'] == 'good.png'
    assert len(good['answer']['garments']) == 2
    assert [one['problem']['status'] for one in bad] == [415, 500, 422]


def test_more_photos_than_allowed_are_refused(serve):
    service = serve(max_photos=2)
    files = [('photos', (name, png())) for name in 'abc']
    assert_problem(service.client.post('/v1/segment:batch', files=files), 413, 'more than 2 photos')
    assert_problem(service.client.post('/v1/segment', files=files[:2]), 413, 'more than 1 photo')


def test_a_defect_is_answered_without_details(serve):
    assert_problem(serve().ask(png(np.full_like(GREY, BAD))), 500, 'the log of the service')


@pytest.mark.parametrize(
    ('photo', 'options', 'status', 'text'),
    [
        (b'GIF89a', {}, 415, 'not a JPEG'),
        (png()[:70], {}, 422, 'cut off'),
        (cv2.imencode('.jpg', GREY)[1].tobytes()[:-200], {}, 422, 'cut off'),
        (png(np.zeros((50, 50, 3), np.uint8)), {}, 413, '50x50 pixels'),
        (b'x' * 5000, {}, 413, 'MiB'),
        (png(), dict(threshold=2), 422, 'threshold: '),
        (png(), dict(threshold='nan'), 422, 'threshold: '),
        (png(), dict(masks='bitmap'), 422, 'masks: '),
        (png(), dict(treshold=1), 422, 'treshold: '),
        (png(), {'a\nb\x85c': 1}, 422, 'a b c: '),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(serve, photo, options, status, text):
    assert_problem(serve(max_pixels=2240, max_bytes=4000).ask(photo, **options), status, text)


def test_when_all_places_are_taken_the_next_is_told_to_wait(serve):
    """Two photos are held up in the model: a third finds no place, nor do several at once."""
    service = serve(max_under_way=2, max_photos=2)
    service.model.gate.clear()
    with ThreadPoolExecutor(2) as pool:
        begun = [pool.submit(service.ask) for _ in range(2)]
        wait_until(lambda: service.app.state.backend.places.taken == 2, 'both are under way')
        refused = service.ask()
        assert_problem(refused, 429, 'try again')
        assert int(refused.headers['retry-after']) >= 1
        assert service.client.get('/readyz').status_code == 503
        assert service.client.get('/healthz').json() == dict(status='ok')
        service.model.gate.set()
        assert [one.result().status_code for one in begun] == [200, 200]
    assert service.client.get('/readyz').json() == dict(status='ready')
    assert service.ask().status_code == 200


def test_several_photos_need_as_many_places(serve):
    """Of two places one is taken."""
    service = serve(max_under_way=2, max_photos=2)
    service.model.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(service.ask)
        wait_until(lambda: service.app.state.backend.places.taken == 1, 'one is under way')
        files = [('photos', (name, png())) for name in 'ab']
        assert_problem(service.client.post('/v1/segment:batch', files=files), 429, 'try again')
        service.model.gate.set()
        assert begun.result().status_code == 200
    assert service.client.post('/v1/segment:batch', files=files).status_code == 200


def test_an_answer_that_takes_too_long_is_given_up(serve):
    service = serve(timeout_s=0.2)
    service.model.gate.clear()
    assert_problem(service.ask(), 503, 'not answered within 0.2 s')
    assert service.app.state.backend.places.taken == 0


def test_requests_share_batches(serve):
    """One is held up in the model, three come: the second batch has three photos."""
    service = serve(max_wait_s=0, max_batch=8)
    service.model.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        begun = [pool.submit(service.ask)]
        assert service.model.entered.acquire(timeout=60)
        begun += [pool.submit(service.ask) for _ in range(3)]
        wait_until(lambda: service.app.state.backend.batcher.waiting == 3, 'three wait')
        service.model.gate.set()
        assert {one.result().status_code for one in begun} == {200}
    assert service.model.batches == [1, 3]
    metrics = service.client.get('/metrics').text
    assert 'fashion_requests_total{path="/v1/segment",status="200"} 4.0' in metrics
    assert 'fashion_batch_photos_sum 4.0' in metrics
    assert 'fashion_photos_under_way 0.0' in metrics


def test_a_client_that_goes_is_dropped_from_the_queue():
    """Its photo waits behind one in the model, then the client goes: the model never sees it."""
    service = Service(max_wait_s=0)
    scope = dict(
        type='http', method='POST', path='/v1/segment', query_string=b'', headers=[], http_version='1.1', scheme='http'
    )
    batcher = service.app.state.backend.batcher

    async def call(gone: anyio.Event) -> list[dict]:
        body, sent = [dict(type='http.request', body=png(), more_body=False)], []

        async def receive() -> dict:
            if body:
                return body.pop()
            await gone.wait()
            return dict(type='http.disconnect')

        async def send(message: dict) -> None:
            sent.append(message)

        await service.app(dict(scope), receive, send)
        return sent

    async def main() -> list[dict]:
        service.model.gate.clear()
        with anyio.fail_after(60):
            async with service.app.state.backend.running(), anyio.create_task_group() as group:
                group.start_soon(call, anyio.Event())
                while not service.model.batches:
                    await anyio.sleep(0.001)
                gone = anyio.Event()
                group.start_soon(call, gone)
                while batcher.waiting < 1:
                    await anyio.sleep(0.001)
                gone.set()
                while service.app.state.backend.places.taken > 1:
                    await anyio.sleep(0.001)
                assert batcher.waiting == 0
                service.model.gate.set()

    anyio.run(main)
    assert service.model.batches == [1]


def test_a_client_that_goes_during_its_upload_is_no_defect(caplog: pytest.LogCaptureFixture):
    """Nobody reads the answer; what counts is that its place is free again and the log holds no error."""
    service, sent = Service(), []
    messages = [dict(type='http.request', body=b'x', more_body=True), dict(type='http.disconnect')]
    scope = dict(
        type='http', method='POST', path='/v1/segment', query_string=b'', headers=[], http_version='1.1', scheme='http'
    )

    async def receive() -> dict:
        return messages.pop(0)

    async def send(message: dict) -> None:
        sent.append(message)

    anyio.run(service.app, scope, receive, send)
    assert sent[0]['status'] == 499
    assert service.app.state.backend.places.taken == 0
    assert not [one for one in caplog.records if one.levelname == 'ERROR']


def test_what_has_begun_is_finished_when_the_service_stops():
    """A real server is told to stop while a photo is in the model and two wait; it then takes no new connection."""
    service = Service(max_wait_s=0, max_batch=1)
    service.model.gate.clear()
    listener = socket.create_server(('127.0.0.1', 0))
    url = f'http://127.0.0.1:{listener.getsockname()[1]}/v1/segment'
    server = uvicorn.Server(uvicorn.Config(service.app, log_level='warning'))
    running = threading.Thread(target=server.run, args=([listener],))
    running.start()
    with ThreadPoolExecutor(3) as pool:
        begun = [pool.submit(httpx2.post, url, content=png(), timeout=60) for _ in range(3)]
        wait_until(lambda: service.app.state.backend.batcher.waiting == 2, 'two wait')
        server.should_exit = True
        wait_until(lambda: is_refused(url), 'new connections are refused')
        service.model.gate.set()
        assert [one.result().status_code for one in begun] == [200] * 3
    running.join(60)
    assert not running.is_alive()
    assert service.model.batches == [1, 1, 1]


def is_refused(url: str) -> bool:
    try:
        httpx2.get(url, timeout=1)
    except httpx2.TransportError:
        return True
    return False


def test_keys_are_asked_for_where_there_are_any(serve):
    service = serve(api_keys=('first', 'second one'))
    assert_problem(service.ask(), 401, 'X-API-Key')
    for key, status in (('first', 200), ('second one', 200), ('firs', 401), ('', 401)):
        response = service.client.get('/v1/labels', headers={'X-API-Key': key})
        assert response.status_code == status, key
    assert service.client.get('/').status_code == service.client.get('/healthz').status_code == 200
    assert service.model.batches == []


def test_other_pages_may_call_only_if_asked_for(serve):
    origin = {'Origin': 'https://shop.example'}
    assert 'access-control-allow-origin' not in serve().client.get('/v1/labels', headers=origin).headers
    service = serve(cors_origins=('https://shop.example',), api_keys=('key',))
    asked = {**origin, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'x-api-key'}
    allowed = service.client.options('/v1/segment', headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers['access-control-allow-origin'] == 'https://shop.example'


def test_every_answer_has_its_headers(serve):
    service = serve()
    for path in ('/', '/v1/labels', '/nowhere', '/static/page.js'):
        headers = service.client.get(path).headers
        assert "default-src 'none'" in headers['content-security-policy'], path
        assert headers['x-content-type-options'] == 'nosniff'
    assert_problem(service.client.get('/nowhere'), 404, 'Not Found')
    assert_problem(service.client.get('/v1/segment'), 405, 'Method Not Allowed')


def test_labels_say_what_the_model_knows_and_takes(serve):
    labels = serve(max_pixels=1000).client.get('/v1/labels').json()
    assert (len(labels['categories']), len(labels['attributes'])) == (46, 92)
    assert labels['categories'][10] == dict(id=10, name='dress', threshold=0.5)
    assert labels['limits']['max_pixels'] == 1000


def test_the_documentations_examples_work(serve):
    """Every example of a parameter is taken; the example of an answer says what such an answer says."""
    service = serve()
    document = service.client.get('/openapi.json').json()
    tried = 0
    for parameter in document['paths']['/v1/segment']['post']['parameters']:
        for example in parameter['schema'].get('examples', []):
            assert service.ask(**{parameter['name']: example}).status_code == 200
            tried += 1
    assert tried >= 2
    example = document['components']['schemas']['Answer']['examples'][0]
    assert set(example) == set(service.ask().json())
    assert set(example['garments'][0]) == set(service.ask().json()['garments'][0])
    mask = coco_mask.decode(example['garments'][0]['mask'])
    assert mask.shape == (example['height'], example['width'])
    assert mask.sum() == example['garments'][0]['area']
    assert 'problem+json' in json.dumps(document['paths']['/v1/segment:batch'])
