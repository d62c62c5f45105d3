"""timm's weights by name, from Hugging Face's cache or downloaded, and read as plain tensors."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from translearn.errors import WeightsError, fault
from translearn.models.backbones.backbone import timm
from translearn.models.backbones.names import TIMM
from translearn.models.backbones.pretrained import hub_file
from translearn.models.checkpoints.files import read_content
from translearn.models.weights import State

_FILES = ("model.safetensors", "pytorch_model.bin")


def tags(arch: str) -> list[str]:
    """Return the tags of timm's weights for a backbone, the default one first."""
    name = arch.removeprefix(TIMM)
    default, listed = timm().get_pretrained_cfg(name), timm().models.get_arch_pretrained_cfgs(name)
    found = [entry.tag for entry in listed.values() if entry.has_weights and entry.tag]
    return sorted(found, key=lambda tag: tag != default.tag)


def find_timm(arch: str, tag: str) -> Any:
    """Return timm's ``PretrainedCfg`` of a backbone's weights; ``default`` is the first of its tags.

    Raises:
        WeightsError: timm knows no such weights for the backbone; names those that it knows.
    """
    known = tags(arch)
    wanted = known[0] if known and tag.lower() == "default" else tag
    if wanted not in known:
        near = difflib.get_close_matches(tag, known, n=1, cutoff=0.5)
        listed = f"One of {', '.join(known)}." if known else "It has none: use `pretrain` or `checkpoint`."
        remedy = f"Did you mean {near[0]!r}?" if near else listed
        raise WeightsError(fault("weights", f"must be one of timm's for {arch}", repr(tag), remedy))
    return timm().get_pretrained_cfg(f"{arch.removeprefix(TIMM)}.{wanted}")


def timm_state(entry: Any) -> State:
    """Return timm's weights under the names of its own module, for images of ``entry.input_size``.

    Raises:
        WeightsError: They are not cached and cannot be downloaded (it says which file to put where), or the file holds
            anything but tensors. No code in it was executed.
    """
    full = f"{entry.architecture}.{entry.tag}"
    overlay = {"state_dict": read_content(_file(entry, full)).tensors}  # timm renames what older files have
    model = timm().create_model(full, pretrained=True, pretrained_cfg_overlay=overlay)
    return dict(model.state_dict())


def _file(entry: Any, full: str) -> Path:
    if not entry.hf_hub_id:
        return hub_file(entry.url, f"timm's {full}")
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    listed = [entry.hf_hub_filename] if entry.hf_hub_filename else list(_FILES)
    for name in listed:
        cached = try_to_load_from_cache(entry.hf_hub_id, name)
        if isinstance(cached, str):
            return Path(cached)
    try:
        return Path(hf_hub_download(entry.hf_hub_id, listed[0]))
    except Exception as error:  # without a network the client raises many kinds
        place = Path(constants.HF_HUB_CACHE, f"models--{entry.hf_hub_id.replace('/', '--')}", "snapshots", "main")
        reason = " ".join(str(error).split())[:200]
        remedy = (
            f"Without a network, fetch {listed[0]} of https://huggingface.co/{entry.hf_hub_id} elsewhere and put it at "
            f"{place / listed[0]}."
        )
        raise WeightsError(
            fault(f"timm's {full}", "must be cached or downloadable", f"neither ({reason})", remedy)
        ) from error
