"""Forms of the pages about cases: what people type becomes clean values; rights and writes are the services' business.

Moments are read on the seller's clock and come out as aware UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from compliance.cases.case_file import ACTIONS, IMAGE_SOURCES, OWNERSHIP, PHOTOGRAPHERS, RIGHT_TYPES
from compliance.cases.deadlines import rules_for
from compliance.cases.facts import ATTACHMENT_ROLES
from compliance.cases.target import Target, find_target
from compliance.models import Answer, Case, CaseKind
from compliance.services.case_words import (
    ACTION_WORDS,
    ATTACHMENT_WORDS,
    LANGUAGE_WORDS,
    OWNERSHIP_WORDS,
    PHOTOGRAPHER_WORDS,
    POSITION_WORDS,
    RIGHT_WORDS,
    SOURCE_WORDS,
)
from ledger.accounts.numbers import parse_number
from ledger.models import EvidenceFile, RightRecord
from ledger.services.rights import current_rights

EMPTY = ("", "—")
ANSWERS = (CaseKind.DEFENCE, CaseKind.COUNTER_NOTICE)  # kinds that answer somebody else's notice
MAX_ADDRESSES = 200
MAX_KEY_DIGITS = 18  # any such number fits a key column


def _choices(values: Any, words: Any) -> list[tuple[str, Any]]:
    return [EMPTY, *((value, words[value]) for value in values)]


def _field(form: forms.Form, name: str) -> Any:
    """A field whose class has choices or a queryset of its own."""
    return form.fields[name]


class MomentField(forms.DateTimeField):
    """A moment on the seller's clock: the form says which zone, the value is aware UTC."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"), **kwargs
        )
        self.zone: tzinfo = UTC

    def clean(self, value: Any) -> datetime | None:
        found = super().clean(value)
        try:
            return found.replace(tzinfo=self.zone).astimezone(UTC) if found else None
        except OverflowError:  # the first or last day that there is, on a clock that is not UTC
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from None

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(self.zone).replace(tzinfo=None)
        return value


