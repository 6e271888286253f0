"""Pages about people and sellers."""

from django.urls import path

from ledger.accounts import token_views, views

app_name = "accounts"
urlpatterns = [
    path("join/<str:token>/", views.join, name="join"),
    path("switch/", views.switch, name="switch"),
    path("account/", views.profile, name="profile"),
    path("account/sessions/", views.sessions, name="sessions"),
    path("account/sessions/end-others/", views.end_other_sessions, name="end_other_sessions"),
    path("account/sessions/<str:number>/end/", views.end_session, name="end_session"),
    path("team/", views.team, name="team"),
    path("team/members/<int:member>/role/", views.change_role, name="change_role"),
    path("team/members/<int:member>/remove/", views.remove_member, name="remove_member"),
    path("team/members/<int:member>/reset-link/", views.make_reset_link, name="make_reset_link"),
    path("team/invitations/<str:number>/withdraw/", views.withdraw_invitation, name="withdraw_invitation"),
    path("team/invitations/<str:number>/renew/", views.renew_invitation, name="renew_invitation"),
    path("team/tokens/", token_views.tokens, name="tokens"),
    path("team/tokens/<str:number>/revoke/", token_views.revoke, name="revoke_token"),
    path("stores/", views.stores, name="stores"),
    path("stores/name/", views.rename_seller, name="rename_seller"),
]
