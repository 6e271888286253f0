"""One named error per way in which a packet cannot be made. Words for people: compliance/error_texts.py."""


class PacketError(Exception):
    """A packet cannot be made like this. detail names the file or the figures."""

    code = "packet"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail)
        self.detail = detail


class ItemTooLargeError(PacketError):
    """One file alone is larger than the target takes."""

    code = "packet.item_too_large"


class TooManyPartsError(PacketError):
    """The target takes fewer files than the parts that are needed."""

    code = "packet.too_many_parts"


class PacketTooLargeError(PacketError):
    """All together is larger than the target takes."""

    code = "packet.too_large"


class FileNameError(PacketError):
    """Two files of a packet have one name, or a name that an archive does not take."""

    code = "packet.file_name"


class UnknownLanguageError(PacketError):
    """There is no letter in that language."""

    code = "packet.language"
