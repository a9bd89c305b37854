"""Schemathesis makes requests out of the service's own documentation and compares the answers with it."""

import socket
import threading
from collections.abc import Iterator

import hypothesis
import pytest
from processes import wait_until

pytest.importorskip('fastapi')
uvicorn = pytest.importorskip('uvicorn')
schemathesis = pytest.importorskip('schemathesis')
pytest.importorskip('faiss')
pytest.importorskip('duckdb')

from schemathesis import checks  # noqa: E402
from shop import write_shop  # noqa: E402
from stand_in_model import SeeingModel  # noqa: E402

from fashion_mmdet.service.app import create_app  # noqa: E402
from fashion_mmdet.service.segmenter import Segmenter  # noqa: E402
from fashion_mmdet.service.settings import Settings  # noqa: E402
from fashion_mmdet.service.shelf import Shelf  # noqa: E402

pytestmark = pytest.mark.slow
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope='module')
def document(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """The documentation of a running service with a catalogue."""
    settings, model, folder = Settings(max_wait_s=0), SeeingModel(), write_shop(tmp_path_factory.mktemp('shop'))
    shelf = Shelf.open(folder / 'catalogue', model.fingerprint, folder / 'photos')
    app = create_app(Segmenter(model, settings, projection=shelf.projection), settings, shelf=shelf)
    server = uvicorn.Server(uvicorn.Config(app, log_level='error'))
    listener = socket.create_server(('127.0.0.1', 0))
    running = threading.Thread(target=server.run, args=([listener],))
    running.start()
    wait_until(lambda: server.started, 'the server has started')
    yield schemathesis.openapi.from_url(f'http://127.0.0.1:{listener.getsockname()[1]}/openapi.json')
    server.should_exit = True
    running.join()


def test_answers_are_as_documented(document):
    """Thirty requests to each operation, of which many do not fit the documentation."""
    operations = [operation.ok() for operation in document.get_all_operations()]
    assert len(operations) == 8
    settings = hypothesis.settings(
        max_examples=30,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    for operation in operations:
        for mode in schemathesis.GenerationMode:
            cases = operation.as_strategy(generation_mode=mode)
            try:
                settings(hypothesis.given(cases)(check))()
            except hypothesis.errors.Unsatisfiable:  # what takes nothing can be given nothing wrong
                assert mode is schemathesis.GenerationMode.NEGATIVE
                assert not operation.body


def check(case: schemathesis.Case) -> None:
    """Send a request and compare its answer with the documentation."""
    case.call_and_validate(checks=CHECKS)
