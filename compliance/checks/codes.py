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
            "Hide the text layer and export again. If the text is printed on the product, say so: it may stay."
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
        gettext_noop("Hide the logo layer and export again. If it is a part of the product, say so: it may stay."),
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
        gettext_noop("Hide the shape and export again. If it is a part of the product, say so: it may stay."),
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
        "ERR_IMG_LOW_RESOLUTION",
        gettext_noop("The picture is small"),
        gettext_noop("Use a larger version of the photo. Enlarging a small one adds no detail."),
    ),
)

CODES: Mapping[str, CodeText] = {text.code: text for text in _TEXTS}

# Why a rule could not tell, or had nothing to measure. A broken check is "check_broke:<kind>".
REASONS: Mapping[str, str] = {
    "forecast_only": gettext_noop(
        "SSIM over the whole picture only forecasts the marketplace's figure: it also counts the removed promotion, and "
        "it misses text that was left in. So it does not decide the pair."
    ),
    "too_small": gettext_noop("The picture is too small to be compared."),
    "no_plain_background": gettext_noop("There is no plain background to compare."),
    "stripped_passes": gettext_noop(
        "Only what the file says about itself was read. A generated picture without such a note passes."
    ),
    "check_broke": gettext_noop("This check could not be carried out on these pictures. Nothing is known about it."),
}

# Facts in Finding.detail that are words rather than values.
DETAILS: Mapping[str, str] = {
    "forecast": gettext_noop("forecast"),
    "forecast, stretched": gettext_noop("forecast, with the hidden image stretched to the main image's frame"),
    "no_product": gettext_noop("the picture is a white sheet"),
    "white_background": gettext_noop("the background was replaced by white"),
    "screen_size": gettext_noop("the size of a screen"),
    "status_bar": gettext_noop("a status bar at the top"),
    "screen_size, status_bar": gettext_noop("the size of a screen, with a status bar at the top"),
    "main": gettext_noop("main image"),
    "hidden": gettext_noop("hidden image"),
}

# What a rule of this number asks for, where no check answers it yet.
NOT_LOOKED_AT_TITLES: Mapping[str, str] = {
    "H08": gettext_noop("Same composition"),
    "H09": gettext_noop("Same subject"),
    "H11": gettext_noop("Same light"),
    "H18": gettext_noop("Promotion removed, not faded"),
    "H19": gettext_noop("No visible repair"),
    "H20": gettext_noop("Same compression"),
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
