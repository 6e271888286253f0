"""Every setting of the project, for every environment, in the order of Django's settings reference.

Safe with nothing set: DEBUG is off, the secret is generated once into the data directory, SQLite, local files.
ORIGINMARK_PUBLIC_URL alone decides between local (http://localhost) and public (https); docs/operate/settings.md
lists every variable.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import env
from config.databases import parse_database_url, sqlite_settings
from config.logs import logging_settings
from config.mail import TIMEOUT_S as MAIL_TIMEOUT_S
from config.mail import parse_smtp_url
from config.queue import queue_settings
from config.secret_key import load_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent

# What the project itself adds -----------------------------------------------------------------------------------
DATA_DIR = env.path("ORIGINMARK_DATA", BASE_DIR / "data")
# Keys and signer state live apart from the data, so that a data backup never holds them.
KEYS_DIR = env.path("ORIGINMARK_KEYS", BASE_DIR / "keys")
KEY_PASSPHRASE = env.secret("ORIGINMARK_KEY_PASSPHRASE", "")
PUBLIC_URL = env.text("ORIGINMARK_PUBLIC_URL", "").rstrip("/")
IS_PUBLIC = bool(PUBLIC_URL)
if IS_PUBLIC and not PUBLIC_URL.startswith("https://"):
    raise ImproperlyConfigured(f"ORIGINMARK_PUBLIC_URL must start with https://, not {PUBLIC_URL!r}")
PUBLIC_HOST = PUBLIC_URL.removeprefix("https://").split("/")[0].split(":")[0]
REDIS_URL = env.secret("ORIGINMARK_REDIS_URL", "")
WITNESS_QUORUM = env.integer("ORIGINMARK_WITNESS_QUORUM", 0, 0, 16)
CHECKPOINT_INTERVAL_S = env.integer("ORIGINMARK_CHECKPOINT_INTERVAL_S", 60, minimum=1, maximum=60)
# Of how many outside clocks each checkpoint gets a token, where that many are set up.
TSA_QUORUM = env.integer("ORIGINMARK_TSA_QUORUM", 2, minimum=1, maximum=4)
# Without a token the figures are given only to this machine, and on a public site to nobody: a proxy is this machine too.
METRICS_TOKEN = env.secret("ORIGINMARK_METRICS_TOKEN", "")
# The development clock proves nothing; without this it is neither started nor asked, and its tokens are not shown.
DEV_TSA = env.flag("ORIGINMARK_DEV_TSA", False)
# Uploads are refused (507) before the disk holds less than this, so that the database and the log can always be written.
DISK_RESERVE_BYTES = env.integer("ORIGINMARK_DISK_RESERVE_MB", 1024, minimum=0, maximum=2**20) * 2**20
UPLOAD_MAX_BYTES = 50 * 2**20  # what the product can process; marketplace limits are profiles

# What a seller may store; 0 is no limit, and `manage.py quota` gives one seller another.
SELLER_MAX_BYTES = env.integer("ORIGINMARK_SELLER_MAX_MIB", 0, minimum=0, maximum=2**30) * 2**20
SELLER_MAX_FILES_PER_DAY = env.integer("ORIGINMARK_SELLER_MAX_FILES_PER_DAY", 0, minimum=0, maximum=10**9)

# How long listings that are gone are kept with their pictures, 0 for ever: `manage.py delisted` gives one seller another.
# The marketplace's own search is said to see them for 18 months.
DELISTED_MONTHS = env.integer("ORIGINMARK_DELISTED_MONTHS", 18, minimum=0, maximum=1200)

# Core -----------------------------------------------------------------------------------------------------------
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *([PUBLIC_HOST] if IS_PUBLIC else [])]
# In the database, because the sign-in limits are counted here and must hold for all web processes together. Unused
# counters are dropped beyond MAX_ENTRIES, so it is far above what one attacker can fill within a limit's window.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "accounts_cache",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    }
}
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_NAME = "__Host-csrftoken" if IS_PUBLIC else "csrftoken"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SECURE = IS_PUBLIC
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL] if IS_PUBLIC else []
DATABASE_URL = env.secret("ORIGINMARK_DATABASE_URL", "")
DATABASES: dict[str, dict[str, Any]] = {
    "default": parse_database_url(DATABASE_URL) if DATABASE_URL else sqlite_settings(DATA_DIR / "originmark.sqlite3")
}
# A database of its own for each test process, so that two runs on one machine stay apart.
DATABASES["default"]["TEST"] = {
    "NAME": f"test_originmark_{os.getpid()}"
    if DATABASE_URL
    else str(Path(tempfile.gettempdir()) / f"originmark-test-{os.getpid()}.sqlite3")
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
DATA_UPLOAD_MAX_NUMBER_FILES = 500
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2100  # a role for each of the 2,000 files of an evidence set
DEBUG = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DEFAULT_FROM_EMAIL = env.text("ORIGINMARK_MAIL_FROM", "originmark@localhost")
# Without a mail server nothing is sent: every link the product makes can be copied from a page or the terminal.
EMAIL_URL = env.secret("ORIGINMARK_SMTP_URL", "")
MAIL = parse_smtp_url(EMAIL_URL)
EMAIL_BACKEND = MAIL.backend
EMAIL_HOST = MAIL.host
EMAIL_HOST_PASSWORD = MAIL.password
EMAIL_HOST_USER = MAIL.user
EMAIL_PORT = MAIL.port
EMAIL_SUBJECT_PREFIX = "[Originmark] "
EMAIL_TIMEOUT = MAIL_TIMEOUT_S
EMAIL_USE_SSL = MAIL.use_ssl
EMAIL_USE_TLS = MAIL.use_tls
# A request below 2.5 MiB as a whole, which is most photos, never touches the disk before it is sealed.
FILE_UPLOAD_HANDLERS = [
    "ledger.uploads.CappedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "ledger.uploads.SpoolUploadHandler",
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "django_htmx",
    "django_q",
    "template_partials",
    "ledger.accounts",
    "ledger",
    "compliance",
]
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LANGUAGE_COOKIE_SAMESITE = "Lax"
LANGUAGE_COOKIE_SECURE = IS_PUBLIC
LOCALE_PATHS = [BASE_DIR / "config" / "locale"]
# A public site writes for machines, one's own machine for the person in front of it.
LOG_LEVEL = env.choice(
    "ORIGINMARK_LOG_LEVEL", "INFO" if IS_PUBLIC else "WARNING", ["DEBUG", "INFO", "WARNING", "ERROR"]
)
LOG_AS_JSON = env.choice("ORIGINMARK_LOG_FORMAT", "json" if IS_PUBLIC else "line", ["json", "line"]) == "json"
LOGGING = logging_settings(LOG_LEVEL, as_json=LOG_AS_JSON)
MIDDLEWARE = [
    "config.request_log.RequestLogMiddleware",
    # First, so that whatever a later one answers by itself (a redirect, 400, 403, 507) carries the headers too.
    "config.headers.HeadersMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "ledger.views.room.RoomMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "ledger.accounts.middleware.SignInMiddleware",
    "ledger.accounts.middleware.SellerMiddleware",
    "ledger.accounts.middleware.RequireSecondFactorMiddleware",
]
ROOT_URLCONF = "config.urls"
SECRET_KEY = env.secret("ORIGINMARK_SECRET_KEY", "") or load_secret_key(DATA_DIR)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_PUBLIC
SECURE_HSTS_PRELOAD = IS_PUBLIC
SECURE_HSTS_SECONDS = 63_072_000 if IS_PUBLIC else 0
# The proxy in front ends TLS and must set (not pass on) this header; docs/operate/settings.md says how.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_PUBLIC else None
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = IS_PUBLIC
SILENCED_SYSTEM_CHECKS: list[str] = []
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.context.frame",
            ],
        },
    }
]
TEST_RUNNER = "django.test.runner.DiscoverRunner"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True
WSGI_APPLICATION = "config.wsgi.application"
X_FRAME_OPTIONS = "DENY"

# django.contrib.auth --------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AUTH_USER_MODEL = "accounts.User"
LOGIN_REDIRECT_URL = "/"
LOGIN_URL = "account_login"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_RESET_TIMEOUT = 24 * 3600  # seconds; an owner hands the link over at once

# django.contrib.sessions, messages, staticfiles -----------------------------------------------------------------
SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_NAME = "__Host-sessionid" if IS_PUBLIC else "sessionid"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = IS_PUBLIC
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STATIC_URL = "/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": DATA_DIR / "unused"}},
    "staticfiles": {"BACKEND": "config.static_files.StaticFilesStorage"},
}
WHITENOISE_MAX_AGE = 60

# Third parties --------------------------------------------------------------------------------------------------
ACCOUNT_ADAPTER = "ledger.accounts.adapter.InvitationOnlyAdapter"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = "https" if IS_PUBLIC else "http"
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation link already proves the address, or the owner vouches for it
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = "strict"
# What cannot be taken back asks for the password again when the sign-in is older than this.
ACCOUNT_REAUTHENTICATION_TIMEOUT = env.integer("ORIGINMARK_REAUTH_AFTER_S", 600, minimum=60, maximum=86_400)
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
# The address that limits and sessions count: the one that the trusted proxies in front appended, without any the
# connection's.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("ORIGINMARK_PROXIES", 1 if IS_PUBLIC else 0, minimum=0, maximum=8)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:", "blob:"],
        "manifest-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
    }
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = "Originmark"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not IS_PUBLIC
Q_CLUSTER = queue_settings(REDIS_URL, SECRET_KEY)
PRODUCT_NAME = _("Originmark")
