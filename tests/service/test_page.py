"""The page in a browser: headless Chromium speaks with a real server that has a stand-in model."""

import base64
import io
import json
import os
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from processes import wait_until
from pycocotools import mask as coco_mask

pytest.importorskip('fastapi')
playwright_api = pytest.importorskip('playwright.sync_api')
axe = pytest.importorskip('axe_playwright_python.sync_playwright')
uvicorn = pytest.importorskip('uvicorn')

from shop import png, write_shop  # noqa: E402
from stand_in_model import BAD, WEAK, SeeingModel, StandInModel, find  # noqa: E402

from fashion_mmdet.evaluation.postprocess import Postprocess, postprocess  # noqa: E402
from fashion_mmdet.service import page as page_module  # noqa: E402
from fashion_mmdet.service.app import create_app  # noqa: E402
from fashion_mmdet.service.segmenter import Segmenter  # noqa: E402
from fashion_mmdet.service.settings import Settings  # noqa: E402
from fashion_mmdet.service.shelf import Shelf  # noqa: E402

CHROMIUM = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('google-chrome')
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason='no Chromium: apt-get install chromium, or CHROMIUM=path'),
]
expect = playwright_api.expect
HEIGHT, WIDTH = 300, 400  # of the photo; the dress fills its left half
MASKS = coco_mask.decode(postprocess(find(HEIGHT, WIDTH), Postprocess(score_thr=0.5)).masks)  # (H, W, 2)
MAX_PAGE_BYTES = 60_000


@pytest.fixture(scope='module')
def model() -> StandInModel:
    return StandInModel()


def start_server(
    model: StandInModel, shelf: Shelf | None = None, **options
) -> tuple[uvicorn.Server, threading.Thread, str]:
    settings = Settings(**options)
    segmenter = Segmenter(model, settings, projection=shelf and shelf.projection)
    app = create_app(segmenter, settings, shelf=shelf)
    server = uvicorn.Server(uvicorn.Config(app, log_level='warning'))
    listener = socket.create_server(('127.0.0.1', 0))
    running = threading.Thread(target=server.run, args=([listener],))
    running.start()
    wait_until(lambda: server.started, 'the server has started')
    return server, running, f'http://127.0.0.1:{listener.getsockname()[1]}'


@pytest.fixture(scope='module')
def url(model: StandInModel) -> Iterator[str]:
    server, running, url = start_server(model, max_bytes=500_000)
    yield url
    server.should_exit = True
    running.join()


@pytest.fixture(scope='module')
def browser() -> Iterator[object]:
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, url: str) -> Iterator[object]:
    """The page, opened; what its console says in the end must be nothing."""
    context = browser.new_context(viewport=dict(width=1280, height=800))
    opened, said = context.new_page(), []
    opened.on('console', lambda message: said.append(message.text))
    opened.on('pageerror', lambda error: said.append(str(error)))
    opened.goto(url)
    yield opened
    context.close()
    assert [text for text in said if 'Failed to load resource' not in text] == []


