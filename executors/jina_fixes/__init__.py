"""Mends of Jina and DocArray: one fault a module, each with its reason and when it can go.

Nothing is imported here, so that a mend can be applied before Jina or DocArray is imported.
"""
