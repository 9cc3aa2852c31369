"""Factual recall: how a one-layer transformer stores facts, and the order in which it learns them.

Nichani, Lee & Bietti (2025).
"""
