"""A Stable Diffusion pipeline as diffusers saves it: opened as data, never as code.

Legend: b images, l channels of a latent, h and w its height and width, n tokens, d features.
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

import mousai_kit.api as mk

INDEX = "model_index.json"
PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
"""What is read of a pipeline. A safety checker, where there is one, is for photographs."""
WEIGHTS = ("text_encoder", "unet", "vae")
FILES = "*.safetensors"
WANTED = (
    INDEX,
    "scheduler/*.json",
    "tokenizer/*.json",
    "tokenizer/*.txt",
    *(f"{part}/{file}" for part in WEIGHTS for file in ("config.json", FILES)),
)
"""What is fetched from the hub."""
HINT = (
    "give a folder that holds a Stable Diffusion pipeline as diffusers saves it, with safetensors "
    "(`model: /path/to/folder`), or its id on the hub with a `revision`"
)


class PicturePipeline:
    """A Stable Diffusion pipeline, loaded at the first use; it is no part of any state."""

    def __init__(self, model: str, revision: str | None) -> None:
        self.model, self.revision = model, revision
        self._loaded: Any = None

    def __deepcopy__(self, memo: dict[int, Any]) -> PicturePipeline:
        """Return itself: what never changes needs no copies."""
        return self

    def load(self, device: torch.device | str = "cpu") -> Any:
        """Return the pipeline on a device; WeightsError, in one line, where it can't be had."""
        if self._loaded is None:
            self._loaded = self._open(diffusers())
        return self._loaded.to(device)

    def embed(self, prompts: Sequence[str], device: torch.device) -> Tensor:
        """Return the texts' embeddings [b, n, d]."""
        pipeline = self.load(device)
        with _quiet():
            made: Tensor = pipeline.encode_prompt(list(prompts), device, 1, False)[0]
        return made

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """Return the shape [l, h, w] of the latent of an image; WeightsError where none fits."""
        pipeline = self.load()
        scale = int(pipeline.vae_scale_factor)
        smallest = scale * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
        if height % smallest or width % smallest:
            raise mk.WeightsError.about(
                self.model,
                f"makes images whose sides are multiples of {smallest}; set `bands` and `frames` "
                f"so (got {height} and {width})",
            )
        return int(pipeline.unet.config.in_channels), height // scale, width // scale

    def paint(
        self,
        noise: Tensor,
        text: Tensor,
        null: Tensor,
        *,
        guidance: float,
        steps: int,
        seeds: Sequence[int],
        tick: Callable[[], None],
    ) -> Tensor:
        """Return images [b, height, width, 3], from 0 to 255, from noise [b, l, h, w].

        `text` and `null` are embeddings [b, n, d]. What a scheduler draws besides follows from the
        `seeds`.
        """
        pipeline = self.load(noise.device)
        scale = pipeline.vae_scale_factor

        def report(_: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            tick()
            return values

        with _quiet():
            made = pipeline(
                prompt_embeds=text,
                negative_prompt_embeds=null,
                latents=noise,
                height=noise.shape[2] * scale,
                width=noise.shape[3] * scale,
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=[Generator().manual_seed(seed % 2**63) for seed in seeds],
                output_type="pt",
                callback_on_step_end=report,
            ).images
        return 255 * made.float().permute(0, 2, 3, 1)

    def loss(self, images: Tensor, text: Tensor, noise: mk.NoiseSource) -> Tensor:
        """Return the denoising loss per image [b] of images [b, height, width, 3], given texts."""
        pipeline = self.load(text.device)
        scheduler, vae = pipeline.scheduler, pipeline.vae
        pixels = images.permute(0, 3, 1, 2).float() / 127.5 - 1
        latents = vae.encode(pixels).latent_dist.mode() * vae.config.scaling_factor
        white = noise.like(latents)
        count = scheduler.config.num_train_timesteps
        times = (noise.uniform() * count).long().to(latents.device)
        noised = scheduler.add_noise(latents, white, times)
        made = pipeline.unet(noised, times, encoder_hidden_states=text).sample
        target = white
        if scheduler.config.prediction_type == "v_prediction":
            target = scheduler.get_velocity(latents, white, times)
        error: Tensor = (made - target).square().mean((1, 2, 3))
        return error

    def _open(self, library: Any) -> Any:
        """Return the pipeline of the model's folder, in full precision."""
        folder = self._folder()
        self._check(folder)
        try:
            with _quiet():
                pipeline = library.StableDiffusionPipeline.from_pretrained(
                    str(folder),
                    use_safetensors=True,
                    local_files_only=True,
                    trust_remote_code=False,
                    safety_checker=None,
                    feature_extractor=None,
                    image_encoder=None,
                    requires_safety_checker=False,
                )
        except Exception as error:  # whatever diffusers and transformers raise for a broken file
            raise self._fault(f"can't be read ({mk.error_summary(error)})") from error
        pipeline.set_progress_bar_config(disable=True)
        for part in WEIGHTS:
            getattr(pipeline, part).float().eval().requires_grad_(False)
        return pipeline

    def _folder(self) -> Path:
        """Return the folder of the model's files, fetched if it is on the hub and not here yet."""
        if mk.hub.is_folder(self.model):
            return Path(self.model).expanduser()
        try:
            found = mk.hub.find_cached(self.model, self.revision, WANTED)
            if found is not None and not self._lacking(found):
                return found
            return mk.hub.download(self.model, self.revision, WANTED)
        except Exception as error:  # whatever the hub's client and its network library raise
            told = mk.hub.explain_hub_error(error, INDEX)
            raise self._fault(f"can't be fetched: {told}") from error

    def _check(self, folder: Path) -> None:
        """Raise WeightsError where a folder is no Stable Diffusion pipeline, or lacks something."""
        if not folder.is_dir():
            raise self._fault("is no folder")
        if missing := self._lacking(folder):
            raise self._fault(f"lacks {missing[0]}")
        try:
            index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
            kind, parts = index["_class_name"], {name: index[name][0] for name in PARTS}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._fault(f"its {INDEX} describes no Stable Diffusion pipeline") from error
        if kind != "StableDiffusionPipeline":
            told = f"its {INDEX} describes no Stable Diffusion pipeline (got {kind!r})"
            raise self._fault(told)
        if foreign := [name for name, home in parts.items() if home not in LIBRARIES]:
            raise self._fault(f"its {foreign[0]} needs code of its own, which is never run")

    def _lacking(self, folder: Path) -> list[str]:
        """Return which files a folder lacks."""
        wanted = [INDEX, *(f"{part}/{file}" for part in WEIGHTS for file in ("config.json", FILES))]
        return [name for name in wanted if not [*folder.glob(name)]]

    def _fault(self, why: str) -> mk.WeightsError:
        return mk.WeightsError.about(self.model, f"{why}; {HINT}")


LIBRARIES = ("diffusers", "transformers")
"""Whose classes a pipeline may name."""


def diffusers() -> Any:
    """Return the package diffusers; PluginError, with what to do, where it is not installed."""
    if find_spec("diffusers") is None:
        told = "needs the package diffusers: pip install 'mousai-kit[riffusion]'"
        raise mk.PluginError(mk.Problem("riffusion", "", told))
    mk.transformers()  # with torchaudio as `mk` loads it, which diffusers would import by itself
    with _quiet():
        import diffusers

        diffusers.StableDiffusionPipeline  # noqa: B018  (imported at its first mention)
    return diffusers


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep diffusers and transformers from reporting on what they load and deprecate."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
