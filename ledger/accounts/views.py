"""Pages about people: joining by a link, switching sellers, one's own profile, the team, the stores.

A link's secret appears on one page once. Whatever is wrong with a link, a stranger gets the same answer.
"""

from __future__ import annotations

from allauth.account.utils import perform_login
from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.accounts import services
from ledger.accounts.access import needs, needs_recent_login, seller_of
from ledger.accounts.forms import InviteForm, JoinForm, ProfileForm, RoleForm, SellerForm, StoreForm
from ledger.accounts.middleware import SESSION_KEY
from ledger.accounts.models import Invitation, Membership, Store, User
from ledger.accounts.numbers import parse_number
from ledger.accounts.permissions import Permission
from ledger.accounts.sign_ins import device_words, end_other_sign_ins, end_sign_in, live_sign_ins

ONCE_KEY = "shown_once"  # a link made a moment ago, kept in the session until the next page has shown it
GET, POST = "GET", "POST"


def _person(request: HttpRequest) -> User:
    """The signed-in person; only called where there is one."""
    assert isinstance(request.user, User)  # noqa: S101 - the login middleware comes first
    return request.user


# Joining ---------------------------------------------------------------------------------------------------------


@login_not_required
@never_cache
@sensitive_post_parameters("password")
@require_http_methods([GET, POST])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Who invites to what; then the person, new or signed in, belongs to the seller."""
    invitation = services.find_invitation(token)
    if invitation is None:
        response = render(request, "accounts/join_closed.html", status=404)
    elif request.user.is_authenticated:
        response = _join_as_member(request, token, invitation)
    else:
        response = _join_as_new_person(request, token, invitation)
    # The address of this page is a secret: not even our own files' requests shall repeat its path. ("no-referrer"
    # would also blank the Origin header, and with it the protection against forged forms.)
    response["Referrer-Policy"] = "strict-origin"
    return response


def _join_as_member(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    context: dict[str, object] = {
        "invitation": invitation,
        "is_other": invitation.email not in ("", _person(request).email),
    }
    if request.method == POST:
        try:
            membership = services.accept_invitation(token=token, user=_person(request))
        except ValidationError as error:
            context["problem"] = error.messages[0]
        else:
            request.session[SESSION_KEY] = membership.seller_id
            return _welcome(request, membership)
    return render(request, "accounts/join_form.html", context)


def _join_as_new_person(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    form = JoinForm(request.POST if request.method == POST else None, invitation=invitation)
    if form.is_valid():
        try:
            membership = services.accept_invitation(token=token, user=None, **form.cleaned_data)
        except ValidationError as error:
            form.add_error(None, error)
        else:
            perform_login(request, membership.user, email_verification="none")
            request.session[SESSION_KEY] = membership.seller_id
            return _welcome(request, membership)
    return render(request, "accounts/join_form.html", {"invitation": invitation, "form": form})


def _welcome(request: HttpRequest, membership: Membership) -> HttpResponse:
    messages.success(request, _("Welcome to %(seller)s.") % {"seller": membership.seller.name})
    return redirect(settings.LOGIN_REDIRECT_URL)


# Oneself ---------------------------------------------------------------------------------------------------------


@require_POST
def switch(request: HttpRequest) -> HttpResponse:
    """Turn to another of one's own sellers."""
    slug = request.POST.get("seller", "")
    found = next((m for m in request.desk.memberships if m.seller.slug == slug), None)  # type: ignore[attr-defined]
    if found is None:
        raise Http404
    request.session[SESSION_KEY] = found.seller_id
    wanted = request.POST.get("next", "")
    is_safe = wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None)
    return redirect(wanted if is_safe else settings.LOGIN_REDIRECT_URL)


@require_http_methods([GET, POST])
def profile(request: HttpRequest) -> HttpResponse:
    """One's name, address, ways to sign in and sellers; for somebody without a seller, what to do."""
    form = ProfileForm(request.POST if request.method == POST else None, initial={"name": _person(request).name})
    if form.is_valid():
        services.change_name(actor=_person(request), name=form.cleaned_data["name"])
        messages.success(request, _("Your name was saved."))
        return redirect("accounts:profile")
    context = {
        "form": form,
        "has_second_factor": is_mfa_enabled(request.user),
        "can_change_email": bool(settings.EMAIL_URL),  # a new address has to be confirmed by mail
    }
    return render(request, "accounts/profile_detail.html", context)


@never_cache
@require_safe
def sessions(request: HttpRequest) -> HttpResponse:
    """Where the person is signed in; each session can be ended."""
    here = request.session.session_key
    rows = [
        {"row": row, "device": device_words(row.user_agent), "is_here": row.session_key == here}
        for row in live_sign_ins(_person(request))
    ]
    return render(request, "accounts/session_list.html", {"rows": rows, "has_others": len(rows) > 1})


@require_POST
def end_session(request: HttpRequest, number: str) -> HttpResponse:
    """Sign out in one browser; here it is the ordinary signing out."""
    ended = end_sign_in(actor=_person(request), number=parse_number(number) or "")
    if ended is None:
        raise Http404
    if ended.session_key == request.session.session_key:
        logout(request)
        return redirect(settings.LOGIN_URL)
    messages.success(request, _("That browser is signed out."))
    return redirect("accounts:sessions")


@require_POST
def end_other_sessions(request: HttpRequest) -> HttpResponse:
    """Sign out everywhere but here."""
    end_other_sign_ins(actor=_person(request), keep=request.session.session_key)
    messages.success(request, _("You are signed out everywhere but here."))
    return redirect("accounts:sessions")


# The team --------------------------------------------------------------------------------------------------------


