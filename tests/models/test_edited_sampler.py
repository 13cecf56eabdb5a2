"""Editing: whatever sampler asks, what is kept stays, a part is begun from, a circle has no end."""

import pytest
import torch

import mousai_kit.api as mk
from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry
from mousai_kit.models.editing import keep_frames, turn_around, windows_to_fill

SAMPLERS = [
    "ddim",
    {"use": "ddim", "eta": 1.0},
    "dpmpp-2m",
    "dpmpp-2m-sde",
    "heun",
    "angle-2m",
    {"use": "dpmpp-2m", "levels": "karras"},
]
COSINE = mk.build(mk.Schedule, "cosine")


def use(sampler, steps=6):
    options = {"use": sampler} if isinstance(sampler, str) else sampler
    spec = {**options, "steps": steps}
    return resolve_slot(mk.Sampler, spec, {"registry": installed_registry()})


def normal(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def request(clips=2, **changes):
    return mk.GenerationRequest(["a"] * clips, list(range(clips)), 100, **changes)


def exact(signal, schedule=COSINE):
    """Return the velocity of a network that has learned one signal."""

    def velocity(x, sigma):
        alpha, beta = (weight[:, None, None] for weight in schedule.weights(sigma))
        return (alpha * x - signal) / beta

    return velocity


def wild(x, sigma):
    return (3 * x).sin() + x.roll(1, -1)


def run(sampler, velocity, *, source=None, frames=20, **changes):
    edited = mk.EditedSampler(use(sampler), COSINE, request(source=source, **changes))
    noise = mk.NoiseSource([0, 1])
    start = noise.normal(3, frames)
    return edited.sample(velocity, start, source=source, generator=noise)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_what_is_kept_is_exact_and_the_rest_is_the_networks(sampler):
    source, keep = normal(1, 3, 20), torch.ones(20)
    keep[8:14] = 0
    made = run(sampler, wild, source=source, keep=keep)
    assert torch.equal(made[..., keep == 1], source.expand(2, -1, -1)[..., keep == 1])
    assert (made - source)[..., keep == 0].abs().min(0).values.mean() > 0.1


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_the_network_sees_what_is_kept_as_noised_as_the_rest(sampler):
    source, seen = 2 + normal(1, 3, 4000), []

    def velocity(x, sigma):
        alpha, beta = COSINE.weights(sigma)
        noise = x[..., :3000] - alpha[:, None, None] * source[..., :3000]
        seen.append((noise.square().mean().sqrt() - beta[0]).abs().item())
        return exact(source)(x, sigma)

    keep = torch.ones(4000)
    keep[3000:] = 0
    run(sampler, velocity, source=source, keep=keep, frames=4000)
    assert max(seen) < 0.03


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_no_network_moves_what_is_kept_away_from_the_way_to_it(sampler):
    """The way is the exact one at each evaluation, not only at its end."""
    source, seen = normal(1, 3, 20), []

    def velocity(x, sigma):
        seen.append((x[..., :10], sigma))
        return wild(x, sigma)

    keep = torch.cat([torch.ones(10), torch.zeros(10)])
    run(sampler, velocity, source=source, keep=keep)
    for x, sigma in seen:
        v = keep_frames(wild, COSINE, source, keep)(torch.cat([x, x], -1), sigma)[..., :10]
        alpha, beta = (weight[:, None, None] for weight in COSINE.weights(sigma))
        landed = alpha * x - beta * v
        torch.testing.assert_close(landed, source[..., :10].expand_as(landed), atol=1e-3, rtol=0)


def test_what_is_kept_less_is_left_from_that_much_less_noise_on():
    source, asked = normal(1, 1, 5), []

    def velocity(x, sigma):
        asked.append(sigma[0].item())
        return torch.full_like(x, 7.0)

    keep = torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0])
    kept = keep_frames(velocity, COSINE, source, keep)
    for level, left in ((0.9, 1), (0.6, 2), (0.3, 3), (0.1, 4)):
        v = kept(normal(1, 1, 5, seed=1), torch.tensor([level]))
        assert (v[0, 0] == 7.0).tolist() == [False] * (5 - left) + [True] * left


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_the_less_the_strength_the_nearer_to_the_source(sampler):
    source = normal(1, 3, 20)
    away = [
        (run(sampler, exact(-source), source=source, strength=s) - source).abs().mean().item()
        for s in (0.0, 1.0)
    ]
    assert away[0] == 0
    assert away[1] == pytest.approx(2 * source.abs().mean().item(), rel=0.1)


