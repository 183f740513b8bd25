"""Jina's side of Soundalike: executors and gateway that translate, and decide nothing."""
