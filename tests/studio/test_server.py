"""The studio as a process: its endpoints, asked by a real client, and what it refuses."""

import json
import subprocess
import sys
import threading
import time
import urllib.request

import nano
import pytest
import soundfile
import studio_parts
from studio_api import fetch

from mousai_kit.studio.gallery import Gallery

pytest.importorskip("gradio_client")
pytestmark = [
    pytest.mark.xdist_group("studio"),
    # the client's own threads leave sockets open
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture
def client(server, tmp_path):
    return connect(server, tmp_path)


def connect(server, folder, **options):
    from gradio_client import Client

    return Client(server.url, verbose=False, download_files=str(folder / "taken"), **options)


def said(call):
    """Return what a call is refused with."""
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError) as error:
        call()
    return str(error.value)


def make(client, **values):
    asked = {"system": "nano", "prompt": "low saw chord", "seconds": 0.5, "seed": 3}
    return client.predict(**(asked | values), api_name="/make")


def test_a_client_makes_hears_takes_varies_and_deletes_a_clip(client, tmp_path):
    system, _ = client.predict(api_name="/systems")
    assert (system["name"], system["reconstructs"]) == ("nano", True)
    made = make(client)
    (clip,) = made["clips"]
    assert made["share"] == 1
    assert clip["settings"]["seed"] == 3
    file = client.predict(clip["key"], "wav", api_name="/audio")
    assert soundfile.info(file).duration == pytest.approx(0.5, abs=0.01)
    status, heard = fetch(f"{client.src}{made['sound']}")
    assert status == 200
    (tmp_path / "heard.wav").write_bytes(heard)
    assert soundfile.info(tmp_path / "heard.wav").duration == pytest.approx(0.5, abs=0.01)
    varied = client.predict(clip["key"], 2, 0.3, api_name="/vary")
    assert [it["parent"] for it in varied["clips"]] == [clip["key"]] * 2
    longer = client.predict(clip["key"], 0.5, api_name="/extend")["clips"][0]
    assert longer["seconds"] == pytest.approx(1.0, abs=0.01)
    again = client.predict(clip["key"], api_name="/again")["clips"][0]
    assert again["settings"] == clip["settings"]
    keys = [it["key"] for it in client.predict(api_name="/clips")]
    assert keys[0] == again["key"]
    assert client.predict(clip["key"], api_name="/delete") == clip["key"]
    assert said(lambda: client.predict(clip["key"], api_name="/clip")) == (
        f"clip: the gallery has no clip '{clip['key']}'"
    )


def test_a_file_is_brought_and_a_range_of_it_made_anew(client, tmp_path):
    from gradio_client import handle_file

    file = nano.tone(tmp_path / "tone.wav", seconds=2)
    reference = client.predict(handle_file(str(file)), api_name="/upload")
    controls = {"inpaint": reference, "ranges": ["0.5-1"]}
    (clip,) = make(client, seconds=None, controls=controls)["clips"]
    made, _ = soundfile.read(client.predict(clip["key"], "flac", api_name="/audio"))
    before, _ = soundfile.read(file)
    assert abs(made[:3900] - before[:3900]).max() < 1e-4
    assert abs(made[4500:7500] - before[4500:7500]).max() > 1e-3
    soundfile.write(tmp_path / "silence.wav", 0 * before, 8000)
    silence = client.predict(handle_file(str(tmp_path / "silence.wav")), api_name="/upload")
    told = said(lambda: make(client, controls={"source": silence}))
    assert told == f"{silence.removeprefix('upload:')}: is silent; there is nothing to begin from"


def test_a_recipe_with_a_part_swapped_is_yaml_and_a_faulty_one_a_line(client):
    place = "stages.generator.model.sampler"
    text = client.predict("nano", [f"{place}.use=heun"], api_name="/recipe")
    assert "use: heun" in text
    assert said(lambda: client.predict("nano", [f"{place}.steps=0"], api_name="/recipe")) == (
        f"--set {place}.steps=0: {place}.steps: must be at least 1 (got 0)"
    )


def test_one_request_runs_the_others_have_places_and_cancel_frees_one(server, tmp_path):
    clients = [connect(server, tmp_path) for _ in range(4)]
    jobs = []
    for number, one in enumerate(clients):
        asked = ("nano", "x", 600.0 if not number else 0.5, 100 + number)
        jobs.append(one.submit(*asked, api_name="/make"))
        time.sleep(0.5)
    try:
        until = time.monotonic() + 20
        while [job.status().rank for job in jobs[1:]] != [0, 1, 2]:
            assert time.monotonic() < until
            time.sleep(0.1)
        assert jobs[2].cancel()
        while jobs[3].status().rank != 1:
            assert time.monotonic() < until
            time.sleep(0.1)
        jobs[0].cancel()
        assert jobs[1].result(30)["clips"][0]["settings"]["seed"] == 101
        assert jobs[3].result(30)["clips"][0]["settings"]["seed"] == 103
        seeds = {it["settings"]["seed"] for it in clients[0].predict(api_name="/clips")}
        assert not seeds & {100, 102}
    finally:
        for job in jobs:
            job.cancel()


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "{gallery}/.lock", "{gallery}/clips", "../../etc/passwd"]
)
def test_no_other_file_is_handed_out(server, path):
    status, _ = fetch(f"{server.url}/gradio_api/file={path.format(gallery=server.gallery)}")
    assert status in (403, 404)


@pytest.mark.parametrize("path", ["/etc/passwd", "{gallery}/clips", "http://127.0.0.1/x.wav"])
def test_a_file_that_a_client_only_names_is_not_read(server, path):
    named = {"path": path.format(gallery=server.gallery), "meta": {"_type": "gradio.FileData"}}
    status, answer = fetch(f"{server.url}/gradio_api/call/upload", {"data": [named]})
    assert status == 422
    assert answer.startswith(b"file: must be {")
    assert answer.endswith(b" with an upload's path\n")


