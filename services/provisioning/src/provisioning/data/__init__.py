"""What the synthetic holder holds: dataset ids with their categories."""
