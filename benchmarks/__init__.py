"""Hot paths against their floors on the machine at hand. Run: make bench."""
