"""One error per way in which a case can be refused, each with a stable code."""

from __future__ import annotations


class CaseError(Exception):
    """Refused; `code` says why and `items` which items of the gate it is about."""

    code = "case.refused"

    def __init__(self, detail: str = "", items: tuple[str, ...] = ()) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.items = items


class UnknownTargetError(CaseError):
    """No target of that id, or it does not take this kind of case."""

    code = "case.unknown_target"


class NotReadyError(CaseError):
    """A required item is missing; `items` names each."""

    code = "case.not_ready"


class StepError(CaseError):
    """The state machine has no such step from here."""

    code = "case.no_such_step"


class ClosedError(CaseError):
    """A closed case is not changed any more."""

    code = "case.closed"


class NoteMissingError(CaseError):
    """This step needs a reason, so that people later know why."""

    code = "case.note_missing"


class FileRefusedError(CaseError):
    """The target takes no such file; `code` says what is wrong with it."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(detail or code)
        self.code = code
