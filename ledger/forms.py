"""Turns what people send into clean values; rights and writes are the services' business."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Seller, Store, User
from ledger.categories import load_categories
from ledger.error_texts import error_text
from ledger.imaging.scan import MAX_FILE_BYTES
from ledger.models import DerivativeRole, PaperKind, PictureSource, RightKind
from ledger.services.originals import Upload

MAX_REQUEST_ID = 72  # the column holds 80; each file of a request adds its number
MIB = 2**20
ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")


def category_choices() -> list[tuple[str, str]]:
    """(slug, name in the reader's language), the empty choice first."""
    language = get_language() or "en"
    return [("", "—"), *((category.slug, category.name(language)) for category in load_categories())]


class CategoryField(forms.ChoiceField):
    """One of the first-level categories, or none."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=category_choices, required=False, label=_("Category"), **kwargs)


class SeveralFilesInput(forms.ClearableFileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """Any number of files; cleans to a list."""

    widget = SeveralFilesInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile[Any]]:
        files = data if isinstance(data, list) else [data] if data else []
        if not files and self.required:
            raise forms.ValidationError(error_text("no_file").title, code="no_file")
        return files


class SourceField(forms.ChoiceField):
    """Where a picture comes from; nothing said is the default, so that nobody declares what they did not read."""

    def __init__(self, **kwargs: Any) -> None:
        choices = [("", _("not declared")), *PictureSource.choices]
        super().__init__(choices=choices, required=False, label=_("Where the picture comes from"), **kwargs)


class RegisterForm(forms.Form):
    """One or many pictures, or a ZIP of pictures."""

    files = SeveralFilesField(label=_("Pictures"))  # type: ignore[assignment]  # the class keeps no such attribute
    request_id = forms.CharField(max_length=MAX_REQUEST_ID, required=False)
    category = CategoryField()
    source = SourceField()
    store = forms.ModelChoiceField(Store.objects.none(), required=False, label=_("Store"))

    def __init__(self, *args: Any, seller: Seller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["store"].queryset = Store.objects.of(seller).order_by("name")  # type: ignore[attr-defined]

    def codes(self) -> list[str]:
        """What is wrong, as stable codes: the missing file first, then any choice that does not exist."""
        found = ["no_file"] if "files" in self.errors else []
        return found + (["form_invalid"] if self.errors.keys() - {"files"} else [])


class ApiFileForm(forms.Form):
    """One picture, as a program sends it."""

    file = forms.FileField(allow_empty_file=True)
    category = CategoryField()


def is_zip(file: UploadedFile[Any]) -> bool:
    """Decided by the first bytes, not by the name."""
    head = file.read(4)
    file.seek(0)
    return head in ZIP_MAGIC


def read_upload(file: UploadedFile[Any], request_id: str = "") -> Upload:
    """The file's bytes, one more than the cap at most: what is over it is refused by the scan."""
    return Upload(file.name or "", file.read(MAX_FILE_BYTES + 1), request_id)


ERASURE_REASON_NAMES = {
    "request": _("somebody asked for it"),
    "retention": _("it is not needed any more"),
    "legal": _("the law demands it"),
    "mistake": _("it was registered by mistake"),
}


class EraseForm(forms.Form):
    """Why, and the word that says the person means it."""

    reason = forms.ChoiceField(choices=list(ERASURE_REASON_NAMES.items()), label=_("Why"))
    sure = forms.BooleanField(label=_("I know that this cannot be undone"))


class HoldForm(forms.Form):
    """Why something must stay."""

    reason = forms.CharField(max_length=200, label=_("Why it must not be erased"))


class SetFilesForm(forms.Form):
    """Files of any kind for an evidence set; path is the place inside a dropped folder, sent with one file."""

    files = SeveralFilesField(label=_("Files"))  # type: ignore[assignment]  # the class keeps no such attribute
    path = forms.CharField(max_length=1000, required=False)


class SetForm(forms.Form):
    """What an evidence set is called; it goes into the claim."""

    title = forms.CharField(max_length=200, required=False, label=_("Title of the set"))


class DerivativeForm(forms.Form):
    """A file that was made from an original, and what it is for."""

    file = forms.FileField(label=_("Derived file"))
    role = forms.ChoiceField(choices=DerivativeRole.choices, initial=DerivativeRole.UPLOAD, label=_("What it is"))


class NumbersField(forms.CharField):
    """Proof numbers apart by spaces, commas or lines; cleans to a list."""

    def __init__(self, **kwargs: Any) -> None:
        help_text = _("Proof numbers of originals or evidence sets, apart by commas or spaces.")
        super().__init__(max_length=4000, label=_("Attach to"), help_text=help_text, **kwargs)

    def clean(self, value: Any) -> Any:
        return re.split(r"[\s,;，；、]+", text) if (text := super().clean(value).strip()) else []


class RightForm(forms.Form):
    """What a registration or certificate says, with its document."""

    kind = forms.ChoiceField(choices=RightKind.choices, label=_("Type"))
    title = forms.CharField(max_length=200, label=_("Title"))
    registration_number = forms.CharField(max_length=100, required=False, label=_("Registration number"))
    authority = forms.CharField(max_length=200, required=False, label=_("Authority"))
    valid_from = forms.DateField(required=False, label=_("Valid from"), widget=forms.DateInput({"type": "date"}))
    valid_until = forms.DateField(required=False, label=_("Valid until"), widget=forms.DateInput({"type": "date"}))
    document = forms.FileField(required=False, label=_("Document (PDF or any file)"))
    trust_anchors = forms.CharField(
        max_length=100_000,
        required=False,
        label=_("For a time-stamp token: certificates of its authority (PEM)"),
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text=_("The authority's root certificate, from its site or contract, never from one of its answers."),
    )
    numbers = NumbersField(required=False)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if values.get("valid_from") and values.get("valid_until") and values["valid_from"] > values["valid_until"]:
            self.add_error("valid_until", _("It ends before it begins."))
        return values


class RightCorrectionForm(RightForm):
    """A record as it should read; what it is attached to goes along."""

    numbers = None  # type: ignore[assignment]
    reason = forms.CharField(max_length=300, label=_("What was wrong"))

    field_order = ("reason",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["document"].label = _("Another document, if the first was the wrong one")


class PaperForm(forms.Form):
    """A document about the seller, and whose it is."""

    kind = forms.ChoiceField(choices=PaperKind.choices, label=_("Type"))
    person = forms.ModelChoiceField(
        User.objects.none(),
        required=False,
        label=_("About whom"),
        empty_label=_("the company"),
        help_text=_("When this person is erased, the document goes too."),
    )
    document = forms.FileField(label=_("Document (PDF, JPEG or PNG)"), allow_empty_file=True)

    def __init__(self, *args: Any, seller: Seller, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        people = User.objects.filter(memberships__seller=seller).order_by("email")
        self.fields["person"].queryset = people  # type: ignore[attr-defined]


class ReviewForm(forms.Form):
    """What site staff says about a document."""

    answer = forms.ChoiceField(choices=[("approve", _("Approve")), ("refuse", _("Refuse"))])
    reason = forms.CharField(max_length=500, required=False)


class BankForm(forms.Form):
    arrived_on = forms.DateField(label=_("Arrived on"), widget=forms.DateInput({"type": "date"}))


class QuotaForm(forms.Form):
    """What one seller may store. Empty takes the site's quota, 0 is no limit."""

    mib = forms.IntegerField(min_value=0, max_value=2**30, required=False, label=_("MiB in all"))
    files = forms.IntegerField(  # type: ignore[assignment]  # the class keeps no such attribute
        min_value=0, max_value=10**9, required=False, label=_("Files a day")
    )

    @staticmethod
    def prefix_of(seller: Seller) -> str:
        """Many of these forms stand on one page."""
        return f"quota-{seller.pk}"

    @classmethod
    def of(cls, seller: Seller) -> QuotaForm:
        """The form with what counts for the seller now; a part of a MiB is rounded up, since 0 would be no limit."""
        mib = None if seller.max_bytes is None else -(-seller.max_bytes // MIB)
        return cls(initial={"mib": mib, "files": seller.max_files_per_day}, prefix=cls.prefix_of(seller))

    def max_bytes(self) -> int | None:
        mib: int | None = self.cleaned_data["mib"]
        return None if mib is None else mib * MIB


class AttachForm(forms.Form):
    """More originals or sets for a record."""

    numbers = NumbersField(required=True)


class OriginalForm(forms.Form):
    """What lists call an original; none of it is in the log."""

    title = forms.CharField(max_length=255, required=False, label=_("Name"))
    category = CategoryField()
    source = SourceField()


class AuthorityForm(forms.Form):
    """A time-stamping authority; the fields of AuthoritySettings."""

    name = forms.CharField(max_length=100, label=_("Name"))
    url = forms.CharField(max_length=500, label=_("Address"), help_text=_("Such as https://tsa.example/tsr"))
    trust_anchors = forms.CharField(
        max_length=100_000,
        label=_("Trust anchors (PEM)"),
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        help_text=_("The authority's root certificate, from its site or contract, never from one of its answers."),
    )
    policy = forms.RegexField(
        r"^[0-2](\.[0-9]{1,20}){1,20}$",
        max_length=100,
        required=False,
        label=_("Policy (OID)"),
        help_text=_("Empty takes the authority's own."),
    )
    is_accredited = forms.BooleanField(
        required=False,
        label=_("Accredited"),
        help_text=_("Your word: licensed by the state, or a qualified trust service. It makes level L3."),
    )
    allows_local = forms.BooleanField(required=False, label=_("Its address may be inside our own network"))
    priority = forms.IntegerField(min_value=0, max_value=999, initial=10, label=_("Priority, lower is asked first"))
    quota_calls = forms.IntegerField(min_value=1, max_value=1000, initial=1, label=_("At most so many calls"))
    quota_window_s = forms.IntegerField(min_value=1, max_value=86_400, initial=60, label=_("in so many seconds"))
    is_enabled = forms.BooleanField(required=False, initial=True, label=_("Ask it"))


class WitnessForm(forms.Form):
    """Somebody outside who cosigns checkpoints; the arguments of add_witness."""

    name = forms.CharField(
        max_length=60, label=_("Name"), help_text=_("Short, for policies and pages, such as lawfirm")
    )
    vkey = forms.CharField(
        max_length=4000,
        label=_("Verifier key"),
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("From the witness itself: the line that its program prints (C2SP vkey)."),
    )
    url = forms.CharField(max_length=500, label=_("Address"), help_text=_("Such as https://witness.example/"))
    allows_local = forms.BooleanField(required=False, label=_("Its address may be inside our own network"))
