"""The authors' networks for our options, and our stages with their weights.

b batch, c channels, t time, n tokens, d features.
"""

from __future__ import annotations

from functools import partial

import pytest
import torch

import mousai_kit.api as mk
import mousai_kit.audio.torchaudio_compat  # noqa: F401  before what imports torchaudio itself
from mousai_kit.core.component import resolve_slot
from mousai_kit.core.plugins import installed_registry
from mousai_kit.runs.weight_matching import NameMatch
from mousai_kit_mousai.archinet.format import Archinet, within
from mousai_kit_mousai.archinet.names import unet_pairs
from mousai_kit_mousai.diffusion_autoencoder import DiffusionAutoencoder
from mousai_kit_mousai.encoders import Mel
from mousai_kit_mousai.text_to_latent import TextToLatent

reason = "the authors' packages are not installed; pip install -e '.[parity]'"
authors = pytest.importorskip("audio_diffusion_pytorch", reason=reason)
authors_encoders = pytest.importorskip("audio_encoders_pytorch", reason=reason)
a_unet = pytest.importorskip("a_unet", reason=reason)
apex = pytest.importorskip("a_unet.apex", reason=reason)
"""Theirs, imported after what makes torchaudio importable where its extension is not."""

RATE = 48000


class Memorised(mk.TextEncoder):
    """Text encoder of random embeddings, one for each text; nothing is masked."""

    name = "memorised"

    class Options(mk.Options):
        features: int = 24
        tokens: int = 16

    def __init__(self, options):
        super().__init__(options)
        self.features, self.tokens = options.features, options.tokens

    def forward(self, prompts):
        source = mk.NoiseSource([sum(prompt.encode()) for prompt in prompts])
        embedding = source.normal(self.tokens, self.features)
        return mk.TextEmbedding(embedding, torch.ones(embedding.shape[:2], dtype=torch.bool))


def autoencoder(*, rate=RATE, channels=2, **options):
    """Return our autoencoder as it stands in a recipe, and built."""
    return _built(DiffusionAutoencoder, options, mk.SignalSpace(channels, 1, rate))


def generator(*, channels=32, tokens=16, features=24, **options):
    """Return our generator as it stands in a recipe, and built; it hears memorised texts."""
    text = mk.Use(Memorised, Memorised.Options(features=features, tokens=tokens))
    return _built(TextToLatent, {**options, "text": text}, mk.SignalSpace(channels, 1, RATE))


def theirs_of(model, stage):
    """Return the authors' model for one of ours, with random weights."""
    options = model.options
    if isinstance(options, TextToLatent.Options):
        extras = {
            "embedding_features": stage.text.features,
            "use_embedding_cfg": True,
            "embedding_max_length": stage.text.tokens,
        }
        return noisy(authors.DiffusionModel(**_network(options.unet.options, stage), **extras))
    network = _network(options.unet.options, stage)
    return noisy(
        authors.DiffusionAE(
            encoder=encoder_of(options.encoder, stage.input_space),
            inject_depth=options.unet.options.context_injections.index(1),
            **network,
        )
    )


def encoder_of(use, audio):
    """Return the authors' encoder for one of ours."""
    options = use.options
    bottleneck = {"bottleneck": authors_encoders.TanhBottleneck()}
    shared = {
        "in_channels": audio.channels,
        "channels": options.channels,
        "multipliers": options.multipliers,
        "factors": options.factors,
        "num_blocks": options.blocks,
        "resnet_groups": options.groups,
        "out_channels": options.latent_channels,
        **(bottleneck if options.bottleneck == "tanh" else {}),
    }
    if use.component is Mel:
        return authors_encoders.MelE1d(
            mel_channels=options.mels,
            mel_n_fft=options.n_fft,
            mel_win_length=options.n_fft,
            mel_hop_length=options.hop_length,
            mel_sample_rate=audio.sample_rate,
            mel_normalize_log=True,
            **shared,
        )
    return authors_encoders.ME1d(
        stft_num_fft=options.n_fft,
        stft_hop_length=options.hop_length,
        use_log=options.log,
        **shared,
    )


