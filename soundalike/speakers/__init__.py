"""Speakers: enrol voices, identify and verify them, and measure how often that is right."""
