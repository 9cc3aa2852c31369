"""Induction heads: how a transformer comes to copy from its context, watched through its memories.

Bietti et al. (2023).
"""
