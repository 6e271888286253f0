"""How long a packet takes to build, from the case in the database to sealed parts: `python -m tests.bench.packets`.

A usual case (one work, one listing, two captures), and a defence with many works and a 25 MB evidence set. A database, a
log and keys of its own in a temporary folder; the wall clock, with the processor time beside it for a busy machine.
"""

import argparse
import os
import statistics
import tempfile
import time

ROUNDS = 5
SET_FILES, SET_FILE_BYTES = 5, 5_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description="measure building packets")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--works", type=int, default=10, help="originals of the defence")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="originmark-bench-") as folder:
        os.environ.update(
            DJANGO_SETTINGS_MODULE="config.settings", ORIGINMARK_DATA=f"{folder}/data", ORIGINMARK_KEYS=f"{folder}/keys"
        )
        _measure(options.rounds, options.works)


def _measure(rounds: int, works: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from compliance.models import CaseWork
    from compliance.services.packet_exhibits import Ticks
    from compliance.services.packets import build_packet
    from ledger.accounts.numbers import new_number
    from ledger.services.evidence_sets import add_files, open_draft, register_set
    from ledger.services.originals import Upload
    from ledger.services.pictures import pixel_pool
    from ledger.services.setup import create_log
    from tests.compliance.complete_case import complete_case
    from tests.factories import make_seller, register_one

    create_log()
    seller = make_seller("acme")
    usual = complete_case(seller, "temu_portal")
    draft = open_draft(actor=None, seller=seller, number=new_number())
    uploads = [Upload(f"IMG_{n}.CR2", bytes([n]) * SET_FILE_BYTES) for n in range(SET_FILES)]
    add_files(actor=None, draft=draft, uploads=uploads)
    files = list(register_set(actor=None, draft=draft, title="Shoot").files.all())
    originals = [register_one(seller, seed=seed, analyse=True) for seed in range(2, works + 2)]
    defence = complete_case(seller, "alibaba_ipp", "defence", original=originals[0], files=files)
    for original in originals[1:]:
        CaseWork.objects.create(seller=seller, case=defence, original=original)
    cases = (
        ("usual complaint", usual, Ticks()),
        (f"defence, {works} works and 25 MB of evidence", defence, Ticks(originals=True)),
    )
    for name, case, ticks in cases:
        walls, cpus = [], []
        for _ in range(rounds):
            wall, cpu = time.perf_counter(), time.process_time()
            packet = build_packet(actor=None, case=case, ticks=ticks)
            walls.append(time.perf_counter() - wall)
            cpus.append(time.process_time() - cpu)
        print(
            f"{name}: first {walls[0]:.2f} s, median {statistics.median(walls):.2f} s "
            f"({statistics.median(cpus):.2f} s of processor), {packet.parts.count()} parts, "
            f"{packet.size_bytes / 1e6:.1f} MB, {len(packet.files)} files"
        )
    pixel_pool().close()


if __name__ == "__main__":
    main()
