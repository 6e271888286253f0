"""Rules about the hidden image as a file: its real format, its weight, and what it says about itself."""

from compliance.checks.base import Answer, Finding, Level, Rule
from compliance.checks.pair import Pair
from compliance.checks.profile import Profile
from compliance.checks.words import gettext_noop


def check_format(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """The decoded format counts, not the file name: a WebP called .jpg is a WebP."""
    allowed = profile.names("formats")
    listed = ", ".join(allowed)
    measured = pair.hidden.format
    if measured in allowed:
        return Answer(measured, listed, "format")
    return Answer(measured, listed, "format", (rule.finding(Level.ERROR, measured, listed, "format"),))


def check_file_size(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Bytes of the file as uploaded; exactly the limit passes."""
    allowed = profile.integer("file_size_max_bytes")
    measured = pair.hidden.size_bytes
    if measured <= allowed:
        return Answer(measured, allowed, "bytes")
    return Answer(measured, allowed, "bytes", (rule.finding(Level.ERROR, measured, allowed, "bytes"),))


def check_metadata(rule: Rule, pair: Pair, profile: Profile) -> Answer:
    """Blocks of metadata by kind; a position (GPS) is a finding of its own, because it is the one that hurts most."""
    allowed = profile.integer("metadata_blocks_max")
    blocks = pair.hidden.metadata
    findings: list[Finding] = []
    if len(blocks) > allowed:
        findings.append(rule.finding(Level.ERROR, len(blocks), allowed, "blocks", detail=", ".join(blocks)))
    if pair.hidden.has_gps:
        findings.append(rule.finding(Level.ERROR, 1, 0, "positions", code="ERR_IMG_HID_GPS", detail="GPS"))
    return Answer(len(blocks), allowed, "blocks", tuple(findings))


RULES = (
    Rule(
        id="H05",
        family="container",
        title=gettext_noop("File format"),
        requires=gettext_noop("The hidden image is a JPG or PNG file."),
        measured_as=gettext_noop("The format found in the bytes, whatever the file is called."),
        codes=("ERR_IMG_HID_FORMAT",),
        limits=("formats",),
        check=check_format,
    ),
    Rule(
        id="H06",
        family="container",
        title=gettext_noop("File size"),
        requires=gettext_noop("The hidden image is at most 5 MB."),
        measured_as=gettext_noop("Bytes of the file; 5 MB are 5,000,000 bytes."),
        codes=("ERR_IMG_HID_FILESIZE",),
        limits=("file_size_max_bytes",),
        check=check_file_size,
    ),
    Rule(
        id="H21",
        family="container",
        title=gettext_noop("Metadata"),
        requires=gettext_noop("The hidden image carries no metadata."),
        measured_as=gettext_noop(
            "Blocks of EXIF, XMP, IPTC, JUMBF (C2PA), comments and PNG text; a GPS position is named."
        ),
        codes=("ERR_IMG_HID_META", "ERR_IMG_HID_GPS"),
        limits=("metadata_blocks_max",),
        check=check_metadata,
    ),
)
