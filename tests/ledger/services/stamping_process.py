"""Registers, seals and stamps for ever, with a database of its own; a test kills it. `check` says what was left behind."""

import hashlib
import json
import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"


def main(action: str, url: str, anchors: str) -> None:
    django.setup()
    # Imports need Django to be set up.
    from ledger.accounts.models import Seller
    from ledger.models import Statement, TimeAuthority, TimestampToken
    from ledger.services.anchoring import stamp
    from ledger.services.authorities import AuthoritySettings, save_authority
    from ledger.services.log import seal
    from ledger.services.setup import prepare
    from tests.factories import make_seller, register_one
    from tests.log_checks import check_log

    prepare()
    seller = Seller.objects.first() or make_seller("acme")
    if not TimeAuthority.objects.exists():
        wanted = AuthoritySettings("First", url, open(anchors).read(), allows_local=True, quota_calls=1000)  # noqa: SIM115, PTH123
        save_authority(actor=None, wanted=wanted)
    if action == "run":
        for number in range(Statement.objects.count() + 1, 10_000):
            register_one(seller, number)
            seal()
            print(len(stamp()), flush=True)
        return
    seal()
    stamp()  # recovery is the same code as normal running
    check_log()
    tokens = list(TimestampToken.objects.order_by("pk"))
    claims = [json.loads(bytes(row.claim)) for row in Statement.objects.filter(kind="anchor").order_by("entry")]
    print(
        json.dumps(
            {
                "tokens": [hashlib.sha256(bytes(token.response)).hexdigest() for token in tokens],
                "anchors": [claim["token"]["sha256"] for claim in claims],
                "sizes": [token.checkpoint_id for token in tokens],
                "registered": Statement.objects.filter(kind="image.registered").count(),
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
