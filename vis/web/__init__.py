"""The page of `vis web`: videos in by browser, annotated videos and results out."""
