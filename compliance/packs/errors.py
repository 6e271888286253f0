"""One named error per way in which a pack cannot be made or a file cannot be repaired; `code` is stable."""

from typing import ClassVar


class PackError(Exception):
    """Base of all: `detail` holds the values that disagree, for example "640x480, at least 600"."""

    code: ClassVar[str] = "pack.error"

    def __init__(self, detail: str = "") -> None:
        super().__init__(f"{self.code}: {detail}" if detail else self.code)
        self.detail = detail


class FileRefused(PackError):
    """One of the given files is no picture that can be decoded; `side` is original, overlay, main or hidden."""

    code = "pack.file_refused"

    def __init__(self, side: str, cause: str, detail: str = "") -> None:
        super().__init__(f"{side} {cause} {detail}".rstrip())
        self.detail = detail
        self.side = side
        self.cause = cause


class OriginalTooSmall(PackError):
    """The frame would be smaller than the marketplace takes, and enlarging adds no detail."""

    code = "pack.too_small"


class FileTooLarge(PackError):
    """No compression worth looking at brings the picture under the limit in bytes."""

    code = "pack.too_large"


class LargeAsMain(PackError):
    """Written like the main image the file stays above the limit, and otherwise the pair would differ in compression."""

    code = "pack.large_as_main"


class FormatNotAllowed(PackError):
    """The profile does not take the format this step would write."""

    code = "pack.format_not_allowed"


class OverlayNotLayered(PackError):
    """The overlay has no transparent pixel, so it would hide the product."""

    code = "pack.overlay_not_layered"


class OverlayEmpty(PackError):
    """Every pixel of the overlay is transparent: most likely the wrong layers were exported."""

    code = "pack.overlay_empty"


class OverlayShape(PackError):
    """The overlay has another aspect ratio than the original, so its place is unknown."""

    code = "pack.overlay_shape"


class OverlayAndMain(PackError):
    """Both an overlay and a finished main image were given: only one can be the promotion."""

    code = "pack.overlay_and_main"


class MainNotFromOriginal(PackError):
    """The original could not be found in the main image."""

    code = "pack.main_not_from_original"


class MainTransformed(PackError):
    """The original lies turned, mirrored, slanted or stretched in the main image; only crops and scales are derived."""

    code = "pack.main_transformed"


class MainBeyondOriginal(PackError):
    """The main image shows places outside the original's frame; what is under the promotion there is unknown."""

    code = "pack.main_beyond_original"


class MainReworked(PackError):
    """Most of the main image differs from the original even after crop, scale and colours are matched."""

    code = "pack.main_reworked"


class BatchMalformed(PackError):
    """The file of a batch is no proper CSV; the detail names the first line that is wrong."""

    code = "pack.batch_malformed"


class FixUnknown(PackError):
    """No repair is known for this finding code."""

    code = "pack.fix_unknown"


class OriginalMissing(PackError):
    """This repair pastes from the registered original, and none was given. Nothing is ever invented instead."""

    code = "pack.original_missing"


class MainMissing(PackError):
    """This repair follows the main image, and none was given."""

    code = "pack.main_missing"


class RegionsMissing(PackError):
    """This repair needs the places to repair, and none was given or none lies in the picture."""

    code = "pack.regions_missing"


class RatioDiffers(PackError):
    """Resizing would stretch the product: the aspect ratios differ by more than the profile allows."""

    code = "pack.ratio_differs"


class BackgroundNotPlain(PackError):
    """The repair needs a plain background that reaches the frame's edge, and there is none."""

    code = "pack.background_not_plain"


class NothingToFix(PackError):
    """The file already is as this repair would make it."""

    code = "pack.nothing_to_fix"


class ReportMalformed(PackError):
    """A received report does not have the form that worker_tasks.py gives it."""

    code = "pack.report_malformed"
