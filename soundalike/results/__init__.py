"""Matches, events and annotations in files of other programs, and as cut-outs of sound."""
