"""The distilled stage: what it learns, when it plays its teacher, and how it begins as that."""

import pytest
import torch
from pydantic import ValidationError

import mousai_kit.api as mk
from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry
from mousai_kit_distillation.distilled import Distilled

PROMPTS = ["drums", "bells, high", "low saw"]
STEPS = 2


@pytest.fixture
def make(build, specs, latents):
    """Return a function that builds a stage of a teacher in which nothing is 0."""

    def made(**changes):
        spec = {"use": "distilled", "teacher": specs["generator"], "steps": STEPS, **changes}
        stage = build(mk.Stage, spec, input_space=latents).eval()
        stage.teacher.text.fit_statistics(PROMPTS)
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for weight in stage.teacher.parameters():
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
        return stage

    return made


def request(samples=200, **more):
    return mk.GenerationRequest(PROMPTS, [0, 1, 2], samples, **more)


def evaluations(stage, **asked):
    """Return how often the network is asked, and of how many clips at a time."""
    seen, request_ = [], request(**asked)
    networks = [module for module in stage._student.modules() if isinstance(module, mk.UNet)]
    networks += [module for module in stage.teacher.modules() if isinstance(module, mk.UNet)]
    handles = [
        network.register_forward_pre_hook(
            lambda _, args, kwargs: seen.append(len(args[0])), with_kwargs=True
        )
        for network in networks
    ]
    binds = [network.bind for network in networks]
    for network, bind in zip(networks, binds, strict=True):
        network.bind = _counting(bind, seen)
    with torch.no_grad():
        stage.decode(None, request_)
    for network, handle in zip(networks, handles, strict=True):
        handle.remove()
        del network.bind
    return seen


def _counting(bind, seen):
    def bound(*args, **kwargs):
        velocity = bind(*args, **kwargs)

        def asked(x, sigma, target=None):
            seen.append(len(x))
            return velocity(x, sigma)

        return asked

    return bound


class TestPlaying:
    def test_guidance_is_folded_into_one_evaluation_a_step(self, make):
        stage = make(guidance=[1.0, 5.0])
        assert evaluations(stage, guidance=3.0) == [3] * STEPS

    def test_without_folding_guidance_asks_twice(self, make):
        assert evaluations(make(), guidance=3.0) == [6] * STEPS

    @pytest.mark.parametrize(
        "asked",
        [
            {"guidance": 6.0},
            {"guidance": 3.0, "controls": mk.Controls(negative="noise")},
            {"guidance": 3.0, "controls": mk.Controls(guidance_rescale=0.5)},
        ],
    )
    def test_what_needs_two_evaluations_is_played_by_the_teacher(self, make, asked):
        assert evaluations(make(guidance=[1.0, 5.0]), **asked) == [6] * 3

    def test_full_plays_the_teacher(self, make):
        stage = make(guidance=[1.0, 5.0], played="full")
        made = stage.decode(None, request(guidance=3.0))
        assert torch.equal(made, stage.teacher.decode(None, request(guidance=3.0)))
        assert stage.nfe == 3

    def test_it_begins_as_its_teacher(self, make):
        stage = make()
        few = resolve_slot(
            mk.Sampler, {"use": "few-step", "steps": STEPS}, {"registry": installed_registry()}
        )
        made = stage.decode(None, request())
        stage.teacher.replace_sampler(few)
        assert torch.equal(made, stage.teacher.decode(None, request()))

    def test_changed_weights_change_what_is_played_and_not_the_teacher(self, make):
        stage = make()
        before, full = stage.decode(None, request()), stage.teacher.decode(None, request())
        with torch.no_grad():
            for weight in stage.change.parameters():
                weight.add_(0.05)
        assert (stage.decode(None, request()) - before).abs().max() > 1e-4
        assert torch.equal(stage.teacher.decode(None, request()), full)

    def test_the_scale_is_heard_once_it_is_learned(self, make):
        stage = make(guidance=[1.0, 5.0])
        with torch.no_grad():
            stage.scale.leave.weight.normal_()
        made = [stage.decode(None, request(guidance=scale)) for scale in (2.0, 4.0)]
        assert (made[0] - made[1]).abs().max() > 1e-4

    def test_a_low_rank_is_what_its_product_adds(self, make):
        stage = make(rank=2)
        with torch.no_grad():
            for weight in stage.change.up.values():
                weight.normal_()
        name = next(
            name for name in stage.change.names if name.replace(".", "/") in stage.change.up
        )
        key, weights = name.replace(".", "/"), stage.change.weights(stage.teacher)
        added = (stage.change.up[key] @ stage.change.down[key]).view_as(weights[name])
        torch.testing.assert_close(weights[name], stage.teacher.get_parameter(name) + added)
        assert torch.linalg.matrix_rank(added.flatten(1)) == 2
        changed = dict(stage._student.named_parameters())
        torch.testing.assert_close(changed[name], weights[name])


