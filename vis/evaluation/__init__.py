"""Tracks and truth to numbers: precision, identity, contours, and where the points were lost."""
