"""Turns what people send into clean values; rights and writes are the services' business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from compliance.checks.profile import list_profiles
from compliance.models import (
    CaptureKind,
    Digest,
    Observer,
    PromotionKind,
    Scope,
    StoreCalendar,
    StoreEventKind,
    StoreTier,
)
from compliance.services.captures import MAX_FIELD_CHARS
from compliance.services.search import THRESHOLD_DEFAULT, THRESHOLD_MAX, THRESHOLD_MIN
from ledger.accounts.models import Seller, Store
from ledger.accounts.numbers import parse_number
from ledger.error_texts import error_text
from ledger.forms import MAX_REQUEST_ID, CategoryField, SeveralFilesField


def profile_choices() -> list[tuple[str, str]]:
    """(id, title) of every rule profile; a new check uses the newest version."""
    return list({profile.id: gettext(profile.title) for profile in list_profiles()}.items())


class PairFileField(forms.FileField):
    """One file of a pair. Empty and missing files pass here: they are refused by name further on."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(required=False, allow_empty_file=True, **kwargs)


class CheckForm(forms.Form):
    """A main and a hidden image, and what they are held against.

    again is the number of an earlier check whose main image is used when no other is sent.
    """

    main = PairFileField(label=_("Main image"))
    hidden = PairFileField(label=_("Hidden image"))
    category = CategoryField()
    profile = forms.ChoiceField(choices=profile_choices, label=_("Rules"))
    sku = forms.CharField(
        max_length=100,
        required=False,
        label=_("SKU or product ID"),
        help_text=_("Optional. What you answer to a question of the check is remembered for it."),
    )
    again = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False, widget=forms.HiddenInput)


class BatchForm(forms.Form):
    """Many pairs: loose files or one ZIP, a CSV if wanted, and what they are all held against."""

    files = SeveralFilesField(required=False, label=_("Pictures or a ZIP"))  # type: ignore[assignment]
    table = PairFileField(label=_("CSV"))
    category = CategoryField()
    profile = forms.ChoiceField(choices=profile_choices, label=_("Rules"))
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False, widget=forms.HiddenInput)


