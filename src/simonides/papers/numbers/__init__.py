"""Numbers in language models: xVal, its rivals, and an adapter for one's own model.

Golkar et al. (2023).
"""
