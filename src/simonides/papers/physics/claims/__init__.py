"""Claims of this paper."""
