"""A publication on the Hugging Face hub."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mousai_kit.cli.publishing.folder import others
from mousai_kit.cli.publishing.publisher import CREDITS, Publisher
from mousai_kit.core.errors import MousaiError, RequestError, error_summary
from mousai_kit.core.packaged import RECIPE, WEIGHTS
from mousai_kit.models import hub
from mousai_kit.runs.model_card import README

LOGIN = "run `hf auth login`, or set HF_TOKEN"


def publish_to_hub(publisher: Publisher, model: str) -> str:
    """Upload a publication, in place of an earlier one; return its address.

    RequestError where nobody is logged in, the hub can't be reached, refuses, or has something
    else under that name: nothing is uploaded then.
    """
    from huggingface_hub import HfApi

    api, screen = HfApi(), publisher.screen
    try:
        owner = api.whoami()["name"]
        _check_replaceable(model)
        with tempfile.TemporaryDirectory(prefix="mousai-kit-") as made:
            publisher.write(Path(made), card=README, called=model)
            address = str(api.create_repo(model, exist_ok=True))
            screen.print(f"{model}: uploading to {address} as {owner}")
            api.upload_folder(
                repo_id=model,
                folder_path=made,
                commit_message=f"Publish {publisher.recipe.name}",
                delete_patterns=[f"*/{WEIGHTS}", CREDITS],
            )
    except MousaiError:
        raise
    except Exception as error:  # whatever the hub's client and its network library raise
        raise RequestError.about(model, f"can't be published: {_reason(error)}") from error
    return address


def _check_replaceable(model: str) -> None:
    """Raise RequestError where the hub has something else under a name."""
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        files = [file for file in hub.list_repo_files(model, None)[1] if file != ".gitattributes"]
    except RepositoryNotFoundError:
        return
    odd = others(files) or ([] if RECIPE in files or not files else files)
    if odd:
        told = f"is on the hub already and is no publication, as it holds '{odd[0]}'"
        raise RequestError.about(model, f"{told}; name another with --to")


def _reason(error: Exception) -> str:
    """Return in a few words why the hub took nothing, and what to do."""
    from huggingface_hub import constants, errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.LocalTokenNotFoundError):
        return f"nobody is logged in; {LOGIN}"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set"
    if status == 401:
        return f"the hub does not know the token; {LOGIN}"
    if status == 403:
        page = f"{constants.ENDPOINT}/settings/tokens"
        return f"the token may not write there; take one that may: {page}"
    if status is not None or isinstance(error, OSError | ValueError):
        return error_summary(error)
    return f"{constants.ENDPOINT} can't be reached"
