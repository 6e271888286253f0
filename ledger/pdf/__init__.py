"""Documents for people: a dataclass in, the same PDF bytes out every time.

`documents` says what a document holds, `render` makes PDF/A-3a + PDF/UA-1 of it, `sign` puts a PAdES signature on it,
`archive` makes it long-term, and `read` takes a signed document apart again. No Django, no clock, no network: times and keys are arguments.
"""
