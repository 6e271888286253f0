"""Image rules of the marketplaces: pure functions from decoded pictures to findings, one module per family.

Nothing here knows Django, the database or the network. Limits come from a profile (profiles/*.toml), never from code.
"""
