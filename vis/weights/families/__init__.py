"""Published families: one rename table each."""
