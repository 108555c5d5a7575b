"""Folds, metrics, MLflow, gates: everything that fits for evaluation and keeps the record of it."""
