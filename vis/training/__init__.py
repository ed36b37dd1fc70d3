"""The road of training: configuration, loop, optimiser, checkpoints, logs."""
