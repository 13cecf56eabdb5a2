"""Requests that make no sense: each is refused in one line, and the server's output stays clean."""

import json

import pytest
import studio_api

pytest.importorskip("gradio")
pytestmark = pytest.mark.xdist_group("studio")
MAKE = {"system": "nano", "prompt": "x", "seconds": 0.5, "seed": 1}
DEEP = json.loads("[" * 200 + "]" * 200)
BODIES = [
    (b"", "the body is no JSON"),
    (b"x", "the body is no JSON"),
    (b"\xff\xfe", "the body is no JSON"),
    (b"[" * 100_000, "the body is no JSON"),
    (b'{"seconds": NaN}', "the body is no JSON"),
    (b"[]", "the body must be a JSON object, of arguments by their names"),
    (b"null", "the body must be a JSON object, of arguments by their names"),
    (json.dumps({"system": DEEP}).encode(), "the body holds lists in lists, more than 20 deep"),
    (b'{"system": "' + b"A" * 4_000_000 + b'"}', "the body is larger than 4 MB"),
]


@pytest.fixture(autouse=True)
def clean(server):
    """See that the server's output has no traceback more."""
    before = server.said.count("Traceback")
    yield
    assert server.said.count("Traceback") == before


@pytest.mark.parametrize("place", ["/api", "/gradio_api/call", "/gradio_api/call/v2"])
@pytest.mark.parametrize(("body", "line"), BODIES)
def test_a_body_that_is_none_is_refused(server, place, body, line):
    assert studio_api.refusal(server, "make", body, place) == line


@pytest.mark.parametrize("place", ["call", "run", "api"])
def test_a_call_names_no_other_function_than_its_path_does(server, place):
    call = {"data": [0], "fn_index": 9999, "session_hash": "s", "event_id": 5, "batched": True}
    status, answer = studio_api.fetch(f"{server.url}/gradio_api/{place}/clips", call)
    assert (status, b"event_id" in answer) == ((200, True) if place == "call" else (404, False))


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_call_that_does_not_say_that_it_is_json_is_refused(server, kind):
    found = studio_api.fetch(f"{server.url}/api/make", MAKE, kind=kind)
    assert found == (415, b"a call is JSON: send `Content-Type: application/json`\n")


@pytest.mark.parametrize(
    ("name", "data", "line"),
    [
        ("clip", [], "data: clip takes 1 values: key (got 0)"),
        ("vary", ["x"], "data: vary takes 3 values: clip, count, spread (got 1)"),
        ("vary", ["x"] * 4, "data: vary takes 3 values: clip, count, spread (got 4)"),
        ("systems", [1], "data: systems takes 0 values (got 1)"),
        ("clip", None, 'data: must be a list, as in {"data": []}'),
        ("clip", [None], "key: must be text (got null)"),
        (
            "extend",
            [[], "x"],
            "clip: must be text (got a list)\nseconds: must be a number (got 'x')",
        ),
    ],
)
def test_values_in_order_that_are_none_are_refused(server, name, data, line):
    assert studio_api.refusal(server, name, {"data": data}, "/gradio_api/call") == line


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("make", {}, "system: is missing"),
        ("make", MAKE | {"promt": "x"}, "make takes no 'promt'; did you mean 'prompt'?"),
        ("systems", {"x\x1b\n": 1}, "systems takes no 'x\\x1b\\n'; it takes none"),
        (
            "make",
            MAKE | {"controls": {"variation": 10**30}},
            "controls: holds a whole number of more than 64 bits",
        ),
        ("make", MAKE | {"system": None}, "system: must be text (got null)"),
        ("make", MAKE | {"system": "A" * 1_000_000}, f"system: there is no '{'A' * 60}' here"),
        ("make", MAKE | {"system": "\x1b[31m\n"}, "system: there is no '\\x1b[31m\\n' here"),
        ("make", MAKE | {"prompt": "A" * 1_000_000}, "prompt: must have 2000 characters at most"),
        ("make", MAKE | {"seconds": "long"}, "seconds: must be a number (got 'long')"),
        ("make", MAKE | {"seconds": 1e308}, "seconds: must be at most 86400"),
        ("make", MAKE | {"seed": 10**30}, "seed: must be less than 9007199254740992 (got 1"),
        ("make", MAKE | {"seed": True}, "seed: must be a whole number (got true)"),
        ("make", MAKE | {"count": 10**12}, "count: must be 1 to 16 (got 1000000000000)"),
        ("make", MAKE | {"count": 1.5}, "count: must be a whole number (got 1.5)"),
        ("make", MAKE | {"controls": [1]}, "controls: must be a mapping of names to values"),
        (
            "make",
            MAKE | {"controls": {"source": "/etc/passwd"}},
            "file: must be 'clip:' and a clip",
        ),
        ("make", MAKE | {"controls": {"strength": [[1]]}}, "strength: "),
        ("make", MAKE | {"overrides": [None]}, "overrides: 0: must be text (got null)"),
        ("make", MAKE | {"adapters": {"x": "y"}}, "adapters: x: must be a number (got 'y')"),
        ("make", MAKE | {"adapters": {"x": 1}}, "adapters: there is no 'x' here; there is 'tuned'"),
        ("vary", {"clip": "x", "count": {}}, "count: must be a whole number (got a mapping)"),
        ("clips", {"limit": "all"}, "limit: must be a whole number (got 'all')"),
        ("clip", {"key": "../../etc/passwd"}, "clip: the gallery has no clip '../../etc/passwd'"),
        ("recipe", {"system": "nano", "overrides": "x"}, "overrides: must be a list (got 'x')"),
        ("audio", {"key": "x", "format": "exe"}, "clip: the gallery has no clip 'x'"),
        ("picture", {"key": ["x"]}, "clip: the gallery has no clip "),
        ("upload", {"file": None}, 'file: must be {"path": "...", "meta": '),
        ("upload", {"file": {"path": "/etc/passwd"}}, 'file: must be {"path": "...", "meta": '),
        ("compare", {"systems": "nano", "prompts": []}, "systems: must be a list (got 'nano')"),
        (
            "genre_test",
            {"name": "g", "systems": ["nano"], "genres": ["a", "b"], "clips": 10**12},
            "clips: a test has 1 to 200 (got 2000000000000)",
        ),
        ("trial", {"test": "none", "listener": "\n"}, "test: there is no listening test 'none'"),
        (
            "trial_sound",
            {"test": "", "listener": "a", "sound": "X"},
            "test: there is no listening ",
        ),
        (
            "answer",
            {"test": "x", "listener": "a", "trial": "1", "heard": "A"},
            "trial: must be a whole number (got '1')",
        ),
        ("results", {"test": 3}, "test: must be text; put it in quotes (got 3)"),
    ],
)
def test_arguments_that_make_no_sense_are_refused_in_a_line(server, name, values, line):
    told = studio_api.refusal(server, name, values)
    assert told.startswith(line)
    assert "\n" not in told
    assert len(told) < 400
