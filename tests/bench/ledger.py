"""What the log costs in the database, as ratios inside one run. `python -m tests.bench.ledger audit|flips|append|register [ENTRIES]`.

audit: entries checked per second against hashing the same entries and nodes from memory on one processor; bar 0.60, and
at most 64 MiB of memory of its own. flips: every byte of every row of a log of 1,000 entries is changed in the database,
and each time the audit has to name that entry. append: one by one against fdatasync (bar 0.90), and 64 clients through
group commit against a bare loop that commits 64 rows at a time on the same database (bar 0.50, p99 60 ms); bulk, 1,000
entries at a time, against the same loop (bar 0.60). Beside it a bare loop of whole entries: the least that any writer
of this log has to do in Python (documents, digests, canonical bytes) and in the same tables. register: the same for
whole registrations of small pictures, whose files are made durable as well.

Runs on a database of its own: a temporary SQLite file, or ORIGINMARK_DATABASE_URL with a name that ends in _bench.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp(prefix="originmark-bench-", dir=os.environ.get("ORIGINMARK_BENCH_DIR")))
os.environ["ORIGINMARK_DATA"] = str(FOLDER / "data")
os.environ["ORIGINMARK_KEYS"] = str(FOLDER / "keys")
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
if not os.environ.get("ORIGINMARK_DATABASE_URL", "_bench").split("?")[0].endswith("_bench"):
    sys.exit("the database of a benchmark is named ..._bench: what is in it may be lost")

import django  # noqa: E402 - settings first

django.setup()

from django.db import connection, connections, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from ledger import append_only  # noqa: E402
from ledger.accounts.models import Seller  # noqa: E402
from ledger.models import LogHead  # noqa: E402
from ledger.services.audit import _Task, audit_log, check_piece  # noqa: E402
from ledger.services.entry_scan import WrongEntryError  # noqa: E402
from ledger.services.group_commit import in_batch, in_group  # noqa: E402
from ledger.services.log import Batch, append_batches, append_statements, now_ms, seal  # noqa: E402
from ledger.services.originals import REGISTERED, Upload, register_originals  # noqa: E402
from ledger.services.setup import prepare  # noqa: E402
from ledger.tlog import entry, merkle  # noqa: E402
from ledger.tlog.audit import PIECE  # noqa: E402
from tests.factories import make_seller  # noqa: E402
from tests.images import jpeg_bytes, product_photo  # noqa: E402
from tests.ledger.services.test_log import draft  # noqa: E402

BATCH = 10_000
BAR_AUDIT = 0.60


def fill(count: int) -> None:
    """A log of that many entries with their nodes, head and a checkpoint per 10,000; statements are left out."""
    head = prepare()
    frontier, prev = merkle.Frontier(), bytes(head.prev)
    stamp = now_ms()
    for start in range(0, count, BATCH):
        rows, nodes = [], []
        for seq in range(start, min(start + BATCH, count)):
            parsed = entry.Entry(
                claim=secrets.token_bytes(32),
                kind="query.recorded" if seq % 5 == 0 else "image.registered",
                log=head.origin,
                prev=prev,
                seq=seq,
                ts=entry.format_utc_ms(stamp + 40 * seq),
                who=secrets.token_bytes(32),
            )
            body = entry.format_entry(parsed)
            prev = merkle.leaf_hash(body)
            rows.append((seq, body, prev))
            nodes += [(node.tile_level, node.index, node.hash) for node in frontier.append(prev)]
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)", rows)
            cursor.executemany('INSERT INTO ledger_treenode (level, "index", hash) VALUES (%s, %s, %s)', nodes)
            last = stamp + 40 * (frontier.size - 1)
            LogHead.objects.update(size=frontier.size, prev=prev, frontier=frontier.to_bytes(), last_ms=last)
        seal()


def bodies(count: int) -> Iterator[list[bytes]]:
    with connection.cursor() as cursor:
        for start in range(0, count, PIECE):
            cursor.execute("SELECT body FROM ledger_entry WHERE seq >= %s AND seq < %s", [start, start + PIECE])
            yield [bytes(row[0]) for row in cursor.fetchall()]


def bare_hashing(count: int) -> float:
    """Seconds to hash all leaves and nodes of entries that are in memory already, a piece at a time."""
    total, tops = 0.0, []
    for piece in bodies(count):
        start = time.perf_counter()
        level = [sha256(b"\0" + body).digest() for body in piece]
        while len(level) > 1:
            pairs = iter(level)
            level = [sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs, strict=False)]
        tops.append(level)
        total += time.perf_counter() - start
    return total


def own_memory(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds, and MiB of memory that the work added at its peak, here and in processes it started."""
    before, peak, done = _anonymous_kib(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.02):
            peak = max(peak, _anonymous_kib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    work()
    taken = time.perf_counter() - start
    done.set()
    watcher.join()
    return taken, max(0, peak - before) / 1024


def _anonymous_kib() -> int:
    """Memory of this process and its children that no file backs, what they share counted once."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    total = 0
    for process in ("self", *children):
        with suppress(OSError):  # it ended meanwhile
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
    return total


def bench_audit(count: int) -> None:
    fill(count)
    for processes in (1, 2):
        bare = bare_hashing(count)
        taken, memory = own_memory(lambda processes=processes: _expect_sound(processes))  # type: ignore[misc]
        print(
            f"audit of {count:,} entries, {processes} process(es): {count / taken:,.0f}/s, hashing alone "
            f"{count / bare:,.0f}/s on one processor: {bare / taken:.2f} x, {memory:.0f} MiB"
        )


def _expect_sound(processes: int) -> None:
    found = audit_log(processes=processes)
    assert found.verdict == "PASSED", found.problems[:3]


def bench_flips(count: int) -> None:
    fill(count)
    head = LogHead.objects.get()
    append_only.remove(connection)
    genesis, flips = entry.genesis_prev(bytes(head.parameters)), 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, body, leaf_hash FROM ledger_entry ORDER BY seq")
        for seq, *columns in cursor.fetchall():
            for name, value in zip(("body", "leaf_hash"), map(bytes, columns), strict=True):
                update = f"UPDATE ledger_entry SET {name} = %s WHERE seq = %s"  # noqa: S608 - names of ours
                with transaction.atomic():
                    for at in range(len(value)):
                        changed = value[:at] + bytes([value[at] ^ (1 << flips % 8)]) + value[at + 1 :]
                        cursor.execute(update, [changed, seq])
                        _expect_named(_Task(0, head.origin, genesis, seq, min(seq + 1, count), ()), seq)
                        flips += 1
                    cursor.execute(update, [value, seq])
    append_only.install(connection)
    _expect_sound(1)
    print(f"{flips:,} flipped bytes in a log of {count:,} entries: each one named by the number of its entry")


def _expect_named(task: _Task, seq: int) -> None:
    named = None
    try:
        check_piece(task)
    except WrongEntryError as error:
        named = error.seq
    assert named == seq, f"a changed byte of entry {seq}: named was {named}"


CLIENTS = 64
BARE_ROW = 900  # bytes of an entry, its documents and their indexes, roughly


def bench_append(count: int) -> None:
    prepare()
    seller = make_seller("bench")
    single, _latencies = _by_clients(1, count, lambda: _append_one(seller))
    grouped, latencies = _by_clients(CLIENTS, count, lambda: _append_one(seller))
    bulk = _bulk_rate(seller, count * CLIENTS)
    whole = _whole_rate(seller, count * CLIENTS)
    syncs, bare = _fdatasync_rate(), _bare_rate(count * CLIENTS)
    _expect_sound(1)
    print(f"one by one: {single:,.0f}/s, fdatasync {syncs:,.0f}/s: {single / syncs:.2f} x")
    _print_clients(grouped, bare, latencies)
    print(f"bulk: {bulk:,.0f}/s: {bulk / bare:.2f} x")
    print(f"bare loop of whole entries {whole:,.0f}/s: clients {grouped / whole:.2f} x, bulk {bulk / whole:.2f} x")


def bench_register(count: int) -> None:
    prepare()
    seller = make_seller("bench")
    pictures = iter([jpeg_bytes(product_photo(seed, (32, 24))) for seed in range((CLIENTS + 1) * count)])
    lock = threading.Lock()

    def register() -> None:
        with lock:
            content = next(pictures)
        (answer,) = register_originals(actor=None, seller=seller, uploads=[Upload("a.jpg", content)])
        assert answer.status == REGISTERED, answer

    single, _latencies = _by_clients(1, count, register)
    grouped, latencies = _by_clients(CLIENTS, count, register)
    syncs, bare = _fdatasync_rate(), _bare_rate(count * CLIENTS)
    _expect_sound(1)
    print(f"register one by one: {single:,.0f}/s, fdatasync {syncs:,.0f}/s: {single / syncs:.2f} x")
    _print_clients(grouped, bare, latencies)


def _print_clients(grouped: float, bare: float, latencies: list[float]) -> None:
    p99 = latencies[len(latencies) * 99 // 100] * 1000
    print(f"{CLIENTS} clients: {grouped:,.0f}/s, bare loop {bare:,.0f}/s: {grouped / bare:.2f} x, p99 {p99:.0f} ms")


def _append_one(seller: Seller) -> None:
    in_batch(_append_all, Batch(seller, None, [draft(seller)]))


def _append_all(head: LogHead, batches: Sequence[Batch]) -> list[None]:
    append_batches(head, batches)
    return [None] * len(batches)


def _bulk_rate(seller: Seller, count: int, at_once: int = 1000) -> float:
    start = time.perf_counter()
    for low in range(0, count, at_once):
        drafts = [draft(seller) for _ in range(min(at_once, count - low))]
        in_group(lambda head, drafts=drafts: append_statements(seller=seller, actor=None, drafts=drafts, head=head))  # type: ignore[misc]
    return count / (time.perf_counter() - start)


def _by_clients(clients: int, each: int, work: Callable[[], None]) -> tuple[float, list[float]]:
    """Times per second over threads that do the work one by one, and how long each one waited, sorted."""
    latencies: list[float] = []

    def client() -> None:
        for _ in range(each):
            start = time.perf_counter()
            work()
            latencies.append(time.perf_counter() - start)
        connections.close_all()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * each / (time.perf_counter() - start), sorted(latencies)


def _whole_rate(seller: Seller, count: int) -> float:
    """Entries per second of one loop that writes them with their statements, 64 to a commit, and does nothing else.

    It locks nothing, answers nobody, keeps no frontier, and validates no document twice.
    """
    head = LogHead.objects.get()
    seq, prev, now = head.size, bytes(head.prev), timezone.now()
    logged, tree = connection.ops.adapt_datetimefield_value(now), merkle.Frontier.from_bytes(seq, bytes(head.frontier))
    start = time.perf_counter()
    for low in range(0, count, CLIENTS):
        rows, statements = [], []
        for _ in range(min(CLIENTS, count - low)):
            one = draft(seller)
            claim, identity = entry.canonical_json(one.claim), entry.canonical_json(one.identity)
            digests = entry.claim_digest(claim), entry.identity_digest(identity)
            fields = entry.Entry(
                digests[0], one.kind, head.origin, prev, seq, entry.format_utc_ms(head.last_ms), digests[1]
            )
            body = entry.format_entry(fields)
            prev = merkle.leaf_hash(body)
            rows.append((seq, body, prev))
            number = f"{secrets.randbits(60):016x}"
            statements.append(
                (seq, number, seller.pk, one.kind, one.request_id, claim, identity, logged, one.label, one.outcome)
            )
            seq += 1
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany("INSERT INTO ledger_entry (seq, body, leaf_hash) VALUES (%s, %s, %s)", rows)
            cursor.executemany(
                "INSERT INTO ledger_statement (entry_id, number, seller_id, kind, request_id, claim, identity, "
                "logged_at, label, outcome) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                statements,
            )
    taken = time.perf_counter() - start
    with transaction.atomic(), connection.cursor() as cursor:  # and the log is whole again
        cursor.execute("SELECT leaf_hash FROM ledger_entry WHERE seq >= %s ORDER BY seq", [head.size])
        nodes = [node for (leaf,) in cursor.fetchall() for node in tree.append(bytes(leaf))]
        values = [(node.tile_level, node.index, node.hash) for node in nodes]
        cursor.executemany('INSERT INTO ledger_treenode (level, "index", hash) VALUES (%s, %s, %s)', values)
    LogHead.objects.update(size=seq, prev=prev, frontier=tree.to_bytes())
    return count / taken


def _fdatasync_rate(rounds: int = 300) -> float:
    with (FOLDER / "synced").open("wb", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(rounds):
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
        return rounds / (time.perf_counter() - start)


def _bare_rate(count: int) -> float:
    """Rows per second of a loop that only inserts and commits, 64 at a time."""
    kind = "BLOB" if connection.vendor == "sqlite" else "BYTEA"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE bench_bare (seq BIGINT PRIMARY KEY, body {kind})")
        start = time.perf_counter()
        for low in range(0, count, CLIENTS):
            rows = [(seq, bytes(BARE_ROW)) for seq in range(low, low + CLIENTS)]
            with transaction.atomic():
                cursor.executemany("INSERT INTO bench_bare (seq, body) VALUES (%s, %s)", rows)
        taken = time.perf_counter() - start
        cursor.execute("DROP TABLE bench_bare")
    return count / taken


def main() -> None:
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    if what == "audit":
        bench_audit(count or 1_000_000)
    elif what == "append":
        bench_append(count or 50)
    elif what == "register":
        bench_register(count or 10)
    elif what == "flips":
        bench_flips(count or 1000)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
