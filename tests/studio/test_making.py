import asyncio
import threading
import time
from contextlib import closing

import nano
import pytest
import soundfile
import studio_parts
import torch

from mousai_kit import audio
from mousai_kit.core.errors import MousaiError, RequestError
from mousai_kit.studio.gallery import Gallery
from mousai_kit.studio.jobs import DeviceThread, Job
from mousai_kit.studio.live_sound import LiveSounds
from mousai_kit.studio.settings import clip_settings
from mousai_kit.studio.studio import Studio, count_up
from mousai_kit.studio.systems import Systems


def lines(error):
    return str(error.value).splitlines()


def test_how_it_stands_goes_from_nothing_to_all_and_ends_with_the_clips(opened):
    orders = [studio_parts.settings(seed=seed) for seed in (1, 2)]
    states = list(opened.make(orders))
    shares = [it.share for it in states]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert [it.settings.seed for it in states[-1].clips] == [1, 2]
    assert states[-1].told.startswith("clip 2 of 2: 0.5 s of music in ")


def test_a_seed_that_is_not_given_is_drawn_and_kept():
    drawn = {clip_settings(system="nano").seed for _ in range(5)}
    assert len(drawn) == 5
    assert max(drawn) < 2**31


def test_after_the_largest_seed_comes_0_so_that_every_clip_can_be_read_again():
    found = [it.seed for it in count_up(studio_parts.settings(seed=2**53 - 2), 3)]
    assert found == [2**53 - 2, 2**53 - 1, 0]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"seconds": -1}, "seconds: must be greater than 0 (got -1)"),
        (
            {"seconds": 21},
            "seconds: must be at most 20, which this studio was started with (got 21)",
        ),
        ({"seconds": "x"}, "seconds: must be a number (got 'x')"),
        ({"steps": 0}, "steps: must be at least 1 (got 0)"),
        ({"format": "mp3"}, "format: must be 'flac', 'wav' or 'ogg' (got 'mp3')"),
        ({"system": "/etc"}, "system: there is no '/etc' here; there is 'nano'"),
        ({"adapters": {"x": 1.0}}, "adapters: there is no 'x' here; there are none"),
        ({"controls": {"melody": 1}}, "melody: unknown option"),
        (
            {"controls": {"strength": 0.5}},
            "strength: says how far to leave a file; name one to begin from, or to inpaint",
        ),
        (
            {"overrides": ["data.path=/etc"]},
            (
                "--set data.path=/etc: only what is under 'stages.autoencoder.model.schedule', "
                "'stages.autoencoder.model.sampler', 'stages.generator.model.schedule', "
                "'stages.generator.model.sampler', 'generate.guidance', "
                "'generate.controls.guidance_schedule' and 'generate.controls.guidance_rescale' "
                "can be swapped here"
            ),
        ),
        (
            {"overrides": ["stages.generator.model.sampler.steps=0"]},
            (
                "--set stages.generator.model.sampler.steps=0: "
                "stages.generator.model.sampler.steps: must be at least 1 (got 0)"
            ),
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_leaves_nothing(opened, values, told):
    with pytest.raises(MousaiError) as error:
        list(opened.make([studio_parts.settings(**values)]))
    assert lines(error) == [told]
    assert nano.names(opened.gallery.clips) == []
    assert set(nano.names(opened.gallery.making)) <= {"sounds"}


def test_too_many_clips_are_refused(opened):
    with pytest.raises(RequestError, match=r"^count: must be 1 to 16 \(got 17\)$"):
        list(opened.make([studio_parts.settings()] * 17))


def test_a_making_that_is_closed_is_cancelled_and_frees_the_device(opened):
    with closing(opened.make([studio_parts.settings(seconds=19.0)])) as states:
        next(states)
    began = time.monotonic()
    assert studio_parts.make(opened, seed=9).settings.seed == 9
    assert time.monotonic() - began < 20
    assert [it.settings.seed for it in opened.gallery.records()] == [9]
    assert nano.names(opened.gallery.making) == ["sounds"]


def test_orders_from_several_threads_are_all_made_one_at_a_time(opened):
    most, now, lock = [], [0], threading.Lock()
    enter, leave = opened.gallery.begin, opened.gallery.keep

    def begin():
        with lock:
            now[0] += 1
            most.append(now[0])
        return enter()

    def keep(*arguments):
        with lock:
            now[0] -= 1
        return leave(*arguments)

    opened.gallery.begin, opened.gallery.keep = begin, keep
    threads = [
        threading.Thread(target=studio_parts.make, args=(opened,), kwargs={"seed": seed})
        for seed in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(it.settings.seed for it in opened.gallery.records()) == list(range(6))
    assert set(most) == {1}


def test_jobs_come_in_their_order_and_one_cancelled_while_it_waits_never_begins():
    device, done, hold = DeviceThread(), [], threading.Event()
    jobs = [Job() for _ in range(4)]
    device.submit(jobs[0], hold.wait)
    for number in (1, 2, 3):
        device.submit(jobs[number], lambda number=number: done.append(number))
    jobs[2].cancel()
    hold.set()
    jobs[3].future.result(10)
    assert done == [1, 3]
    assert jobs[2].future.cancelled()
    device.close()


def test_the_time_left_follows_what_was_done():
    job = Job()
    assert job.seconds_left is None
    job.begin("generating", 10)
    time.sleep(0.05)
    job.advance(5)
    assert job.seconds_left == pytest.approx(0.05, rel=0.5)


def test_a_sound_is_heard_while_it_grows_and_is_a_whole_wav_file_at_the_end(tmp_path):
    sounds = LiveSounds(tmp_path)
    sound = sounds.open(sample_rate=8000, channels=2, samples=1600)
    wave = torch.linspace(-1, 1, 3200).reshape(2, 1600)
    received = bytearray()

    async def listen():
        async for data in sound.stream():
            received.extend(data)

    async def play():
        listening = asyncio.create_task(listen())
        sound.add(wave[:, :800])
        await asyncio.sleep(0.15)
        assert len(received) == 44 + 4 * 800
        sound.add(wave[:, 800:])
        sound.end()
        await listening

    asyncio.run(play())
    file = tmp_path / "heard.wav"
    file.write_bytes(received)
    heard, rate = soundfile.read(file)
    assert (rate, heard.shape) == (8000, (1600, 2))
    assert torch.from_numpy(heard.T).float().sub(wave).abs().max() < 1e-4
    assert sounds.find(sound.key) is sound
    sounds.forget(older_than=0)
    assert sounds.find(sound.key) is None
    assert list(tmp_path.glob("*.pcm")) == []


def test_what_is_heard_is_what_is_kept(opened):
    *_, state = opened.make([studio_parts.settings()])
    sound = opened.sounds.find(state.sound)
    kept = audio.read(opened.gallery.audio(state.clips[0].key), sample_rate=8000, channels=1)
    raw = torch.frombuffer(bytearray(sound.file.read_bytes()), dtype=torch.int16) / 32767
    assert (raw - kept[0].clamp(-1, 1)).abs().max() < 1e-3


def test_a_clip_is_taken_home_in_another_format_with_its_tags(opened):
    record = studio_parts.make(opened)
    assert opened.export(record.key, "flac") == opened.gallery.audio(record.key)
    for suffix in ("wav", "ogg"):
        file = opened.export(record.key, suffix)
        assert file.name == f"low-saw-chord-3.{suffix}"
        assert audio.audio_info(file).seconds == pytest.approx(0.5, abs=0.01)
        assert audio.read_tags(file)["prompt"] == "low saw chord"
    with pytest.raises(RequestError, match=r"^format=exe: must be one of flac, wav, ogg$"):
        opened.export(record.key, "exe")


def test_whoever_asks_for_a_format_at_once_gets_one_whole_file(opened):
    records = [studio_parts.make(opened, seed=seed) for seed in range(3)]
    found, gate = [], threading.Barrier(6)

    def take(record):
        gate.wait()
        found.append(opened.export(record.key, "wav"))

    for record in records:
        threads = [threading.Thread(target=take, args=(record,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 18
    assert len(set(found)) == 3
    for file in set(found):
        assert audio.read_tags(file)["prompt"] == "low saw chord"
        assert audio.audio_info(file).seconds == pytest.approx(0.5, abs=0.01)


def test_a_studio_that_is_closed_ends_what_is_being_made(trained, here):
    opened = Studio(Gallery(here / "gallery"), Systems([str(trained)]))
    with opened:
        states = opened.make([studio_parts.settings(seconds=600.0)])
        while not next(states).told.startswith("generating"):
            assert nano.names(opened.gallery.clips) == []
    assert nano.names(opened.gallery.clips) == []
    assert nano.names(opened.gallery.making) == ["sounds"]
