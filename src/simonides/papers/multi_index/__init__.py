"""Gaussian multi-index models: how gradient flow finds the directions that a function depends on.

Bietti, Bruna & Pillaud-Vivien (2023).
"""
