"""`import`: another project's weights become a trained stage of a run."""

import json
from pathlib import Path

import nano
import pytest
import small_archinet as small
import torch
from safetensors.torch import load_file, save_file

from mousai_kit.core.console import Screen
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run import Run
from mousai_kit.runs.run_folder import RunFolder

WEIGHTS = Path("runs/small/autoencoder/weights.safetensors")
FIRST = "net.blocks.2.blocks.0.weights"
LAST = "encoder.to_out.bias"


@pytest.fixture
def bring(command):
    """Return a function that imports a file into `runs/small`, or fails to."""
    small.recipe()

    def importing(source="theirs.pt", *more, stage="autoencoder"):
        run = ("--recipe", "small.yaml") if not Path("runs/small/recipe.yaml").exists() else ()
        into = ("--into", "runs/small", *run)
        return command("import", "archinet", source, "--stage", stage, *into, *more)

    return importing


def refused(said):
    """Return the lines of a refusal, once it is clear that nothing was written."""
    assert said.code == 2
    assert said.out == ""
    assert not Path("runs").exists()
    return said.err.splitlines()


class TestWhatFits:
    def test_the_weights_are_taken_and_said_where_from(self, bring):
        state = small.state_dict()
        said = bring(small.saved(state=state))
        count = len(checkpoint.read_checkpoint(WEIGHTS)[0])
        assert (said.code, said.out) == (0, f"theirs.pt: {count} tensors fit\n{WEIGHTS}\n")
        kept, header = checkpoint.read_checkpoint(WEIGHTS)
        assert torch.equal(kept["encoder.pyramid.leave.bias"], state[LAST])
        assert header["imported"] | {"sha256": ""} == {
            "format": "archinet", "source": "theirs.pt", "sha256": "",
        }  # fmt: skip
        assert len(header["imported"]["sha256"]) == 64

    @pytest.mark.parametrize("prefix", ["model.", "module.net.", "autoencoder._orig_mod."])
    def test_names_may_begin_in_any_way(self, bring, prefix):
        state = {prefix + name: it for name, it in small.state_dict().items()}
        said = bring(small.saved(state={**state, "step": torch.tensor(3)}))
        first, second, _ = said.out.splitlines()
        told = prefix.removesuffix("_orig_mod.")  # a compiled module's names are the module's own
        assert first.endswith(f" tensors fit, behind '{told}'")
        assert second == "left aside: 1 tensors that do not begin so"

    @pytest.mark.parametrize("key", ["state_dict", "model", "ema"])
    def test_a_state_dict_may_lie_in_what_a_trainer_saved(self, bring, key):
        assert bring(small.saved(state={"epoch": 3, key: small.state_dict()})).code == 0

    def test_averaged_weights_are_taken_first(self, bring):
        plain, averaged = small.state_dict(), small.state_dict(seed=2)
        state = {f"model.{name}": it for name, it in plain.items()}
        state |= {f"model_ema.{name}": it for name, it in averaged.items()}
        bring(small.saved(state=state))
        assert torch.equal(load_file(WEIGHTS)["encoder.pyramid.leave.bias"], averaged[LAST])

    def test_one_of_a_tensor_s_names_is_enough_and_half_precision_will_do(self, bring):
        state = {
            name: it.half().clone()
            for name, it in small.state_dict().items()
            if not name.startswith(("diffusion.", "sampler."))
        }
        save_file(state, "theirs.safetensors")
        assert bring("theirs.safetensors").code == 0
        assert load_file(WEIGHTS)["encoder.pyramid.leave.bias"].dtype == torch.float32

    def test_a_folder_holds_one_file_or_is_told_which(self, bring):
        Path("folder").mkdir()
        small.saved("folder/a.pt")
        small.saved("folder/b.ckpt", seed=2)
        assert refused(bring("folder")) == [
            "folder: holds several files of weights; say --file: 'a.pt' and 'b.ckpt'"
        ]
        said = json.loads(bring("folder", "--file", "b.ckpt", "--json").out)
        assert said["source"] == "folder/b.ckpt"
        assert said["provenance"]["file"] == "b.ckpt"

    @pytest.mark.parametrize("layout", range(4))
    def test_a_generator_in_each_way_that_it_is_saved(self, bring, layout):
        bring(small.saved())
        state = small.state_dict(small.T5, stage="generator", layout=layout)
        if layout % 2:  # their T5 is saved along
            begins = "net.blocks.2.blocks.0." if layout == 1 else "blocks.2.blocks.0."
            state[f"{begins}transformer.shared.weight"] = torch.zeros(3)
        said = bring(small.saved("g.pt", state=state), "--set", small.T5, stage="generator")
        assert said.err == ""
        told = "not in such a file, and left at their defaults: mean, deviation"
        assert told in said.out.splitlines()

    def test_weights_that_were_there_are_kept_aside(self, bring):
        bring(small.saved())
        said = bring(small.saved(seed=2))
        kept = "runs/small/autoencoder.old-1"
        assert said.out.splitlines()[1] == f"the weights that were there are kept in {kept}"
        assert Path(kept, "weights.safetensors").is_file()


