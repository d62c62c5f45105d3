"""Backbones by name: their stages, their pretrained weights, and what they can not do."""