def test_full_strength_is_the_sampler_as_it_is():
    source, noise = normal(1, 3, 20), mk.NoiseSource([0, 1]).normal(3, 20)
    plain = use("dpmpp-2m").build(schedule=COSINE)
    made = run("dpmpp-2m", wild, source=source, strength=1.0)
    assert torch.equal(made, plain.sample(wild, noise))
    edited = mk.EditedSampler(use("dpmpp-2m"), COSINE, request())
    assert torch.equal(edited.levels(), plain.levels())


def test_levels_are_those_at_which_the_network_is_asked():
    asked, source = set(), normal(1, 3, 20)

    def velocity(x, sigma):
        asked.add(round(sigma[0].item(), 6))
        return wild(x, sigma)

    run("dpmpp-2m", velocity, source=source, strength=0.5)
    edited = mk.EditedSampler(use("dpmpp-2m"), COSINE, request(source=source, strength=0.5))
    told = {round(level, 6) for level in edited.levels().tolist()[:-1]}
    assert asked == told
    assert max(told) == 0.5


@pytest.mark.parametrize("sampler", SAMPLERS, ids=str)
def test_samplers_land_on_the_signal_that_a_perfect_network_sees(sampler):
    partway = mk.Partway(COSINE, 0.4)
    signal, noise = normal(2, 2, 3, 50)
    solver = use(sampler).build(schedule=partway)
    found = solver.sample(
        partway.scale_levels(exact(signal)),
        partway.add_noise(signal, noise),
        generator=mk.NoiseSource([0, 1]),
    )
    torch.testing.assert_close(found, signal, atol=1e-4, rtol=0)


def test_what_a_sampler_begins_with_is_the_mixture_of_the_level():
    partway = mk.Partway(COSINE, 0.5)
    mixed = partway.add_noise(torch.ones(1, 1, 4), 2 * torch.ones(1, 1, 4))
    torch.testing.assert_close(mixed, torch.full((1, 1, 4), 3 * 0.5**0.5))


def test_a_velocity_turned_around_has_its_seam_elsewhere_each_time():
    seams = []

    def velocity(x, sigma):
        seams.append(int(x[0, 0].diff().argmin()))
        return x

    turned, ramp = turn_around(velocity), torch.arange(10.0).expand(1, 1, 10)
    for _ in range(5):
        assert torch.equal(turned(ramp, torch.ones(1)), ramp)
    assert len(set(seams)) == 5


@pytest.mark.parametrize(
    ("keep", "longest", "windows"),
    [
        ("1100011", 10, [(0, 7)]),
        ("1111111", 4, []),
        ("110000000000", 4, [(0, 4), (2, 6), (4, 8), (6, 10), (8, 12)]),
        ("111111000", 6, [(3, 9)]),
        ("1111111100111111", 6, [(5, 11)]),
        ("11110111111110111111", 6, [(1, 7), (10, 16)]),
    ],
)
def test_windows_make_what_is_missing_in_turn(keep, longest, windows):
    frames = torch.tensor([float(frame) for frame in keep])
    found = windows_to_fill(frames, longest)
    assert [(part.start, part.stop) for part in found] == windows
    for part in found:
        frames[part.start : part.stop] = 1
    assert frames.all()
