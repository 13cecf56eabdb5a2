"""Vocabulary: the words that a system learned from captions, and those of a prompt that are new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mousai_kit.core.errors import escape_control_chars, format_value, join_quoted, some
from mousai_kit.core.interfaces import TextEncoder
from mousai_kit.models.cascade import Cascade
from mousai_kit.recipe import Recipe
from mousai_kit.runs import checkpoint
from mousai_kit.runs.run_folder import RunFolder

TOLD = 5
"""Prompts with new words that are told one by one."""
FREQUENT = 12
"""Words that are told, of those that are new and of those that a system knows."""
EXTRA = "_extra_state"
"""What torch calls what a module keeps beside its tensors."""
LONGEST = 30
"""Characters of a word that are told."""


def text_encoder(cascade: Cascade) -> TextEncoder | None:
    """Return what reads a system's prompts, None where nothing does."""
    stages = reversed(cascade.stages.values())
    found = (
        module for stage in stages for module in stage.modules() if isinstance(module, TextEncoder)
    )
    return next(found, None)


def saved_words(recipe: Recipe, folder: RunFolder) -> list[str] | None:
    """Return the words that the trained text encoder of a run knows; None where it can't tell.

    Nothing else of the weights is read. WeightsError where its file is broken.
    """
    for name, stage in reversed(Cascade.build(recipe, device="meta").stages.items()):
        path = folder.stage(name).weights
        for place, module in stage.named_modules():
            if isinstance(module, TextEncoder) and path.is_file():
                state = checkpoint.read_one(path, f"{place}.{EXTRA}")
                if state is not None:
                    module.set_extra_state(state)
                return module.known_words()
    return None


def unknown_words_told(cascade: Cascade, prompts: Sequence[str]) -> Iterator[str]:
    """Yield a line for each prompt with words that the system never saw, then one on what it knows.

    Nothing where it knows them all, or can't tell.
    """
    if (encoder := text_encoder(cascade)) is None:
        return
    unknown = {prompt: encoder.unknown_words(prompt) for prompt in dict.fromkeys(prompts)}
    found = [(prompt, words) for prompt, words in unknown.items() if words]
    for prompt, words in found[:TOLD]:
        new = some([word[:LONGEST] for word in words], FREQUENT, join_quoted)
        told = f"{format_value(prompt)}: of these words the system never saw {new}"
        yield escape_control_chars(told)
    if len(found) > TOLD:
        yield f"and {len(found) - TOLD} more prompts have words that it never saw"
    if found and (known := encoder.known_words()):
        told = escape_control_chars(", ".join(telling(known)[:FREQUENT]))
        yield f"it saw {len(known)} words, most often {told}"


def telling(words: Sequence[str]) -> list[str]:
    """Return those of the words that say something, no numbers and no crumbs; all if none does."""
    return [word for word in words if len(word) > 2 and not word.isdecimal()] or list(words)
