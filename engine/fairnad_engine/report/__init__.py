"""Reports, exports and scoring an export again."""
