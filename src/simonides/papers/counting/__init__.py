"""Contextual counting: which token does a transformer count with?

Golkar et al. (2024): a string over 0, 1 and brackets, and how many 1s each bracketed region holds.
"""