@never_cache
@require_http_methods([GET, POST])
@needs(Permission.MANAGE_TEAM)
@needs_recent_login
def team(request: HttpRequest) -> HttpResponse:
    """Who belongs to the seller, who is invited; POST invites somebody."""
    seller = seller_of(request)
    form = InviteForm(request.POST if request.method == POST else None)
    if form.is_valid():
        try:
            new = services.invite(actor=_person(request), seller=seller, **form.cleaned_data)
        except ValidationError as error:
            form.add_error("email", error)
        else:
            _show_once(request, "invitation", new.invitation.email, reverse("accounts:join", args=[new.token]))
            return redirect("accounts:team")
    memberships = Membership.objects.of(seller).with_state().select_related("user").order_by("user__email")
    context = {
        "form": form,
        "members": memberships,
        "role_form": RoleForm(),
        "invitations": Invitation.objects.of(seller).renewable().order_by("-created_at"),
        "once": request.session.pop(ONCE_KEY, None) if request.method == GET else None,
    }
    return render(request, "accounts/team_list.html", context)


def _show_once(request: HttpRequest, kind: str, email: str, path: str) -> None:
    base = settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"
    request.session[ONCE_KEY] = {"kind": kind, "email": email, "url": base + path}


@require_POST
@needs(Permission.MANAGE_TEAM)
@needs_recent_login
def change_role(request: HttpRequest, member: int) -> HttpResponse:
    membership = _membership_or_404(request, member)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("There is no such role."))
        return _back_to_team(request, membership)
    try:
        services.change_role(actor=_person(request), membership=membership, role=form.cleaned_data["role"])
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, _("The role of %(person)s was changed.") % {"person": membership.user})
    return _back_to_team(request, membership)


@require_POST
@needs(Permission.MANAGE_TEAM)
@needs_recent_login
def remove_member(request: HttpRequest, member: int) -> HttpResponse:
    membership = _membership_or_404(request, member)
    try:
        services.remove_member(actor=_person(request), membership=membership)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        messages.success(request, _("%(person)s no longer belongs to the team.") % {"person": membership.user})
    return _back_to_team(request, membership)


@require_POST
@needs(Permission.MANAGE_TEAM)
@needs_recent_login
def make_reset_link(request: HttpRequest, member: int) -> HttpResponse:
    membership = _membership_or_404(request, member)
    try:
        link = services.make_reset_link(actor=_person(request), membership=membership)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        path = reverse("account_reset_password_from_key", kwargs={"uidb36": link.uid, "key": link.key})
        _show_once(request, "reset", membership.user.email, path)
    return _back_to_team(request, membership)


@require_POST
@needs(Permission.MANAGE_TEAM)
def withdraw_invitation(request: HttpRequest, number: str) -> HttpResponse:
    invitation = _invitation_or_404(request, number)
    services.withdraw_invitation(actor=_person(request), invitation=invitation)
    messages.success(request, _("The link no longer works."))
    return redirect("accounts:team")


@require_POST
@needs(Permission.MANAGE_TEAM)
@needs_recent_login
def renew_invitation(request: HttpRequest, number: str) -> HttpResponse:
    """A new link for the same person and role; the old one stops working."""
    old = _invitation_or_404(request, number)
    try:
        new = services.renew_invitation(actor=_person(request), invitation=old)
    except ValidationError as error:
        messages.error(request, error.messages[0])
    else:
        _show_once(request, "invitation", new.invitation.email, reverse("accounts:join", args=[new.token]))
    return redirect("accounts:team")


def _invitation_or_404(request: HttpRequest, number: str) -> Invitation:
    rows = Invitation.objects.visible_to(request.user).select_related("seller")
    parsed = parse_number(number)
    invitation: Invitation | None = rows.filter(number=parsed).first() if parsed else None
    if invitation is None:
        raise Http404
    return invitation


def _membership_or_404(request: HttpRequest, member: int) -> Membership:
    rows = Membership.objects.visible_to(request.user).select_related("user", "seller")
    membership: Membership | None = rows.filter(pk=member).first()
    if membership is None:
        raise Http404
    return membership


def _back_to_team(request: HttpRequest, membership: Membership) -> HttpResponse:
    """To the team page, or to the profile for somebody who has just given up the right to see it."""
    return redirect("accounts:profile" if membership.user_id == request.user.pk else "accounts:team")


# The seller and its stores ---------------------------------------------------------------------------------------


@require_http_methods([GET, POST])
@needs(Permission.MANAGE_STORES)
def stores(request: HttpRequest) -> HttpResponse:
    """The seller's shops and its name; POST adds a shop."""
    seller = seller_of(request)
    form = StoreForm(request.POST if request.method == POST else None)
    if form.is_valid():
        try:
            store = services.add_store(actor=_person(request), seller=seller, **form.cleaned_data)
        except ValidationError as error:
            form.add_error("shop_id", error)
        else:
            messages.success(request, _("%(store)s was added.") % {"store": store.name})
            return redirect("accounts:stores")
    context = {
        "form": form,
        "stores": Store.objects.of(seller).order_by("marketplace", "name"),
        "seller_form": SellerForm(initial={"name": seller.name}, prefix="seller"),
    }
    return render(request, "accounts/store_list.html", context)


@require_POST
@needs(Permission.MANAGE_TEAM)
def rename_seller(request: HttpRequest) -> HttpResponse:
    form = SellerForm(request.POST, prefix="seller")
    if form.is_valid():
        services.rename_seller(actor=_person(request), seller=seller_of(request), name=form.cleaned_data["name"])
        messages.success(request, _("The seller's name was changed."))
    else:
        messages.error(request, _("A seller needs a name of at most 200 characters."))
    return redirect("accounts:stores")
