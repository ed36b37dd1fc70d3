"""Many sources: which are done, going on after a kill, shares of several processes, Ray."""