class SkuSetForm(forms.Form):
    """A collage, one hidden image per SKU named after it, and SKUs without a file one per line."""

    main = PairFileField(label=_("Main image"))
    files = SeveralFilesField(required=False, label=_("Hidden images"))  # type: ignore[assignment]
    skus = forms.CharField(
        required=False,
        max_length=10_000,
        label=_("SKUs of the collage"),
        help_text=_("One per line; may be left empty when every SKU has its file."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    category = CategoryField()
    profile = forms.ChoiceField(choices=profile_choices, label=_("Rules"))
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False, widget=forms.HiddenInput)


class StoreEventForm(forms.Form):
    """What happened to a store. happened_at is read in the store's time zone, empty means now."""

    store = forms.ModelChoiceField(Store.objects.none(), label=_("Store"))
    kind = forms.ChoiceField(choices=StoreEventKind.choices, label=_("What happened"))
    product = forms.CharField(max_length=120, required=False, label=_("Product or SKU"))
    code = forms.CharField(max_length=60, required=False, label=_("The marketplace's error code"))
    amount = forms.IntegerField(
        min_value=1, max_value=1000, required=False, initial=1, label=_("Number of submissions")
    )
    happened_at = forms.DateTimeField(
        required=False,
        label=_("When, in the store's time zone"),
        help_text=_("Empty: now."),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )
    run = forms.CharField(max_length=40, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, seller: Seller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["store"].queryset = Store.objects.of(seller).order_by("name")  # type: ignore[attr-defined]


class StoreRulesForm(forms.Form):
    """By which quota, calendar and midnight a store is counted."""

    store = forms.ModelChoiceField(Store.objects.none(), widget=forms.HiddenInput)
    tier = forms.ChoiceField(choices=StoreTier.choices, label=_("Store tier"))
    calendar = forms.ChoiceField(choices=StoreCalendar.choices, label=_("Business days"))
    time_zone = forms.CharField(max_length=60, label=_("time zone"))

    def __init__(self, *args: Any, seller: Seller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["store"].queryset = Store.objects.of(seller)  # type: ignore[attr-defined]


class QualityForm(forms.Form):
    """Pictures to look at before they are registered or searched with, and whether they go without a hidden image."""

    pictures = SeveralFilesField(label=_("Pictures"))
    category = CategoryField()
    profile = forms.ChoiceField(choices=profile_choices, label=_("Rules"))
    without_hidden = forms.BooleanField(
        required=False, label=_("These are main images, and there is no hidden image for them")
    )


class NumbersField(forms.Field):
    """Proof numbers as checkboxes send them; what is no number is left out."""

    widget = forms.SelectMultiple

    def clean(self, value: Any) -> list[str]:
        return [number for number in map(parse_number, value or []) if number]


class PackForm(forms.Form):
    """Which originals to make packs from, with what promotion: chosen on the page, or as rows of a CSV.

    originals: proof numbers. promotion: one file for all that are chosen. batch, files: a CSV and what it names.
    """

    originals = NumbersField(required=False)
    promotion = PairFileField(label=_("Promotion"))
    kind = forms.ChoiceField(
        choices=PromotionKind.choices[1:], required=False, initial=PromotionKind.OVERLAY, label=_("The promotion is")
    )
    batch = PairFileField(label=_("CSV"))
    files = SeveralFilesField(required=False, label=_("Files that the CSV names"))  # type: ignore[assignment]
    category = CategoryField()
    profile = forms.ChoiceField(choices=profile_choices, label=_("Rules"))
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False, widget=forms.HiddenInput)


class SearchForm(forms.Form):
    """A query picture and how to search. Of an upload, an address and an original, the first that is given counts."""

    picture = forms.FileField(required=False, allow_empty_file=True, label=_("Picture"))
    url = forms.CharField(max_length=2048, required=False, label=_("Or the address of a picture on the web"))
    original = forms.CharField(max_length=40, required=False)
    scope = forms.ChoiceField(choices=Scope.choices, required=False, initial=Scope.ALL, label=_("Where to look"))
    threshold = forms.IntegerField(
        min_value=THRESHOLD_MIN,
        max_value=THRESHOLD_MAX,
        required=False,
        initial=THRESHOLD_DEFAULT,
        label=_("Report from this score on"),
    )
    category = CategoryField()
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False)

    def clean(self) -> dict[str, Any]:
        """Fill in the defaults; without any query there is nothing to do."""
        values: dict[str, Any] = super().clean() or {}
        values["scope"] = values.get("scope") or Scope.ALL
        values["threshold"] = values.get("threshold") or THRESHOLD_DEFAULT
        if not self.errors and not (values.get("picture") or values.get("url") or values.get("original")):
            text = error_text("search.no_query")
            raise forms.ValidationError(f"{text.title} {text.advice}", code="search.no_query")
        return values


ENVIRONMENT_LABELS = {
    "device": _("Device"),
    "system": _("Operating system"),
    "browser": _("Browser and version"),
    "network_route": _("Network route (line, provider, address seen outside)"),
    "proxy": _("Proxy or VPN (none, or which)"),
    "hosts_file": _("Hosts file (looked at, unchanged)"),
    "virus_scan": _("Virus scan (program, time, result)"),
    "processes": _("Running programs (looked at)"),
    "clock": _("Clock (compared with what)"),
    "recording": _("Screen recording (from which step)"),
}


class CaptureForm(forms.Form):
    """A file that shows a page, and what its observer says about it."""

    file = forms.FileField(label=_("File"), allow_empty_file=True)
    kind = forms.ChoiceField(choices=CaptureKind.choices, label=_("What it is"))
    url = forms.CharField(max_length=2000, label=_("Address of the page"))
    captured_at = forms.DateTimeField(
        label=_("Seen at (UTC)"),
        widget=forms.DateTimeInput({"type": "datetime-local", "step": "1"}, format="%Y-%m-%dT%H:%M:%S"),
        help_text=_("By the clock of the machine that looked. It is your word; the log adds when it was sealed here."),
    )
    observer = forms.ChoiceField(
        choices=[(value, label) for value, label in Observer.choices if value != Observer.OUR_SERVER],
        label=_("Who looked"),
    )
    observer_name = forms.CharField(max_length=200, required=False, label=_("Name of the observer"))
    product_id = forms.CharField(max_length=100, required=False, label=_("Product ID"))
    shop = forms.CharField(max_length=200, required=False, label=_("Shop"))
    notes = forms.CharField(max_length=2000, required=False, label=_("Notes"), widget=forms.Textarea(attrs={"rows": 3}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in ENVIRONMENT_LABELS.items():
            self.fields[f"env_{name}"] = forms.CharField(max_length=MAX_FIELD_CHARS, required=False, label=label)

    def environment_fields(self) -> list[forms.BoundField]:
        return [self[f"env_{name}"] for name in ENVIRONMENT_LABELS]

    def plain_fields(self) -> list[forms.BoundField]:
        return [field for field in self if not field.name.startswith("env_")]

    def environment(self) -> dict[str, str]:
        return {name: self.cleaned_data[f"env_{name}"] for name in ENVIRONMENT_LABELS}


class FetchForm(forms.Form):
    """A public address for this server to look at."""

    url = forms.CharField(max_length=2000, label=_("Address of the page"))
    notes = forms.CharField(max_length=2000, required=False, label=_("Notes"))


LANGUAGE_NAMES = {"zh": "中文", "en": "English", "es": "español", "ru": "русский", "pt": "português"}


class PacketForm(forms.Form):
    """Which letters, and what of the private kind goes along. Nothing is ticked beforehand."""

    languages = forms.MultipleChoiceField(label=_("Languages of the letters"), widget=forms.CheckboxSelectMultiple)
    originals = forms.BooleanField(
        required=False,
        label=_("Exact originals and the files of the shoot"),
        help_text=_("Byte for byte: they may carry the place, serial numbers and names that the camera wrote."),
    )
    private = forms.BooleanField(
        required=False,
        label=_("Screenshots and attached pictures that hold a place or serial numbers"),
        help_text=_("Without this tick such a picture stays out and is named."),
    )
    identity = forms.BooleanField(required=False, label=_("Identity papers"))

    def __init__(self, *args: Any, languages: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["languages"]
        field.choices = [(code, LANGUAGE_NAMES[code]) for code in languages]  # type: ignore[attr-defined]


class DigestForm(forms.Form):
    """How often one wants the new matches by e-mail."""

    schedule = forms.ChoiceField(choices=Digest.Schedule.choices, label=_("How often"))
    hour = forms.IntegerField(
        min_value=0, max_value=23, label=_("Hour"), help_text=_("0 to 23, in your company's time zone.")
    )


class WebhookForm(forms.Form):
    """Where alerts are sent; empty for nowhere."""

    url = forms.CharField(
        max_length=500,
        required=False,
        label=_("Address"),
        help_text=_("An https address on the public internet. Empty ends it. Saving makes a new secret."),
    )


class ImportForm(forms.Form):
    """A file of listings, and what the catalogue is called; empty for the file's name, or what it was called last."""

    file = forms.FileField(label=_("File"), max_length=255)
    name = forms.CharField(
        max_length=200,
        required=False,
        label=_("Catalogue"),
        help_text=_("The same name again updates that catalogue. Empty takes the file's name."),
    )
