"""Multiple physics pretraining: simulations, their files, a space-time transformer, and its training."""
