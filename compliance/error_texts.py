"""The compliance app's error codes in words: what happened and what to do."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from ledger.error_texts import add_texts

add_texts(
    {
        # Hidden-image checks: the form.
        "check.no_main": (_("The main image is missing."), _("Choose the picture that shoppers see.")),
        "check.no_hidden": (
            _("The hidden image is missing."),
            _("Choose the same picture without text, price and promotion."),
        ),
        "check.no_earlier_main": (
            _("The main image of the earlier check cannot be used."),
            _("Choose the main image again."),
        ),
        "profile.unknown": (_("This rule profile does not exist."), _("Choose one from the list.")),
        # Hidden-image checks: the comparison.
        "check.corrupt_image": (
            _("A picture is damaged, so the two could not be compared."),
            _("Export it again and check the new file."),
        ),
        "check.too_many_pixels": (
            _("A picture has more than 50 million pixels."),
            _("Export it smaller; marketplaces accept no pictures of that size."),
        ),
        "check.decode_memory": (
            _("Comparing the two pictures needs too much memory."),
            _("Export them smaller and check again."),
        ),
        "check.decode_timeout": (
            _("Comparing the two pictures took too long."),
            _("Try again; if it happens again, export them smaller."),
        ),
        "check.decode_crashed": (
            _("The two pictures could not be compared safely."),
            _("Try again; if it happens again, export both files anew."),
        ),
        "check.blob_unreadable": (
            _("A stored file cannot be read."),
            _("Tell the person who runs this site: the data directory or the keys may be incomplete."),
        ),
        "check.lost": (
            _("Nobody is working on this check any more."),
            _("Start it again; both files are still stored."),
        ),
    }
)
