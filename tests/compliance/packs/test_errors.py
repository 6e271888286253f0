"""Every way in which a pack cannot be made has words for people."""

from compliance.packs.errors import FileRefused, PackError, ReportMalformed
from ledger.error_texts import TEXTS

SPOKEN_OTHERWISE = {FileRefused, ReportMalformed}  # by the decoder's code, and as a crash of the child


def test_every_code_has_words():
    codes = {kind.code for kind in PackError.__subclasses__() if kind not in SPOKEN_OTHERWISE}
    assert codes <= TEXTS.keys()


def test_every_code_is_its_own():
    codes = [kind.code for kind in PackError.__subclasses__()]
    assert len(codes) == len(set(codes))
