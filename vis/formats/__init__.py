"""Annotation and result files to records and back: reading, writing, checking."""