class TestTheRun:
    @pytest.fixture
    def imported(self, bring):
        bring(small.saved())
        return Path("runs/small")

    def test_reconstructs_before_its_generator_is_trained(self, imported, command):
        nano.tone("a.wav", seconds=0.3)
        said = command("reconstruct", imported, "a.wav", "--out", "b.wav")
        assert (said.code, said.out) == (0, "b.wav\n")

    def test_is_evaluated_as_far_as_it_is_trained(self, imported, command):
        said = command("evaluate", imported)
        assert said.code == 0
        assert "## Imported weights\n\n- autoencoder: theirs.pt (archinet, sha256 " in said.out

    def test_generates_only_when_all_is_trained(self, imported, command):
        assert command("generate", imported, "music").err == (
            "runs/small/generator/weights.safetensors: is missing: the stage is not trained; "
            "`mousai-kit run` trains it\n"
        )

    def test_trains_the_generator_alone_on_other_music_with_other_settings(self, imported, command):
        before = checkpoint.read_header(WEIGHTS)["digest"]
        other = ["data.tracks=5", "seed=3", "stages.autoencoder.train.batch=4"]
        said = command("run", "small.yaml", *(it for one in other for it in ("--set", one)))
        assert said.code == 0
        (line,) = [it for it in said.err.splitlines() if it.startswith("autoencoder: ")]
        assert line.startswith("autoencoder: imported from theirs.pt (archinet, sha256 ")
        assert checkpoint.read_header(WEIGHTS)["digest"] == before
        assert Path("runs/small/generator/weights.safetensors").is_file()
        assert command("generate", imported, "low saw").code == 0

    def test_sets_weights_of_another_model_aside_instead_of_using_them(self, imported):
        changed = small.recipe("stages.autoencoder.model.unet.blocks=[2, 1]")
        assert RunFolder(imported).mismatches(
            WEIGHTS, RunFolder(imported).provenance(changed, "autoencoder")
        ) == ["stages.autoencoder.model.unet.blocks.0"]

    def test_hears_what_the_weights_hear(self, imported):
        system = Run(small.recipe(), RunFolder(imported), Screen())
        stage = system.load(["autoencoder"]).cascade.stages["autoencoder"]
        wave = torch.randn(1, 1, 1024)
        state = small.state_dict()
        assert torch.equal(stage.encoder.pyramid.leave.bias, state[LAST])
        assert stage.encode(wave).shape == (1, 4, 32)


class TestWhatDoesNotFit:
    def damaged(self, **changes):
        state = {**small.state_dict(), **changes}
        return small.saved(state={name: it for name, it in state.items() if it is not None})

    def test_a_tensor_that_is_missing_in_all_its_places(self, bring):
        places = ("net.", "diffusion.net.", "sampler.net.")
        lost = {FIRST.replace("net.", place, 1): None for place in places}
        assert refused(bring(self.damaged(**lost))) == [f"theirs.pt: lacks {FIRST}"]

    def test_tensors_that_are_left_over(self, bring):
        more = {f"encoder.more.{number}": torch.zeros(1) for number in range(5)}
        assert refused(bring(self.damaged(**more))) == [
            "theirs.pt: has left over encoder.more.0, encoder.more.1, encoder.more.2 and 2 more"
        ]

    def test_a_tensor_of_another_shape(self, bring):
        assert refused(bring(self.damaged(**{LAST: torch.zeros(5)}))) == [
            f"theirs.pt: has another shape for {LAST} (5 for 4)"
        ]

    def test_copies_that_differ(self, bring):
        name = f"sampler.{FIRST}"
        assert refused(bring(self.damaged(**{name: torch.zeros(128)}))) == [
            f"theirs.pt: has different copies of {name}"
        ]

    def test_another_window(self, bring):
        assert refused(bring(self.damaged(**{"encoder.stft.window": torch.ones(63)}))) == [
            "theirs.pt: has other constants in encoder.stft.window"
        ]

    def test_numbers_that_are_none(self, bring):
        assert refused(bring(self.damaged(**{LAST: torch.full((4,), torch.nan)}))) == [
            f"theirs.pt: has numbers that are not finite in {LAST}"
        ]

    def test_everything_at_once(self, bring):
        lines = refused(bring(self.damaged(**{LAST: torch.zeros(5), "more": torch.zeros(1)})))
        assert lines == [
            "theirs.pt: has left over more",
            f"theirs.pt: has another shape for {LAST} (5 for 4)",
        ]

    def test_another_network_altogether(self, bring):
        torch.save(torch.nn.Linear(2, 2).state_dict(), "theirs.pt")
        lacks, left = refused(bring())
        assert lacks.startswith("theirs.pt: lacks net.blocks.0.weight, net.blocks.1.weight, ")
        assert left == "theirs.pt: has left over weight, bias"


