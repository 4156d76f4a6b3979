"""Measures the embedded stack: ratios from one run, because absolute figures are not stable between machines."""
