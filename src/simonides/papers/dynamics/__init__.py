"""How gradient descent moves a memory: margins, competition, oscillation, forgetting.

Cabannes, Simsek & Bietti (2024).
"""
