"""Watch a folder: score each new recording once, store its event, and tell hooks."""
