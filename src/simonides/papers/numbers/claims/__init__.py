"""The claims of this paper, one file each."""
