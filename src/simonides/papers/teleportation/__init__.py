"""Level-set teleportation: move to where the loss is the same and its gradient is largest, then go on.

Mishkin, Bietti & Gower (2025).
"""
