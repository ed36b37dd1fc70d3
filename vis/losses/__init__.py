"""Outputs and targets to named numbers."""
