"""Weights as associative memories: how much they store.

The linear memories of Nichani, Lee & Bietti (2025, section 3), with the near-orthogonality and read-out
facts of Bietti et al. (2023, section 3) that they rest on.
"""
