"""Where every page lives."""

from django.urls import include, path

urlpatterns = [
    path("", include("ledger.urls")),
    path("", include("compliance.urls")),
    path("", include("ledger.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("i18n/", include("django.conf.urls.i18n")),
]
