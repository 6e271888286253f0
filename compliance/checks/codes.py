"""Words for every finding code and reason: what happened, and what to do next. Translated where the page is made."""

from collections.abc import Mapping
from dataclasses import dataclass

from compliance.checks.words import gettext_noop


@dataclass(frozen=True, slots=True)
class CodeText:
    """Title and advice of one finding code, as English message ids."""

    code: str
    title: str
    advice: str


_KEEP_AND_STRIP = gettext_noop(
    "Keep and register this file as it is: there it is evidence. Upload a copy without metadata; making a pack strips it, "
    "and so does the repair of a checked pair."
)
_TEXTS = (
    CodeText(
        "ERR_IMG_HID_FORMAT",
        gettext_noop("The hidden image is not a JPG or PNG file"),
        gettext_noop("Export it again as JPG or PNG. Renaming the file does not change its format."),
    ),
    CodeText(
        "ERR_IMG_HID_FILESIZE",
        gettext_noop("The hidden image is too large a file"),
        gettext_noop("Save it again with stronger compression, and keep width and height as they are."),
    ),
    CodeText(
        "ERR_IMG_HID_META",
        gettext_noop("The hidden image still carries metadata"),
        gettext_noop("Export a copy without metadata. Keep your original untouched: it is your evidence."),
    ),
    CodeText(
        "ERR_IMG_HID_GPS",
        gettext_noop("The hidden image tells where it was taken"),
        gettext_noop("Remove the GPS position together with all other metadata before you upload the file."),
    ),
    CodeText(
        "ERR_IMG_HID_SIZE",
        gettext_noop("Main and hidden image differ in size"),
        gettext_noop("Export the hidden image with exactly the main image's width and height."),
    ),
    CodeText(
        "ERR_IMG_HID_RATIO",
        gettext_noop("Main and hidden image differ in aspect ratio"),
        gettext_noop("Use the main image's crop for the hidden image. Stretching it would distort the product."),
    ),
    CodeText(
        "ERR_IMG_HID_MISMATCH",
        gettext_noop("The pictures may be too different for the marketplace"),
        gettext_noop(
            "Look at the difference map. If only the removed promotion differs, make the promotion smaller; if the "
            "product differs, export the hidden image from the same photo."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_GEOMETRY",
        gettext_noop("The hidden image is moved against the main image"),
        gettext_noop(
            "Export both from one file by hiding the text layers only. Do not crop, turn or resize in between."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_SUBJECT",
        gettext_noop("The hidden image does not show the same subject"),
        gettext_noop("Use the very photo of the main image. Another view of the product is another photo."),
    ),
    CodeText(
        "ERR_IMG_HID_LIGHT",
        gettext_noop("The subject is lit differently"),
        gettext_noop("Give both pictures the same brightness, contrast and colour, or none to either."),
    ),
    CodeText(
        "ERR_IMG_HID_GHOST",
        gettext_noop("The removed promotion still shines through"),
        gettext_noop("Hide the promotion's layer completely instead of making it transparent, and export again."),
    ),
    CodeText(
        "WARN_IMG_HID_INPAINT",
        gettext_noop("A repaired spot can be seen"),
        gettext_noop(
            "Where the promotion was, the picture is smoother than around it. Take the spot from the clean original photo "
            "instead of painting over it."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_JPEG",
        gettext_noop("The two files were saved differently"),
        gettext_noop("Save the hidden image in the main image's format and with the same quality settings."),
    ),
    CodeText(
        "ERR_IMG_HID_RESIDUE",
        gettext_noop("The hidden image shows something that your original does not"),
        gettext_noop(
            "Look at the marked place: text, a logo, a code or a retouched spot was left. Hide that layer and export again."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_BG",
        gettext_noop("The background differs from the main image"),
        gettext_noop(
            "Export the hidden image from the same photo with the same background, by hiding the text layers only."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_TEXT",
        gettext_noop("There is text on the hidden image"),
        gettext_noop(
            "Hide the text layer and export again. If it is printed on the product, register the clean original and check again: "
            "what stands in the original may stay."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_QRCODE",
        gettext_noop("There is a QR code or barcode on the hidden image"),
        gettext_noop("Export the hidden image without the code. Making it smaller or fainter does not help."),
    ),
    CodeText(
        "ERR_IMG_HID_LOGO",
        gettext_noop("There is a logo on the hidden image"),
        gettext_noop(
            "Hide the logo layer and export again. If it is a part of the product, register the clean original and check again: "
            "what stands in the original may stay."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_WATERMARK",
        gettext_noop("There is a watermark on the hidden image"),
        gettext_noop("Export from the photo without the watermark. Painting over it leaves traces that are found."),
    ),
    CodeText(
        "ERR_IMG_HID_BORDER",
        gettext_noop("The hidden image has a border"),
        gettext_noop("Hide the border and export the full photo in the main image's size."),
    ),
    CodeText(
        "ERR_IMG_HID_PRICE",
        gettext_noop("There is a price on the hidden image"),
        gettext_noop("Hide the price and export again. Prices belong in the listing, not in the picture."),
    ),
    CodeText(
        "ERR_IMG_HID_GRAPHIC",
        gettext_noop("There is an arrow, sticker or other drawn shape on the hidden image"),
        gettext_noop(
            "Hide the shape and export again. If it is a part of the product, register the clean original and check again: "
            "what stands in the original may stay."
        ),
    ),
    CodeText(
        "WARN_IMG_AI_MARKED",
        gettext_noop("The file says that it was generated or altered by AI"),
        gettext_noop(
            "Use a photo of the real product. Removing the marker would hide it from this check, but not from people: "
            "a generated picture without metadata cannot be recognised here."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_MISSING",
        gettext_noop("This category needs a hidden image"),
        gettext_noop(
            "Export a hidden image from the same photo: same size and background, without text and promotion."
        ),
    ),
    CodeText(
        "ERR_IMG_HID_REQUIRED_PROMO",
        gettext_noop("The main image carries promotion, so this category needs a hidden image"),
        gettext_noop("Add a hidden image, or use a main image without text, logo, code and drawn shapes."),
    ),
    CodeText(
        "ERR_IMG_HID_SKU",
        gettext_noop("A SKU has no hidden image of its own"),
        gettext_noop("Add one hidden image for each SKU of the collage."),
    ),
    CodeText(
        "ERR_IMG_HID_REUSED",
        gettext_noop("One hidden image is used for several SKUs"),
        gettext_noop("Each SKU needs the hidden image of its own photo."),
    ),
    CodeText(
        "ERR_IMG_QRCODE",
        gettext_noop("There is a QR code or barcode on the picture"),
        gettext_noop(
            "Use the photo without the code. A search would find other pictures with codes instead of copies."
        ),
    ),
    CodeText(
        "WARN_IMG_TEXT_HEAVY",
        gettext_noop("Text takes much of the picture"),
        gettext_noop(
            "Use the photo itself, without the text layer: what is registered should be what you photographed."
        ),
    ),
    CodeText(
        "WARN_IMG_SCREENSHOT",
        gettext_noop("The picture looks like a screenshot"),
        gettext_noop("Use the file from the camera or the phone's gallery. A screenshot proves little and is smaller."),
    ),
    CodeText(
        "WARN_IMG_RECOMPRESSED",
        gettext_noop("The picture looks as if it came through a chat program"),
        gettext_noop("Ask for the original file: send it as a file instead of as a picture, or by a cloud folder."),
    ),
    CodeText(
        "WARN_IMG_EXIF_LOST",
        gettext_noop("The file does not say with which camera and when it was taken"),
        gettext_noop(
            "Register the untouched file from the camera if you still have it. For the upload to the marketplace use "
            "a copy without metadata: the hidden image must not carry any."
        ),
    ),
    CodeText(
        "WARN_IMG_HAS_PLACE",
        gettext_noop("The file says where it was taken"),
        _KEEP_AND_STRIP,
    ),
    CodeText(
        "WARN_IMG_HAS_SERIAL",
        gettext_noop("The file says the serial number of the camera or lens"),
        _KEEP_AND_STRIP,
    ),
    CodeText(
        "WARN_IMG_HAS_NAME",
        gettext_noop("The file names a person: the owner of the camera or the photographer"),
        _KEEP_AND_STRIP,
    ),
    CodeText(
        "ERR_IMG_LOW_RESOLUTION",
        gettext_noop("The picture is small"),
        gettext_noop("Use a larger version of the photo. Enlarging a small one adds no detail."),
    ),
)

CODES: Mapping[str, CodeText] = {text.code: text for text in _TEXTS}

# Why a rule could not tell, or had nothing to measure. A broken check is "check_broke:<kind>".
REASONS: Mapping[str, str] = {
    "too_small": gettext_noop("The picture is too small to be compared."),
    "no_plain_background": gettext_noop("There is no plain background to compare."),
    "stretched": gettext_noop("The two pictures differ in size, so single edges cannot be compared."),
    "other_photo": gettext_noop("The two pictures have too little in common to compare this."),
    "moved": gettext_noop(
        "The hidden image is moved against the main image; the subject was compared after moving it back."
    ),
    "differs_everywhere": gettext_noop(
        "The two pictures differ a little everywhere, so single edges cannot be compared."
    ),
    "no_subject": gettext_noop("There is no subject outside the removed promotion to compare."),
    "no_original": gettext_noop("No registered original was given, so only the two files were compared."),
    "original_not_found": gettext_noop(
        "The registered original could not be laid over the hidden image, so only the two files were compared."
    ),
    "original_differs": gettext_noop(
        "The registered original differs from the hidden image nearly everywhere, so only the two files were compared."
    ),
    "in_the_original": gettext_noop(
        "What was found stands in your registered original as well: it belongs to the product."
    ),
    "named_elsewhere": gettext_noop("What it found is counted under the rule that names it."),
    "limit_missing": gettext_noop(
        "The version of the limits that this check uses says nothing about this rule. Check the pair again."
    ),
    "stripped_passes": gettext_noop(
        "Only what the file says about itself was read. A generated picture without such a note passes."
    ),
    "check_broke": gettext_noop("This check could not be carried out on these pictures. Nothing is known about it."),
}

# Facts in Finding.detail that are words rather than values.
DETAILS: Mapping[str, str] = {
    "outside": gettext_noop("outside the removed promotion"),
    "outside, stretched": gettext_noop(
        "outside the removed promotion, with the hidden image stretched to the main image's frame"
    ),
    "shifted": gettext_noop("shifted, in pixels at 500 px"),
    "turned": gettext_noop("turned"),
    "scaled": gettext_noop("scaled"),
    "mirrored": gettext_noop("left and right are exchanged"),
    "other_photo": gettext_noop("another photo"),
    "changed_outside": gettext_noop("changed outside the removed promotion"),
    "other_format": gettext_noop("another format"),
    "other_sampling": gettext_noop("colours sampled differently"),
    "other_tables": gettext_noop("another JPEG quality"),
    "unknown": gettext_noop("what it is was not recognised"),
    "no_product": gettext_noop("the picture is a white sheet"),
    "white_background": gettext_noop("the background was replaced by white"),
    "screen_size": gettext_noop("the size of a screen"),
    "status_bar": gettext_noop("a status bar at the top"),
    "screen_size, status_bar": gettext_noop("the size of a screen, with a status bar at the top"),
    "main": gettext_noop("main image"),
    "hidden": gettext_noop("hidden image"),
}

# How the detail of a forecast begins; the share of the frame that overlays cover follows.
FORECAST = "forecast, overlays "

# What a rule of this number asks for, where no check answers it yet.
NOT_LOOKED_AT_TITLES: Mapping[str, str] = {
    "H23": gettext_noop("One hidden image per SKU"),
}


def code_text(code: str) -> CodeText:
    """The words of a code; an unknown code (from a newer version's report) is shown as it is."""
    return CODES.get(code) or CodeText(code, code, "")


def reason_text(reason: str) -> str:
    """The sentence of a reason; what follows its colon (the kind of fault) is for the log."""
    return REASONS.get(reason.partition(":")[0], reason)


def detail_text(detail: str) -> str:
    """The words of a detail; values such as "EXIF, XMP" stand for themselves."""
    return DETAILS.get(detail, detail)


def forecast_share(detail: str) -> str:
    """The overlay share of a detail such as "forecast, overlays 17%", empty for any other."""
    return detail.removeprefix(FORECAST) if detail.startswith(FORECAST) else ""
