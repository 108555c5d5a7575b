"""Versioned tables with their sources; data, never code."""
