"""From annotations and files to clips with targets: sampling, transforms, mixtures, batches."""
