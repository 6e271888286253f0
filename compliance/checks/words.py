"""Marks a sentence for the message catalogue without translating it: the language is chosen where the page is made."""


def gettext_noop(message: str) -> str:
    """The message itself; its name is what the extraction of messages looks for."""
    return message
