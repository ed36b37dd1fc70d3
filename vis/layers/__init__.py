"""Building blocks that know nothing of instances."""
