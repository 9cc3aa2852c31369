"""Gradients as memories: what one step of descent writes, and what each optimiser makes of it.

Bietti et al. (2023), section 5 and appendix; beyond it, Kim, Nichani, Wu, Bietti & Lee (2026).
"""
