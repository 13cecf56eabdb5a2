"""A system: the cascade of a recipe with the weights of its run folder."""

from __future__ import annotations

import copy
from collections.abc import Sequence

from mousai_kit.core.console import Screen
from mousai_kit.distributed import init_distributed
from mousai_kit.models import device as devices
from mousai_kit.models.cascade import Cascade
from mousai_kit.models.compiled import compile_networks
from mousai_kit.recipe import Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.adapter import AppliedAdapter
from mousai_kit.runs.run_folder import RunFolder


class Run:
    """The cascade of a recipe with the weights of a run folder."""

    def __init__(
        self,
        recipe: Recipe,
        folder: RunFolder,
        screen: Screen,
        adapters: Sequence[AppliedAdapter] = (),
        *,
        to_load: bool = False,
    ) -> None:
        """Build the stages; `adapters` are put on them when they are loaded to play.

        `to_load` builds stages that are of no use until their weights are loaded, and sooner.
        """
        self.recipe, self.folder, self.screen, self.adapters = recipe, folder, screen, adapters
        device = devices.resolve_device(recipe.device)
        with screen.busy("building the stages"):
            self.ranks = init_distributed(device.type)
            self.device = devices.resolve_device(str(self.ranks.device(device)))
            self.cascade = Cascade.build(recipe, device=self.device, to_load=to_load)

    def load(self, names: Sequence[str] | None = None) -> Run:
        """Load the weights of all stages, or of `names`.

        WeightsError where one's are missing or another recipe's.
        """
        wanted = list(self.cascade.stages) if names is None else names
        self.folder.check_trained(self.recipe, wanted)
        for name in wanted:
            self.load_stage(name)
        return self

    def load_for_inference(
        self, names: Sequence[str] | None = None, *, compiled: bool = False
    ) -> Run:
        """Load weights for a process that only plays: see `Cascade.prepare_for_inference`.

        With `compiled` its networks' blocks are compiled as they sample; RequestError where there
        is no compiler.
        """
        self.load(names)
        for adapter in self.adapters:
            adapter.put_on(self.cascade.stages, self.folder, self.screen.print)
        if compiled:
            self._compile()
        else:
            self.cascade.prepare_for_inference()
        return self

    def _compile(self) -> None:
        """Let the networks sample compiled, and say what that takes."""
        with self.screen.busy("looking for a compiler"):
            count = compile_networks(self.cascade.stages.values(), self.device)
        self.screen.print(
            f"{count} blocks of networks compile as they first run, anew for each length: "
            "it can take minutes"
        )

    @property
    def autoencoder_stages(self) -> list[str]:
        """Return the stages that bring audio to latents and back: all that `reconstruct` needs."""
        return [
            name for name, stage in self.cascade.stages.items() if stage.latent_space is not None
        ]

    @property
    def evaluable_stages(self) -> list[str]:
        """Return the stages that can be evaluated: those that encode, and those with weights."""
        return [
            name
            for name, stage in self.cascade.stages.items()
            if stage.latent_space is not None or self.folder.stage(name).weights.exists()
        ]

    def untrained_copy(self) -> Cascade:
        """Return the cascade as before its first step, with what was measured of the data."""
        cascade = Cascade.build(self.recipe, device=self.device)
        for name, stage in cascade.stages.items():
            untrained = {key: value.clone() for key, value in stage.named_parameters()}
            state = copy.deepcopy(self.cascade.stages[name].state_dict())
            stage.load_state_dict(state | {k: v for k, v in untrained.items() if k in state})
        return cascade

    def load_stage(self, name: str) -> None:
        """Load a stage's weights from the run folder, whatever made them."""
        origin = str(self.folder.stage(name).weights)
        with self.screen.busy(f"loading {name}"):
            tensors = self.folder.load(self.recipe, name)
            checkpoint.load_into(self.cascade.stages[name], tensors, origin=origin)
        self.cascade.stages[name].eval()