def test_what_is_uploaded_is_limited_in_size_before_anything_looks_at_it(server):
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    for megabytes, status in ((1, 200), (101, 413)):
        body = head + bytes(megabytes * 1_000_000) + b"\r\n--x--\r\n"
        kind = "multipart/form-data; boundary=x"
        assert fetch(f"{server.url}/gradio_api/upload", body, kind=kind)[0] == status


def test_a_sound_has_a_key_that_can_not_be_guessed(server):
    assert fetch(f"{server.url}/studio/sound/{'0' * 32}.wav")[0] == 404


def test_beyond_this_machine_it_demands_a_password(here, command, nano_run, monkeypatch):
    monkeypatch.delenv("MOUSAI_KIT_STUDIO_PASSWORD", raising=False)
    answer = command("studio", nano_run, "--host", "0.0.0.0")
    assert (answer.code, answer.err) == (
        2,
        (
            "--host 0.0.0.0: others can reach it there; set a password in "
            "MOUSAI_KIT_STUDIO_PASSWORD first\n"
        ),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--port", "99999"], "invalid value for '--port'"),
        (["--music", "nowhere"], "--music nowhere: there is no such folder"),
        (["--adapter", "nowhere"], "--adapter nowhere: is no file and no folder"),
    ],
)
def test_an_option_that_makes_no_sense_is_told_before_anything_begins(
    here, command, nano_run, words, told
):
    answer = command("studio", nano_run, "--headless", *words)
    assert answer.code == 2
    assert told in answer.err
    assert not (here / "studio").exists()


def test_a_port_that_is_taken_and_a_host_of_no_machine_are_told(
    here, command, server, nano_run, monkeypatch
):
    monkeypatch.setenv("MOUSAI_KIT_STUDIO_PASSWORD", "grand piano")
    words = ["studio", nano_run, "--headless", "--port"]
    assert command(*words, server.port).err.endswith(
        f"--port {server.port}: is taken; name another, or none\n"
    )
    assert command(*words, "64999", "--host", "192.0.2.1").err.endswith(
        "--host 192.0.2.1: is no address of this machine\n"
    )


def test_with_a_password_nobody_is_let_in_without_it(nano_run, tmp_path):
    served = studio_parts.Server([nano_run], tmp_path / "gallery", password="grand piano")
    try:
        assert fetch(f"{served.url}/gradio_api/call/clips", {"data": []})[0] == 401
        assert fetch(f"{served.url}/gradio_api/info")[0] == 401
        with pytest.raises(ValueError, match=r"[Ii]ncorrect|[Cc]redentials|login"):
            connect(served, tmp_path, auth=("studio", "wrong"))
        client = connect(served, tmp_path, auth=("studio", "grand piano"))
        assert client.predict(api_name="/clips") == []
    finally:
        served.stop()


def test_a_studio_killed_in_the_midst_leaves_whole_clips_and_nothing_else(nano_run, tmp_path):
    served = studio_parts.Server([nano_run], tmp_path / "gallery")
    client = connect(served, tmp_path)
    whole = make(client)["clips"][0]["key"]
    client.submit("nano", "x", 600.0, 4, api_name="/make")
    until = time.monotonic() + 30
    while not list((tmp_path / "gallery" / ".studio-making").glob("2*/")):
        assert time.monotonic() < until
        time.sleep(0.05)
    served.kill()
    assert list((tmp_path / "gallery" / ".studio-making").glob("2*/"))
    with Gallery(tmp_path / "gallery") as gallery:
        assert [record.key for record in gallery.records()] == [whole]
        assert nano.names(gallery.making) == []
        assert nano.names(gallery.clips / whole) == ["clip.flac", "clip.json", "clip.png"]


def test_a_client_that_goes_away_gives_its_place_back(server, client):
    place = f"{server.url}/gradio_api/call/v2/make"
    asked = {"system": "nano", "prompt": "gone", "seconds": 600.0, "seed": 77}
    _, answer = fetch(place, asked)
    event = json.loads(answer)["event_id"]
    with urllib.request.urlopen(f"{place}/{event}") as states:
        assert states.readline() == b"event: generating\n"
    assert make(client, seed=78)["clips"][0]["settings"]["seed"] == 78
    assert 77 not in {it["settings"]["seed"] for it in client.predict(api_name="/clips")}


def test_many_clients_at_once_all_get_their_clips(server, tmp_path):
    found, lock = [], threading.Lock()

    def ask(number):
        made = make(connect(server, tmp_path), seed=1000 + number)
        with lock:
            found.append(made["clips"][0]["settings"]["seed"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == list(range(1000, 1010))


def test_without_gradio_the_command_says_what_to_install_and_the_core_never_imports_it(here):
    code = (
        "import sys\nfrom importlib.machinery import PathFinder\n"
        "find = PathFinder.find_spec\n"
        "PathFinder.find_spec = classmethod(lambda c, name, *a: None if name == 'gradio' "
        "else find(name, *a))\n"
        "sys.argv = ['mousai-kit', 'studio']\nfrom mousai_kit import cli\ncli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        2,
        "the studio needs Gradio: pip install 'mousai-kit[studio]'\n",
    )
    code = (
        "import sys, mousai_kit.api, mousai_kit.cli.studio, mousai_kit.studio.studio, "
        "mousai_kit.studio.judging, mousai_kit.studio.trainings\n"
        "print([it for it in ('gradio', 'fastapi') if it in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
