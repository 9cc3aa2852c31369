"""What is claimed: one folder a paper, one file a claim."""
