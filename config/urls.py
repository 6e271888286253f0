"""Where every page lives."""

from django.contrib.auth.decorators import login_not_required
from django.urls import include, path
from django.views.decorators.http import require_POST
from django.views.i18n import set_language

urlpatterns = [
    path("", include("ledger.urls")),
    path("", include("compliance.urls")),
    path("", include("ledger.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    # Strangers choose their language too: on the sign-in page, on an invitation, on the verify page.
    path("i18n/setlang/", login_not_required(require_POST(set_language)), name="set_language"),
]
