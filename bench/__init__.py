"""What phasebench runs, times, scores, compares and reports."""