def photo(height: int = HEIGHT, width: int = WIDTH) -> bytes:
    """A photo whose every pixel has its own colour."""
    rows, columns = np.mgrid[:height, :width]
    pixels = np.stack([rows % 256, columns % 256, (rows // 256 + 4 * (columns // 256)) + 100], axis=-1)
    return cv2.imencode('.png', pixels.astype(np.uint8))[1].tobytes()


def choose(page, content: bytes, name: str = 'me.png', kind: str = 'image/png') -> None:
    page.set_input_files('#file', files=[dict(name=name, mimeType=kind, buffer=content)])


def listed(page) -> list[str]:
    return page.locator('#list .pick').all_inner_texts()


def overlay(page) -> np.ndarray:
    """Read the overlay's pixels; (H, W, 4) RGBA."""
    data = page.evaluate('document.getElementById("overlay").toDataURL().split(",")[1]')
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert('RGBA'))


def show(page) -> None:
    choose(page, photo())
    page.wait_for_selector('#list li')


def test_a_photo_is_outlined_and_listed(page):
    """The overlay is exactly the masks of dress and shoe, the hat being below the model's own threshold of 0.5."""
    show(page)
    assert [text.split('\n')[0] for text in listed(page)] == ['dress', 'shoe']
    assert '90 %' in listed(page)[0]
    assert 'midi' in listed(page)[0]
    np.testing.assert_array_equal(overlay(page)[..., 3] > 0, MASKS.any(axis=2))
    assert '2 garments found: dress 90 %; shoe 60 %' in page.text_content('#status')


def test_the_slider_answers_without_a_request(page, model: StandInModel):
    show(page)
    before = len(model.batches)
    slider = page.locator('#threshold')
    for threshold, names in ((10, ['dress', 'shoe', 'hat']), (70, ['dress']), (95, [])):
        slider.fill(str(threshold))
        assert [text.split('\n')[0] for text in listed(page)] == names
    assert 'Move the slider to the left' in page.text_content('#none')
    assert overlay(page)[..., 3].max() == 0
    page.click('#own')
    assert len(listed(page)) == 2
    assert len(model.batches) == before


def test_hovering_and_focus_light_a_garment(page):
    """Inside of the dress, a pixel from its edges, the photo shows as it is; all outside is darkened."""
    show(page)
    box = page.locator('#overlay').bounding_box()
    page.mouse.move(box['x'] + 50, box['y'] + 50)
    assert page.text_content('#tip b') == 'dress, 90 %'
    assert 'midi' in page.text_content('#tip')
    alpha = overlay(page)[..., 3]
    assert (alpha[10:-10, 10:190] == 0).all()
    assert (alpha[:, 205:] == 0x99).all()
    page.mouse.move(5, 5)
    assert not page.is_visible('#tip')
    page.focus('#threshold')
    page.keyboard.press('Tab')  # the shoe's and dress's rows have two buttons each; "own" cannot have the focus
    assert page.text_content('#tip b') == 'dress, 90 %'
    page.keyboard.press('Enter')
    assert page.get_attribute('#list .pick', 'aria-pressed') == 'true'
    page.keyboard.press('Tab')
    page.keyboard.press('Tab')
    assert page.text_content('#tip b') == 'shoe, 60 %'
    page.keyboard.press('Escape')
    assert page.get_attribute('#list .pick', 'aria-pressed') == 'false'


def test_a_cutout_has_the_photos_colours_and_size(page):
    show(page)
    with page.expect_download() as waiting:
        page.click('#list li:nth-child(1) .save')
    assert waiting.value.suggested_filename == 'me-dress.png'
    pixels = np.asarray(Image.open(waiting.value.path()).convert('RGBA'))
    original = np.asarray(Image.open(io.BytesIO(photo())).convert('RGB'))[:, :200]
    inside = MASKS[:, :200, 0] > 0
    np.testing.assert_array_equal(pixels[..., 3], 255 * inside)
    np.testing.assert_array_equal(pixels[inside, :3], original[inside])


def test_the_json_is_what_is_shown(page):
    show(page)
    page.click('#data summary')
    answer = json.loads(page.text_content('#json'))
    assert [one['category'] for one in answer['garments']] == ['dress', 'shoe']
    assert answer['image_id'] == 'me.png'
    page.locator('#threshold').fill('10')
    weakest = json.loads(page.text_content('#json'))['garments'][-1]
    assert weakest['score'] == pytest.approx(WEAK, abs=1e-3)
    page.click('#copy')
    expect(page.locator('#copy')).not_to_have_text('Copy')


@pytest.mark.parametrize('name', page_module.EXAMPLES)
def test_an_example_is_shown(page, name: str):
    page.click(f'[data-name={name}]')
    page.wait_for_selector('#list li')
    assert name in page.get_attribute('#photo', 'alt')


@pytest.mark.parametrize('way', ['drop', 'paste'])
def test_a_photo_can_be_dropped_or_pasted(page, way: str):
    data = page.evaluate_handle(
        """([bytes]) => { const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(bytes)], 'me.png', { type: 'image/png' })); return data; }""",
        [list(photo())],
    )
    key = 'dataTransfer' if way == 'drop' else 'clipboardData'
    event = 'DragEvent' if way == 'drop' else 'ClipboardEvent'
    page.evaluate(
        f'(data) => document.body.dispatchEvent(new {event}("{way}", {{{key}: data, bubbles: true}}))',
        data,
    )
    page.wait_for_selector('#list li')


def test_errors_come_in_words(page, model: StandInModel):
    choose(page, b'no photo')
    page.wait_for_selector('#problem:not([hidden])')
    assert 'me.png cannot be shown' in page.text_content('#problem')
    choose(page, b'%PDF', 'me.pdf', 'application/pdf')
    expect(page.locator('#problem')).to_contain_text('me.pdf is no photo')
    choose(page, bytes(600_000), 'big.png')
    expect(page.locator('#problem')).to_contain_text('big.png has 0.6 MB')
    choose(page, cv2.imencode('.png', np.full((50, 50, 3), BAD, np.uint8))[1].tobytes())
    expect(page.locator('#problem')).to_contain_text('something went wrong')
    page.context.set_offline(True)
    choose(page, photo())
    expect(page.locator('#problem')).to_contain_text('does not answer')
    page.context.set_offline(False)
    show(page)
    assert not page.is_visible('#problem')


def test_the_second_photo_of_two_wins(page, model: StandInModel):
    """The first is held up in the model when the second is chosen."""
    model.gate.clear()
    try:
        choose(page, photo(), 'first.png')
        page.wait_for_selector('#busy:not([hidden])')
        choose(page, photo(60, 80), 'second.png')
        expect(page.locator('#photo')).to_have_attribute('alt', re.compile('second'))
    finally:
        model.gate.set()
    page.wait_for_selector('#list li')
    assert json.loads(page.text_content('#json'))['width'] == 80


def test_a_service_with_keys_asks_for_one(browser, model: StandInModel):
    server, running, url = start_server(model, api_keys=('secret',))
    page = browser.new_context().new_page()
    try:
        page.goto(url)
        page.wait_for_selector('#key-form:not([hidden])')
        page.fill('#key', 'wrong')
        page.keyboard.press('Enter')
        page.wait_for_selector('#problem:not([hidden])')
        page.fill('#key', 'secret')
        page.keyboard.press('Enter')
        page.wait_for_selector('#key-form', state='hidden')
        show(page)
    finally:
        page.context.close()
        server.should_exit = True
        running.join()


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('device', ['desktop', 'phone'])
def test_axe_finds_no_serious_violation_and_nothing_sticks_out(browser, url: str, scheme: str, device: str):
    width = 1280 if device == 'desktop' else 360
    context = browser.new_context(color_scheme=scheme, viewport=dict(width=width, height=800), bypass_csp=True)
    page = context.new_page()
    page.goto(url)
    for step in ('start', 'result', 'error'):
        if step == 'result':
            show(page)
            page.click('#data summary')
        if step == 'error':
            choose(page, b'no photo')
            page.wait_for_selector('#problem:not([hidden])')
        found = axe.Axe().run(page).response['violations']
        serious = [(one['id'], one['nodes'][0]['html']) for one in found if one['impact'] in ('serious', 'critical')]
        assert serious == [], step
        assert page.evaluate('document.documentElement.scrollWidth') <= width, step
    context.close()


def test_a_chosen_garment_shows_what_is_like_it(browser, tmp_path: Path):
    """Of photo 3, which is in the catalogue, itself comes first, with its picture; without a catalogue nothing does."""
    pytest.importorskip('faiss')
    pytest.importorskip('duckdb')
    folder, seeing = write_shop(tmp_path), SeeingModel()
    shelf = Shelf.open(folder / 'catalogue', seeing.fingerprint, folder / 'photos')
    server, running, url = start_server(seeing, shelf, api_keys=('secret',))
    said: list[str] = []
    page = browser.new_context(viewport=dict(width=1280, height=800), bypass_csp=False).new_page()
    page.on('console', lambda message: said.append(message.text))
    try:
        page.goto(url)
        page.fill('#key', 'secret')
        page.keyboard.press('Enter')
        page.wait_for_selector('#key-form', state='hidden')
        choose(page, png(3), '3.png')
        page.wait_for_selector('#list li')
        assert len(seeing.batches) == 1  # a single pass for outlines and neighbours
        assert page.locator('.similar').count() == 0
        page.focus('#list .pick')
        page.keyboard.press('Enter')
        panel = page.get_by_role('region', name='Similar to dress')
        expect(panel.get_by_role('heading')).to_have_text(['Similar', 'In stock instead'])
        first = panel.get_by_role('listitem').first
        expect(first).to_contain_text('100 % dress')
        expect(first).to_contain_text('price: 3')
        expect(first.get_by_role('img', name='dress, navy')).to_be_visible()
        assert first.locator('img').evaluate('(image) => [image.naturalWidth, image.naturalHeight]') == [28, 40]
        expect(page.locator('#found')).to_have_text('6 similar to dress, listed below it')
        for width, scheme in ((1280, 'dark'), (360, 'light')):
            page.set_viewport_size(dict(width=width, height=800))
            page.emulate_media(color_scheme=scheme)
            found = axe.Axe().run(page).response['violations']
            assert [one['id'] for one in found if one['impact'] in ('serious', 'critical')] == []
            assert page.evaluate('document.documentElement.scrollWidth') <= width
        page.keyboard.press('Escape')
        expect(panel).to_have_count(0)
        assert [text for text in said if 'status of 401' not in text] == []
    finally:
        page.context.close()
        server.should_exit = True
        running.join()


def test_the_page_is_light_and_needs_nothing_from_elsewhere():
    files = [path for path in Path(page_module.STATIC).iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MAX_PAGE_BYTES
    for path in files:
        elsewhere = set(re.findall(r'https?://[^"\'\s]+', path.read_text())) - {'http://www.w3.org/2000/svg'}
        assert not elsewhere, path.name