class ZonedForm(forms.Form):
    """A form whose moments are on the clock of a zone."""

    def __init__(self, *args: Any, zone: tzinfo = UTC, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            if isinstance(field, MomentField):
                field.zone = zone


class NewCaseForm(ZonedForm):
    """A new case: for which target, about which originals and listings."""

    kind = forms.ChoiceField(choices=CaseKind.choices, label=_("Kind"))
    target = forms.ChoiceField(label=_("Target"))
    originals = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Our originals"),
        help_text=_("Proof numbers, one per line."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    addresses = forms.CharField(
        required=False,
        max_length=100_000,
        label=_("Listings that use them"),
        help_text=_("Addresses, one per line."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    notice_ref = forms.CharField(max_length=120, required=False, label=_("Number of the notice"))
    notice_received_at = MomentField(required=False, label=_("Notice received, on your clock"))
    candidate = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)
    match = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def __init__(self, *args: Any, targets: list[Target], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = get_language() or "en"
        _field(self, "target").choices = [(each.id, each.name.in_language(language)) for each in targets]

    def clean_originals(self) -> list[str]:
        words = self.cleaned_data["originals"].replace(",", " ").split()
        numbers = [parse_number(word) for word in words]
        if None in numbers:
            raise forms.ValidationError(_("One of these is no proof number."), code="case.not_a_number")
        return [number for number in numbers if number]

    def clean_addresses(self) -> list[str]:
        lines = [line.strip() for line in self.cleaned_data["addresses"].splitlines() if line.strip()]
        if len(lines) > MAX_ADDRESSES:
            raise forms.ValidationError(_("At most 200 addresses at once."), code="case.too_many_addresses")
        return lines

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        kind, target = values.get("kind"), values.get("target")
        if kind and target and kind not in find_target(target).kinds:
            self.add_error(
                "target",
                forms.ValidationError(_("This target has no form for this kind of case."), code="case.unknown_target"),
            )
        return values


class SectionForm(ZonedForm):
    """A part of a case's columns. Its fields bear the names of the columns."""

    title: Any = ""


class ComplainantForm(SectionForm):
    """Who complains or answers."""

    complainant_role = forms.ChoiceField(
        choices=[EMPTY, ("owner", _("owner of the right")), ("agent", _("agent of the owner"))],
        required=False,
        label=_("We are"),
    )
    legal_name = forms.CharField(max_length=200, required=False, label=_("Legal name"))
    entity = forms.ChoiceField(
        choices=[EMPTY, ("business", _("business")), ("person", _("person"))],
        required=False,
        label=_("Person or business"),
    )
    email = forms.EmailField(max_length=254, required=False, label=_("E-mail"))
    phone = forms.CharField(max_length=60, required=False, label=_("Phone"))
    address = forms.CharField(max_length=500, required=False, label=_("Postal address"))
    country = forms.RegexField(
        "^[A-Za-z]{2}$", required=False, label=_("Country"), help_text=_("Two letters, such as CN.")
    )
    secondary_contact = forms.CharField(max_length=254, required=False, label=_("Second contact"))
    brand = forms.CharField(max_length=120, required=False, label=_("Brand"))
    has_account = forms.ChoiceField(
        choices=[EMPTY, *Answer.choices], required=False, label=_("Do you have a verified account at the target?")
    )


class RightClaimForm(SectionForm):
    """The right that is claimed."""

    right = forms.ModelChoiceField(
        RightRecord.objects.none(),
        required=False,
        label=_("Right record"),
        help_text=_("Fills in what stays empty below."),
    )
    right_type = forms.ChoiceField(choices=_choices(RIGHT_TYPES, RIGHT_WORDS), required=False, label=_("Kind of right"))
    right_title = forms.CharField(max_length=200, required=False, label=_("Title of the work"))
    author = forms.CharField(max_length=200, required=False, label=_("Author"))
    right_owner = forms.CharField(max_length=200, required=False, label=_("Owner of the right"))
    ownership_basis = forms.ChoiceField(
        choices=_choices(OWNERSHIP, OWNERSHIP_WORDS), required=False, label=_("How the owner came by it")
    )
    made_on = forms.DateField(required=False, label=_("Made on"), widget=forms.DateInput({"type": "date"}))
    published_on = forms.DateField(
        required=False, label=_("First published on"), widget=forms.DateInput({"type": "date"})
    )
    publication_url = forms.CharField(max_length=2048, required=False, label=_("Where it was first published"))
    publication_item = forms.CharField(max_length=120, required=False, label=_("Our own earliest item number"))
    registration_no = forms.CharField(max_length=100, required=False, label=_("Registration number"))
    registration_authority = forms.CharField(max_length=200, required=False, label=_("Authority"))
    registration_country = forms.RegexField("^[A-Za-z]{2}$", required=False, label=_("Country of registration"))
    registered_on = forms.DateField(required=False, label=_("Registered on"), widget=forms.DateInput({"type": "date"}))
    work_link = forms.CharField(max_length=2048, required=False, label=_("Address where the work is seen"))
    work_description = forms.CharField(
        max_length=2000, required=False, label=_("The work in words"), widget=forms.Textarea(attrs={"rows": 2})
    )


class RelationshipForm(SectionForm):
    """Whether there is a right to complain."""

    image_source = forms.ChoiceField(
        choices=_choices(IMAGE_SOURCES, SOURCE_WORDS), required=False, label=_("Where does the picture come from?")
    )
    photographer = forms.ChoiceField(
        choices=_choices(PHOTOGRAPHERS, PHOTOGRAPHER_WORDS),
        required=False,
        label=_("Who took it, and is the right with us?"),
    )
    is_authorised_reseller = forms.ChoiceField(
        choices=[EMPTY, *Answer.choices],
        required=False,
        label=_("May they use it, as a reseller of ours for instance?"),
    )
    in_ebay_catalogue = forms.ChoiceField(
        choices=[EMPTY, *Answer.choices],
        required=False,
        label=_("Was the picture taken into eBay's product catalogue?"),
    )
    on_shared_asin = forms.ChoiceField(
        choices=[EMPTY, *Answer.choices],
        required=False,
        label=_("Did we upload it ourselves to an ASIN that others sell on too?"),
    )
    prior_contacts = forms.CharField(
        max_length=2000, required=False, label=_("Earlier contact with them"), widget=forms.Textarea(attrs={"rows": 2})
    )


class MessageForm(SectionForm):
    """What goes to the target in words."""

    title = forms.CharField(max_length=200, required=False, label=_("Name of the case, for you alone"))
    message = forms.CharField(
        max_length=20_000, required=False, label=_("Text to the target"), widget=forms.Textarea(attrs={"rows": 6})
    )
    languages = forms.MultipleChoiceField(
        choices=list(LANGUAGE_WORDS.items()),
        required=False,
        label=_("Languages of the letter"),
        widget=forms.CheckboxSelectMultiple,
    )
    actions = forms.MultipleChoiceField(
        choices=[(each, ACTION_WORDS[each]) for each in ACTIONS],
        required=False,
        label=_("What we ask for"),
        widget=forms.CheckboxSelectMultiple,
    )


class NoticeForm(SectionForm):
    """The notice that is answered."""

    notice_ref = forms.CharField(max_length=120, required=False, label=_("Number of the notice"))
    notice_received_at = MomentField(required=False, label=_("Notice received, on your clock"))
    notice_sender = forms.CharField(max_length=200, required=False, label=_("Who complained"))


SECTIONS: dict[str, type[SectionForm]] = {
    "notice": NoticeForm,
    "relationship": RelationshipForm,
    "complainant": ComplainantForm,
    "right": RightClaimForm,
    "message": MessageForm,
}
# Parts of what a reader needs of other targets only.
_ASKED_BY = {"in_ebay_catalogue": "ebay_catalogue", "on_shared_asin": "shared_asin"}


def section_form(section: str, case: Case, zone: tzinfo, data: Any = None) -> SectionForm:
    """The form of a section with what the case says, or with what somebody sent."""
    kind = SECTIONS[section]
    initial = {name: getattr(case, name) for name in kind.base_fields}
    form = kind(data, initial=initial, zone=zone, prefix=section)
    if "right" in form.fields:
        rows = RightRecord.objects.of(case.seller)
        # The one that was chosen too, though it was corrected since: the case says what was filed.
        _field(form, "right").queryset = (current_rights(rows) | rows.filter(pk=case.right_id or 0)).order_by("-pk")
    checks = find_target(case.target).checks
    for name, check in _ASKED_BY.items():
        if name in form.fields and check not in checks:
            del form.fields[name]
    if section == "relationship" and case.kind in ANSWERS:
        for name in set(form.fields) - {"image_source", "prior_contacts"}:
            del form.fields[name]  # questions about the right to complain
    if "languages" in form.fields:
        allowed = find_target(case.target).languages
        _field(form, "languages").choices = [(each, LANGUAGE_WORDS[each]) for each in allowed]
    return form


class ListingForm(ZonedForm):
    """One listing that uses a picture of ours."""

    url = forms.CharField(max_length=2048, required=False, label=_("Address of the listing"))
    listing_ref = forms.CharField(max_length=120, required=False, label=_("Item number"))
    work = forms.ChoiceField(required=False, label=_("Which picture of ours"))
    reason = forms.ChoiceField(required=False, label=_("Reason"))
    position = forms.ChoiceField(
        choices=_choices(POSITION_WORDS, POSITION_WORDS), required=False, label=_("Where they use it")
    )
    market = forms.CharField(max_length=20, required=False, label=_("Market or country"))
    seller_name = forms.CharField(max_length=200, required=False, label=_("Shop"))
    first_seen = MomentField(required=False, label=_("First seen, on your clock"))
    last_seen = MomentField(required=False, label=_("Last seen, on your clock"))

    def __init__(self, *args: Any, case: Case, works: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reasons = find_target(case.target).reasons
        language = get_language() or "en"
        _field(self, "work").choices = [EMPTY, *((str(work.pk), str(work.original)) for work in works)]
        if reasons:
            _field(self, "reason").choices = [
                EMPTY,
                *((name, words.in_language(language)) for name, words in reasons.items()),
            ]
        else:
            del self.fields["reason"]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not values.get("url") and not values.get("listing_ref"):
            raise forms.ValidationError(_("Give the listing's address or its item number."), code="case.no_listing")
        return values


class WorkForm(forms.Form):
    """More originals, by their proof numbers, and files of evidence sets that show how they were made."""

    number = forms.CharField(max_length=40, label=_("Proof number of an original"))

    def clean_number(self) -> str:
        number = parse_number(self.cleaned_data["number"])
        if not number:
            raise forms.ValidationError(_("This is no proof number."), code="case.not_a_number")
        return number


class KeysField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes none when it runs
    """Rows by their keys; a number that no column holds is a wrong choice, where the database would fail."""

    def clean(self, value: Any) -> Any:
        if any(len(str(key)) > MAX_KEY_DIGITS for key in value or []):
            raise forms.ValidationError(self.error_messages["invalid_list"], code="invalid_list")
        return super().clean(value)


class WorkFilesForm(forms.Form):
    """Files of evidence sets that go with a picture."""

    chosen = KeysField(EvidenceFile.objects.none(), label=_("Files of evidence sets"))

    def __init__(self, *args: Any, seller: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _field(self, "chosen").queryset = EvidenceFile.objects.of(seller).filter(is_erased=False)


class AttachmentForm(forms.Form):
    """A file that goes along."""

    role = forms.ChoiceField(
        choices=[(each, ATTACHMENT_WORDS[each]) for each in ATTACHMENT_ROLES], label=_("What it is")
    )
    file = forms.FileField(label=_("File"), allow_empty_file=True)
    expires_on = forms.DateField(required=False, label=_("Valid until"), widget=forms.DateInput({"type": "date"}))


class MoveForm(ZonedForm):
    """One step of the case."""

    to = forms.CharField(max_length=16, widget=forms.HiddenInput)
    note = forms.CharField(max_length=500, required=False, label=_("Reason or note"))
    portal_ref = forms.CharField(max_length=120, required=False, label=_("The target's number for it"))
    at = MomentField(required=False, label=_("When, on your clock"), help_text=_("Empty: now."))


class DeadlineForm(ZonedForm):
    """A deadline by a rule, or one of one's own."""

    rule = forms.ChoiceField(required=False, label=_("Rule"))
    start = MomentField(required=False, label=_("Its clock starts, on your clock"))
    label = forms.CharField(max_length=200, required=False, label=_("Or: what is due"))
    due_at = MomentField(required=False, label=_("Due, on your clock"))

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = get_language() or "en"
        _field(self, "rule").choices = [
            EMPTY,
            *((rule.id, rule.words.in_language(language)) for rule in rules_for(case.target)),
        ]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        given = ("start",) if values.get("rule") else ("label", "due_at")
        if not all(values.get(name) for name in given):
            raise forms.ValidationError(
                _("Choose a rule and when its clock starts, or say what is due and when."),
                code="case.deadline_incomplete",
            )
        return values


class DeadlineMoveForm(ZonedForm):
    """Another moment, with a reason."""

    due_at = MomentField(label=_("Due, on your clock"))
    reason = forms.CharField(max_length=300, label=_("Why it moves"))


class CostsForm(forms.Form):
    """What the case has cost."""

    costs = forms.DecimalField(min_value=0, max_digits=12, decimal_places=2, required=False, label=_("Costs so far"))
    currency = forms.RegexField("^[A-Za-z]{3}$", required=False, initial="CNY", label=_("Currency"))


class MailForm(forms.Form):
    """A platform's e-mail, pasted."""

    text = forms.CharField(max_length=200_000, label=_("The e-mail"), widget=forms.Textarea(attrs={"rows": 10}))
