"""Batch prediction: files of rows in, files of predictions out, each exactly once; the `batch_*` steps call it."""
