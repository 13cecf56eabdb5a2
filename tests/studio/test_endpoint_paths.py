"""Endpoints at `/api`, with a password and without one, and errors that nobody foresaw."""

import json

import pytest
import studio_api
import studio_parts

pytest.importorskip("gradio_client")
pytestmark = [
    pytest.mark.xdist_group("studio"),
    # the client's own threads leave sockets open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
PASSWORD = "grand piano"
FAILED = "the studio failed; see its output"
BUG = """
from mousai_kit import cli
from mousai_kit.studio.gallery import Gallery

def fail(*_):
    raise ValueError("<img src=x onerror=alert(1)>")

Gallery.find = fail
cli.main()
"""
MAKE = {"system": "nano", "prompt": "low saw", "seconds": 0.5, "seed": 3}


@pytest.fixture(scope="module")
def guarded(nano_run, tmp_path_factory):
    """Return a studio with a password."""
    folder = tmp_path_factory.mktemp("guarded") / "gallery"
    served = studio_parts.Server([nano_run], folder, password=PASSWORD)
    yield served
    assert "Traceback" not in served.stop()


def test_a_clip_is_made_at_api_as_it_is_at_gradios_path(server):
    for place in ("/api", "/gradio_api/call/v2"):
        *states, (kind, (made,)) = studio_api.events(server, place, "make", MAKE)
        assert (kind, made["share"]) == ("complete", 1)
        assert {kind for kind, _ in states} == {"generating"}
        assert made["clips"][0]["settings"]["seed"] == 3


@pytest.mark.parametrize(
    ("method", "path", "status", "line"),
    [
        ("POST", "/api/nothing", 404, "there is no endpoint 'nothing'"),
        ("POST", "/gradio_api/call/nothing", 404, "there is no endpoint 'nothing'"),
        ("POST", "/gradio_api/run/nothing", 404, "there is no endpoint 'nothing'"),
        ("GET", "/api/make/0", 404, "there is no such event_id, or its result was taken"),
        (
            "GET",
            "/gradio_api/call/make/0",
            404,
            "there is no such event_id, or its result was taken",
        ),
        (
            "GET",
            "/api/make",
            405,
            "an endpoint is called by POST; GET tells how the call stands, by its event_id",
        ),
    ],
)
def test_what_is_no_endpoint_and_no_event_is_told(server, method, path, status, line):
    body = b"{}" if method == "POST" else None
    found = studio_api.fetch(f"{server.url}{path}", body, method=method)
    assert found == (status, f"{line}\n".encode())


def test_nothing_of_gradios_own_lies_under_api(server):
    paths = json.loads(studio_api.fetch(f"{server.url}/openapi.json")[1])["paths"]
    assert "/gradio_api/call/v2/{api_name}" in paths
    assert [path for path in paths if path.startswith(("/api", "/studio"))] == []


@pytest.mark.parametrize("place", ["/api", "/gradio_api/call/v2"])
@pytest.mark.parametrize("name", ["make", "nothing"])
def test_with_a_password_calls_need_the_login(guarded, place, name):
    assert studio_api.fetch(f"{guarded.url}{place}/{name}", MAKE)[0] == 401
    assert studio_api.fetch(f"{guarded.url}{place}/{name}/0")[0] == 401
    assert (
        studio_api.fetch(f"{guarded.url}{place}/{name}", MAKE, cookies="access-token-x=1")[0] == 401
    )


def test_who_logged_in_makes_a_clip_and_hears_it_and_nobody_else_does(guarded, tmp_path):
    from gradio_client import Client

    cookies = studio_api.log_in(guarded, PASSWORD)
    kind, (made,) = studio_api.events(guarded, "/api", "make", MAKE, cookies=cookies)[-1]
    assert kind == "complete"
    sound = f"{guarded.url}/{made['sound']}"
    assert studio_api.fetch(sound) == (401, b"log in first\n")
    assert studio_api.fetch(f"{guarded.url}/studio/sound/{'0' * 32}.wav")[0] == 401
    status, wave = studio_api.fetch(sound, cookies=cookies)
    assert (status, wave[:4]) == (200, b"RIFF")
    client = Client(guarded.url, verbose=False, auth=("studio", PASSWORD))
    taken = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    assert studio_api.fetch(sound, cookies=taken) == (200, wave)


def test_a_bug_is_told_in_one_line_that_is_no_html_and_its_traceback_goes_to_the_output(
    nano_run, tmp_path
):
    served = studio_parts.Server([nano_run], tmp_path / "gallery", program=("-c", BUG))
    try:
        for number, (name, values) in enumerate((("clip", {"key": "x"}), ("again", {"clip": "x"}))):
            assert studio_api.refusal(served, name, values) == FAILED
            assert served.said.count("Traceback") == number + 1
        assert served.said.count("ValueError: <img src=x onerror=alert(1)>\n") == 2
        config = json.loads(studio_api.fetch(f"{served.url}/config")[1])
        (convert,) = (it["id"] for it in config["dependencies"] if it["api_name"] == "_convert")
        call = {"data": ["x", "wav"], "fn_index": convert, "session_hash": "s"}
        assert studio_api.fetch(f"{served.url}/gradio_api/queue/join", call)[0] == 200
        _, told = studio_api.fetch(f"{served.url}/gradio_api/queue/data?session_hash=s")
        assert f'"error":"{FAILED}"' in told.decode()
        assert b"<img" not in told
    finally:
        served.stop()