class TestLearning:
    def loss(self, stage, **how):
        signal = torch.randn(3, 4, 12, generator=torch.Generator().manual_seed(0))
        return stage.loss(signal, PROMPTS, noise=mk.NoiseSource(range(3)), **how)

    def test_a_teacher_of_as_many_steps_is_matched_at_once(self, make):
        """Of one substep and no guidance the target is where its own step leads."""
        stage = make(substeps=1, own_path=0.5)
        for condition in ("training", "right"):
            assert self.loss(stage, condition=condition).max() < 1e-9

    def test_more_substeps_lead_elsewhere(self, make):
        assert self.loss(make(substeps=4)).min() > 1e-9

    @pytest.mark.parametrize(("method", "share"), [("progressive", 0.33), ("consistency", 0.7)])
    def test_learning_brings_few_steps_to_where_many_lead(self, make, method, share):
        stage = make(method=method, substeps=8, guidance=[3.0, 3.0])
        asked = request(guidance=3.0)
        fine = resolve_slot(
            mk.Sampler, {"use": "ddim", "steps": 60}, {"registry": installed_registry()}
        )
        teacher = stage.change.changed_copy(stage.teacher)
        teacher.replace_sampler(fine)
        goal = teacher.decode(None, asked)

        def far():
            return (stage.decode(None, asked) - goal).square().mean().item()

        before, frames = far(), goal.shape[-1]
        learned = [weight for weight in stage.parameters() if weight.requires_grad]
        optimizer = torch.optim.Adam(learned, lr=3e-3)
        stage.train()
        for step in range(120):
            noise = mk.NoiseSource([1000 * step + place for place in range(3)])
            signal = goal if step % 2 else goal.roll(1, 0)
            loss = stage.loss(signal[..., :frames], PROMPTS, noise=noise).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        assert far() < share * before

    def test_its_teacher_does_not_learn(self, make):
        stage = make(guidance=[1.0, 5.0])
        self.loss(stage).sum().backward()
        assert all(weight.grad is None for weight in stage.teacher.parameters())
        assert all(weight.grad is not None for weight in stage.change.parameters())


class TestOptions:
    def test_guidance_is_two_scales_in_order(self, specs):
        with pytest.raises(ValidationError) as raised:
            Distilled.Options.model_validate(
                {"teacher": specs["generator"], "guidance": [4.0, 1.0]},
                context={"registry": installed_registry()},
            )
        told = "must be two scales of 0 or more, the lower one first (got [4.0, 1.0])"
        assert told in str(raised.value)

    def test_a_teacher_that_denoises_nothing_is_refused(self, build, specs, audio):
        teacher = {key: specs["autoencoder"][key] for key in ("domain", "encoder", "unet")}
        spec = {"use": "distilled", "teacher": {"use": "regression-autoencoder", **teacher}}
        with pytest.raises(mk.PluginError) as raised:
            build(mk.Stage, spec, input_space=audio)
        assert str(raised.value) == (
            "'regression-autoencoder' has no network that could be distilled"
        )

    def test_guidance_is_for_a_teacher_that_reads_a_text(self, build, specs, audio):
        spec = {"use": "distilled", "teacher": specs["autoencoder"], "guidance": [1.0, 4.0]}
        with pytest.raises(mk.PluginError) as raised:
            build(mk.Stage, spec, input_space=audio)
        assert str(raised.value) == (
            "'diffusion-autoencoder' is not guided by a text; leave `guidance` out"
        )
