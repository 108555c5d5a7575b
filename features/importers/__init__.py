"""Readers that turn files into a Cohort, each of them only from checked input."""
