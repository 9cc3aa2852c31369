"""Heavy-tailed class imbalance, and why Adam outperforms gradient descent on language models.

Kunstner, Yadav, Milligan, Schmidt & Bietti (2024): where most samples belong to rare classes, gradient descent learns
these slowly and so is slow on average; Adam and sign descent are much less affected.
"""
