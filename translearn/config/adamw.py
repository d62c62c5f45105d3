"""Defaults of a study with AdamW, where the usual ones are those of SGD.

Sources: a weight decay of 0.05 in Touvron et al., DeiT (ICML 2021, arXiv:2012.12877), table 9, and He et al., MAE (CVPR
2022, arXiv:2111.06377), table 9. Transformers are fine-tuned with rates from 5e-5 (Liu et al., ConvNeXt, CVPR 2022,
arXiv:2201.03545, appendix A) to 1e-3 (MAE), heads alone with higher ones, and from scratch with 1e-3 (DeiT).
"""

from __future__ import annotations

from typing import Any

_TRAIN = {"weight_decay": 0.05}
_SEARCH = {"lr": [1e-5, 1e-2]}
_PRETRAIN = {"lr": 1e-3}


def with_defaults_of_adamw(tree: dict[str, Any]) -> dict[str, Any]:
    """Return a study, plain data, with AdamW's defaults where ``train.optimizer`` is it; values given stay."""
    train = tree.get("train")
    if not isinstance(train, dict) or train.get("optimizer") != "adamw":
        return tree
    sources = tree.get("sources")
    sections = {"train": _completed(train, _TRAIN), "search": _completed(tree.get("search", {}), _SEARCH)}
    if isinstance(sources, list):
        sections["sources"] = [_of_source(source) for source in sources]
    return {**tree, **sections}


def _of_source(source: Any) -> Any:
    if not isinstance(source, dict) or "pretrain" not in source:
        return source
    return {**source, "pretrain": _completed(source["pretrain"], _PRETRAIN)}


def _completed(section: Any, defaults: dict[str, Any]) -> Any:
    return {**defaults, **section} if isinstance(section, dict) else section
