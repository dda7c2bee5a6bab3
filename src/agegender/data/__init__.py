"""From image files to batches: source, scan, duplicates, split, cache, datamodule."""