def unet_twins(spec, *, channels):
    """Return our U-Net that hears nothing but the noise level, the authors', and the names."""
    use = resolve_slot(mk.UNet, spec, {"registry": installed_registry()})
    ours = use.build(channels=channels, context_channels=0, text_features=0).eval()
    arguments = _unet_arguments(use.options, channels)
    theirs = noisy(arguments.pop("net_t")(dim=1, **arguments))
    names = mk.TensorNames(within(unet_pairs(use.options), ours.state_dict(), "", ("",)))
    _take(ours, [names], theirs.state_dict())
    return ours, theirs, names


@torch.no_grad()
def noisy(model):
    """Change all vectors at random, as ones and zeros would hide what is done with them."""
    for parameter in model.parameters():
        if parameter.ndim == 1:
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return model.eval()


def with_weights(model, stage, state):
    """Load a state dict of theirs into a stage of ours, the way `import` does; return the names."""
    layouts = Archinet(mk.Options()).layouts(model, stage)
    return _take(stage, layouts, state)


def _take(module, layouts, state):
    match = NameMatch.best(layouts, state.keys())
    ours = match.to_ours(state, module.state_dict(), origin="theirs")
    module.load_state_dict(ours, strict=True, assign=True)
    return match.names


def _built(component, options, input_space):
    chosen = component.Options.model_validate(options, context={"registry": installed_registry()})
    model = mk.Use(component, chosen)
    return model, model.build(input_space=input_space).eval()


def _network(options, stage):
    """Return what DiffusionModel and DiffusionAE take of a U-Net's options."""
    arguments = _unet_arguments(options, stage.input_space.channels)
    if stage.latent_space is None:
        return arguments
    return {key: it for key, it in arguments.items() if key != "context_channels"}


def _unet_arguments(options, channels):
    nothing = [0] * len(options.channels)
    return {
        "net_t": _with_transform(
            options, _concatenating if options.skip == "concatenated" else authors.UNetV0
        ),
        "in_channels": channels,
        "channels": options.channels,
        "factors": options.factors,
        "items": options.blocks,
        "attentions": options.attentions or nothing,
        "cross_attentions": options.cross_attentions or nothing,
        "attention_heads": options.attention_heads,
        "attention_features": options.attention_features,
        "modulation_features": options.modulation_features,
        "resnet_groups": options.groups,
    }


def _with_transform(options, net):
    if options.transform is None:
        return net
    transform = options.transform
    return authors.LTPlugin(
        net, num_filters=transform.filters, window_length=transform.window, stride=transform.stride
    )


def _concatenating(
    *,
    channels,
    factors,
    items,
    attentions,
    cross_attentions,
    context_channels=None,
    use_embedding_cfg=False,
    embedding_max_length=None,
    **arguments,
):
    """Return a U-Net put together from a-unet's blocks as UNetV0 is, but for its skips."""
    contexts = context_channels or [0] * len(channels)
    depths = zip(channels, factors, items, attentions, cross_attentions, contexts, strict=True)
    blocks = [
        apex.XBlock(
            channels=width,
            factor=factor,
            context_channels=context,
            items=[
                apex.ResnetItem,
                apex.ModulationItem,
                *([apex.InjectChannelsItem] * bool(context)),
                *([apex.AttentionItem] * own),
                *([apex.CrossAttentionItem] * cross),
            ]
            * count,
        )
        for width, factor, count, own, cross, context in depths
    ]
    net = apex.XUNet
    if use_embedding_cfg:
        net = a_unet.ClassifierFreeGuidancePlugin(net, embedding_max_length)
    build = partial(a_unet.TimeConditioningPlugin(net), blocks=blocks, skip_t=apex.SkipCat)
    return build(**arguments)
