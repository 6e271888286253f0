"""django-allauth's pages: what strangers and signed-in people get from GET. test_sign_in.py walks through them."""

from __future__ import annotations

from tests.matrix.rows import AnyRow, LibraryRow

ROWS: dict[str, AnyRow] = {}
for name in ("login", "signup", "reset_password"):
    ROWS[f"account_{name}"] = LibraryRow(200, 302)
ROWS["account_reset_password"] = LibraryRow(200, 200)
ROWS["account_logout"] = LibraryRow(302, 200)
for name in ("inactive", "email_verification_sent", "reset_password_done", "reset_password_from_key_done"):
    ROWS[f"account_{name}"] = LibraryRow(200, 200)
ROWS["account_confirm_email"] = LibraryRow(200, 200, {"key": "unknown"})
ROWS["account_reset_password_from_key"] = LibraryRow(200, 200, {"uidb36": "0", "key": "unknown"})
ROWS["account_confirm_login_code"] = LibraryRow(302, 302)
for name in ("account_reauthenticate", "account_email", "account_change_password"):
    ROWS[name] = LibraryRow(302, 200, public=False)
ROWS["account_set_password"] = LibraryRow(302, 302, public=False)  # only for people who have none

ROWS["mfa_authenticate"] = LibraryRow(302, 302)
ROWS["mfa_login_webauthn"] = LibraryRow(302, 302)
for name in ("index", "list_webauthn"):
    ROWS[f"mfa_{name}"] = LibraryRow(302, 200, public=False)
for name in ("activate_totp", "add_webauthn", "reauthenticate", "reauthenticate_webauthn", "generate_recovery_codes"):
    ROWS[f"mfa_{name}"] = LibraryRow(302, 302, public=False)  # the password again, or nothing to do yet
for name in ("deactivate_totp", "view_recovery_codes", "download_recovery_codes"):
    ROWS[f"mfa_{name}"] = LibraryRow(302, 404, public=False)
for name in ("remove_webauthn", "edit_webauthn"):
    ROWS[f"mfa_{name}"] = LibraryRow(302, 302, {"pk": 10**6}, public=False)
