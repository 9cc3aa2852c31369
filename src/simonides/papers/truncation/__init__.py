"""Truncating weights: what low rank leaves out of a memory, and why it can help.

Chen, Bruna & Bietti (2025); Sharma, Ash & Misra (2024).
"""
