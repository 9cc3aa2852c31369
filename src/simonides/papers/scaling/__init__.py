"""Scaling laws: how the error of a memory of heavy-tailed data falls with data, width and training.

Cabannes, Dohmatob & Bietti (2024).
"""
