"""Boundaries, the tensors that leave frozen stages: computed once for all runs that read them, kept where it pays."""
