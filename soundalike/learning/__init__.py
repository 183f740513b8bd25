"""Models of right and wrong examples: rules and their choice, expected precision, order of review."""
