"""One named error per way to be wrong; `code` is stable, the words for people are chosen from it at the edge."""


class ChecksError(Exception):
    """Base of everything this package raises on purpose."""

    code = "checks.error"


class DuplicateRule(ChecksError):
    """Two rules claim one id: findings could no longer be told apart."""

    code = "checks.rule_duplicate"

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"rule {rule_id} is registered twice")
        self.rule_id = rule_id


class UnknownRule(ChecksError):
    """A rule id that the registry does not hold."""

    code = "checks.rule_unknown"

    def __init__(self, rule_id: str) -> None:
        super().__init__(f"no rule {rule_id}")
        self.rule_id = rule_id


class ProfileError(ChecksError):
    """Base of every way in which a rule profile can be unusable."""

    code = "profile.error"

    def __init__(self, profile: str, message: str) -> None:
        super().__init__(f"profile {profile}: {message}")
        self.profile = profile


class ProfileUnknown(ProfileError):
    """No profile of that id, or not in that version."""

    code = "profile.unknown"


class ProfileMalformed(ProfileError):
    """The bytes are not TOML."""

    code = "profile.malformed"


class ProfileKeyMissing(ProfileError):
    """A key that a profile must state is absent."""

    code = "profile.key_missing"


class ProfileKeyUnknown(ProfileError):
    """A key nobody reads: most likely a misspelt limit, which must not be ignored silently."""

    code = "profile.key_unknown"


class ProfileValueInvalid(ProfileError):
    """A value of the wrong type, unit or range."""

    code = "profile.value_invalid"


class PictureRefused(ChecksError):
    """One file of the pair cannot be read as a picture, so nothing can be said about the pair.

    `side` is "main" or "hidden"; `cause` is the code of ledger.imaging.errors, `detail` its expected and actual values.
    """

    code = "checks.picture_refused"

    def __init__(self, side: str, cause: str, detail: str) -> None:
        super().__init__(f"{side} image: {cause} {detail}".rstrip())
        self.side = side
        self.cause = cause
        self.detail = detail

    def to_dict(self) -> dict[str, str]:
        """The refusal as JSON, for the way out of the child process."""
        return {"code": self.code, "side": self.side, "cause": self.cause, "detail": self.detail}


class ReportMalformed(ChecksError):
    """A stored or received report does not have the form that check.py gives it."""

    code = "checks.report_malformed"

    def __init__(self, key: str, actual: object) -> None:
        super().__init__(f"report value {key} is {str(actual)[:80]!r}")
        self.key = key


class ModelMissing(ChecksError):
    """A network that reads text is not where the installed packages should have it."""

    code = "checks.model_missing"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not in the installed package rapidocr; install requirements.lock again")
        self.name = name