class TestWhatTheAuthorsDoNotHave:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ("autoencoder.model.domain={use: mdct, hop: 16}",
             "domain: archinet has no 'mdct'; it must be 'waveform'"),
            ("autoencoder.model.envelope={}", "envelope: archinet has none; it must be null"),
            ("autoencoder.model.encoder.final_norm=true",
             "encoder.final_norm: archinet has none; it must be false"),
            ("autoencoder.model.unet.head=gain",
             "unet.head: archinet has no 'gain' head; it must be 'plain'"),
            ("autoencoder.model.schedule=shifted-cosine",
             "schedule: archinet has no 'shifted-cosine'; it must be 'cosine'"),
            ("autoencoder.model.unet.context_injections=[1, 1]",
             "unet.context_injections: archinet hears the latent at one depth (got 2)"),
            ("autoencoder.model.unet.context_injections=[1, 0]",
             ("unet.context_injections: archinet hears the latent where a frame is 32 samples, "
              "as its own is (got 16 at depth 0)")),
        ],
    )  # fmt: skip
    def test_is_refused_by_the_option_s_name(self, bring, change, told):
        small.saved()
        said = bring("theirs.pt", "--set", f"stages.{change}")
        assert [line.split(": stages.autoencoder.model.", 1)[1] for line in refused(said)] == [told]

    def test_the_file_and_line_are_told(self, bring):
        small.saved()
        assert refused(bring(stage="generator")) == [
            (
                "small.yaml:19: stages.generator.model.text: "
                "archinet has no 't5-scratch'; it must be 't5'"
            )
        ]


class TestMisuse:
    def test_an_unknown_format(self, command):
        assert refused(command("import", "archinte", "x.pt", "--stage", "autoencoder")) == [
            "no weight_format is called 'archinte'; did you mean 'archinet'?"
        ]

    def test_an_unknown_stage(self, bring):
        assert refused(bring(small.saved(), stage="autoencode")) == [
            "--stage: the recipe has no stage 'autoencode'; did you mean 'autoencoder'?"
        ]

    def test_a_stage_above_one_that_is_not_there(self, bring):
        assert refused(bring("theirs.pt", "--set", small.T5, stage="generator")) == [
            (
                "runs/small/autoencoder/weights.safetensors: is missing: the stage is not trained; "
                "`mousai-kit run` trains it"
            )
        ]

    @pytest.mark.parametrize("name", ["nowhere.pt", "some/nowhere.pt", "nowhere"])
    def test_a_source_that_is_not_there(self, bring, name):
        assert refused(bring(name)) == [
            f"{name}: is no file, no folder, and no name of a model (owner/name)"
        ]

    def test_options_that_do_not_belong_to_a_file(self, bring):
        path = small.saved()
        assert refused(bring(path, "--revision", "main")) == [
            "--revision: is for a model on the hub, and this is a file or folder"
        ]
        assert refused(bring(path, "--file", "a.pt")) == [
            "--file: names a file of a folder or a model, and this is a file"
        ]

    def test_a_folder_without_weights_and_a_file_that_it_lacks(self, bring):
        Path("folder").mkdir()
        Path("folder/a.txt").write_text("")
        assert refused(bring("folder")) == [
            "folder: holds no file of weights (.safetensors, .pt, .pth, .ckpt, .bin, .th)"
        ]
        assert refused(bring("folder", "--file", "b.txt")) == [
            "folder: holds no file 'b.txt'; did you mean 'a.txt'?"
        ]

    def test_a_file_that_holds_code(self, bring):
        torch.save(torch.nn.Linear(2, 2), "theirs.pt")
        assert refused(bring()) == [
            (
                "theirs.pt: holds more than tensors, which could run code, and is not read; "
                "save its state_dict() alone"
            )
        ]

    @pytest.mark.parametrize("name", ["theirs.pt", "theirs.safetensors"])
    @pytest.mark.parametrize("data", [b"", b"text" * 99])
    def test_a_file_that_is_broken(self, bring, name, data):
        Path(name).write_bytes(data)
        (line,) = refused(bring(name))
        assert line.startswith(f"{name}: is broken or cut short (")

    def test_a_file_without_tensors(self, bring):
        torch.save({"epoch": 3}, "theirs.pt")
        assert refused(bring()) == ["theirs.pt: holds no state dict: no tensors by name"]

    def test_a_recipe_for_a_run_that_has_one(self, bring, command):
        bring(small.saved())
        said = command(
            "import", "archinet", "theirs.pt", "--stage", "autoencoder",
            "--into", "runs/small", "--recipe", "small.yaml",
        )  # fmt: skip
        assert said.err == (
            "runs/small: has a recipe of its own; leave --recipe out, or use --into for another "
            "folder\n"
        )
