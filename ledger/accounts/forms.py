"""What people type about themselves, their team and their shops, turned into clean values."""

from __future__ import annotations

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from ledger.accounts.models import Invitation, Marketplace, Role, Scope
from ledger.accounts.services import check_password
from ledger.accounts.tokens import LIFETIMES_DAYS

PASSWORD_MAX_LENGTH = 256  # far above any passphrase; hashing more would only cost time

ROLE_WORDS = [
    (Role.OPERATOR, _("Operator: registers, searches, checks")),
    (Role.VIEWER, _("Viewer: reads, changes nothing")),
    (Role.IP_MANAGER, _("IP manager: as operator, also catalogues and original files")),
    (Role.OWNER, _("Owner: everything, also team and stores")),
]


class JoinForm(forms.Form):
    """A new person's account; the first owner also gives the address and the seller's name."""

    email = forms.EmailField(
        label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "username"})
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=PASSWORD_MAX_LENGTH,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters; a few unrelated words are strong and easy to remember."),
    )
    seller_name = forms.CharField(
        label=_("Name of your shop or company"),
        max_length=200,
        help_text=_("Printed on certificates as the one who registered. You can change it later."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )

    def __init__(self, data: object = None, *, invitation: Invitation) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.invited_email = invitation.email
        if invitation.email:
            # Shown and sent along for password managers; the invitation decides.
            self.fields["email"].initial = invitation.email
            self.fields["email"].disabled = True
        if invitation.seller is not None:
            del self.fields["seller_name"]

    def clean(self) -> dict[str, str]:
        values = super().clean() or {}
        if "password" in values:
            try:
                check_password(email=self.invited_email or values.get("email", ""), password=values["password"])
            except ValidationError as error:
                self.add_error("password", error)
        return values


class ProfileForm(forms.Form):
    name = forms.CharField(
        label=_("Your name"),
        max_length=150,
        required=False,
        help_text=_("Shown to your team. Entries in the ledger carry a member number instead."),
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "off"}))
    role = forms.ChoiceField(label=_("Role"), choices=ROLE_WORDS, initial=Role.OPERATOR)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


class StoreForm(forms.Form):
    marketplace = forms.ChoiceField(label=_("Marketplace"), choices=Marketplace.choices)
    name = forms.CharField(label=_("Store name"), max_length=200)
    shop_id = forms.CharField(
        label=_("Shop id"), max_length=80, help_text=_("The number or name in the address of the shop's page.")
    )


class SellerForm(forms.Form):
    name = forms.CharField(
        label=_("Seller name"),
        max_length=200,
        help_text=_("Printed on certificates from now on; what was registered before keeps the old name."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("What it is for"), max_length=80, help_text=_("The program or machine, so that you know it later.")
    )
    scopes = forms.MultipleChoiceField(label=_("May"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label=_("Works for"),
        coerce=int,
        choices=[(days, format_lazy(_("{days} days"), days=days)) for days in LIFETIMES_DAYS],
        initial=90,
    )
