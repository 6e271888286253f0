"""The pack maker: main, hidden and detail image made from a registered original, and single repairs of finished files.

Nothing here knows Django, the database or the network. Files pass their rules by construction, and are checked anyway.
"""
