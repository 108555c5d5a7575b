"""Readers of what laboratories, trials and clinics hand over, each to a Cohort."""
