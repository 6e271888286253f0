"""The limited child: every way it can be lost is provoked for real, and the next job still works."""

import errno
import json
import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.imaging import landlock, seccomp
from ledger.imaging.errors import (
    CorruptPixels,
    DecodeCrashed,
    DecodeError,
    DecodeMemory,
    DecodeTimeout,
    OperationRefused,
    TooManyPixels,
)
from ledger.imaging.results import parse_analysis
from ledger.imaging.sandbox import PixelPool, TaskResult
from tests import images

HERE = "tests.ledger.imaging.misbehave:"
ANALYSE = "ledger.imaging.analysis:analyse_task"
ROOT = Path(__file__).resolve().parents[3]


def small_pool(**options) -> PixelPool:
    return PixelPool(prefixes=("tests.", "ledger.imaging."), **options)


@pytest.fixture(scope="module")
def pool():
    with small_pool() as shared:
        yield shared


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until_gone(pid: int, seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


def assert_still_works(pool: PixelPool) -> None:
    assert pool.run(HERE + "echo_task", [b"again"], {}).blobs == [b"again"]


def test_blobs_and_values_return_unchanged(pool):
    blobs = [b"", b"\x00" * 3_000_000, bytes(range(256))]
    result = pool.run(HERE + "echo_task", blobs, {"text": "主图", "number": 1.5, "none": None})
    assert result == TaskResult({"text": "主图", "number": 1.5, "none": None}, blobs)


def test_memoryviews_are_accepted(pool):
    assert pool.run(HERE + "echo_task", [memoryview(b"abcdef")[2:4]]).blobs == [b"cd"]


@pytest.mark.parametrize(
    "operation",
    ["os:system_task", "tests.ledger.imaging.misbehave:not_an_operation", "ledger.models:x_task", "testsx:y_task", ""],
)
def test_operations_outside_the_allow_list_are_refused(pool, operation):
    with pytest.raises(OperationRefused):
        pool.run(operation)


def test_an_unexpected_exception_is_a_crash_with_its_name_and_the_child_lives(pool):
    pids = pool.child_pids
    with pytest.raises(DecodeCrashed, match="KeyError"):
        pool.run(HERE + "raise_task")
    assert_still_works(pool)
    assert pool.child_pids == pids


def test_a_crash_names_the_signal_and_the_next_job_works(pool):
    with pytest.raises(DecodeCrashed, match="SIGSEGV"):
        pool.run(HERE + "crash_task")
    assert_still_works(pool)


def test_an_exit_is_a_crash(pool):
    with pytest.raises(DecodeCrashed, match="exit 3"):
        pool.run(HERE + "exit_task")
    assert_still_works(pool)


def test_garbage_instead_of_an_answer_is_a_crash(pool):
    with pytest.raises(DecodeCrashed):
        pool.run(HERE + "flood_task")
    assert_still_works(pool)


def test_memory_above_the_budget_is_decode_memory_and_the_child_lives():
    with small_pool(address_space_bytes=64 << 20) as pool:
        assert pool.run(HERE + "hoard_task", [], {"bytes": 16 << 20}).values == {"length": 16 << 20}
        pids = pool.child_pids
        with pytest.raises(DecodeMemory):
            pool.run(HERE + "hoard_task", [], {"bytes": 128 << 20})
        assert_still_works(pool)
        assert pool.child_pids == pids


def test_a_picture_too_large_for_the_memory_budget_is_decode_memory():
    with small_pool(address_space_bytes=128 << 20) as pool:
        with pytest.raises(DecodeMemory):
            pool.run(ANALYSE, [images.jpeg_bytes(images.flat_picture(size=(5000, 5000)))])
        assert pool.run(ANALYSE, [images.jpeg_bytes(images.flat_picture())]).values["width"] == 640


def test_a_job_that_sleeps_past_the_wall_limit_times_out():
    with small_pool(wall_timeout_s=0.5) as pool:
        assert_still_works(pool)
        with pytest.raises(DecodeTimeout):
            pool.run(HERE + "sleep_task", [], {"s": 60})
        assert_still_works(pool)


def test_a_job_that_spins_past_the_cpu_limit_is_ended_by_the_kernel():
    with small_pool(cpu_s=1) as pool:
        with pytest.raises(DecodeTimeout, match="cpu"):
            pool.run(HERE + "spin_task")
        assert_still_works(pool)


def test_the_cpu_limit_counts_each_job_alone():
    picture = images.jpeg_bytes(images.noise_picture(1, (1600, 1600)))
    with small_pool(cpu_s=1) as pool:
        pid = None
        for _ in range(15):  # together well above the limit of a single job
            pool.run(ANALYSE, [picture])
            pid = pid or pool.child_pids
        assert pool.child_pids == pid


def test_the_child_cannot_write_files(pool, tmp_path):
    with pytest.raises(DecodeCrashed, match=r"OSError|PermissionError"):
        pool.run(HERE + "scribble_task", [], {"path": str(tmp_path / "file")})


@pytest.mark.skipif(landlock.version() < 6, reason="needs a kernel with Landlock 6 (Linux 6.12)")
def test_the_child_can_change_reach_and_signal_nothing(tmp_path):
    path = tmp_path / "precious"
    path.write_bytes(b"precious")
    with socket.create_server(("127.0.0.1", 0)) as server, small_pool() as fresh:
        port = server.getsockname()[1]
        values = fresh.run(HERE + "escape_task", [], {"path": str(path), "port": port}).values
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()
    assert values["worked"] == []
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(landlock.version() < 1, reason="needs a kernel with Landlock")
def test_the_child_cannot_become_another_program():
    with small_pool() as fresh, pytest.raises(DecodeCrashed, match="PermissionError"):
        fresh.run(HERE + "become_task")


def test_the_child_reads_its_program_and_nobodys_files(tmp_path):
    """Neither in the test's folder nor in the checkout, where data and keys lie unless somebody moves them."""
    with small_pool() as fresh:
        for path in (tmp_path / "storage.key", ROOT / "pyproject.toml"):
            if landlock.version() and not path.is_file():
                path.write_bytes(b"secret")
            worked = fresh.run(HERE + "escape_task", [], {"path": str(path), "port": 9}).values["worked"]
            assert "read" not in worked or not landlock.version()
        assert fresh.run(ANALYSE, [images.jpeg_bytes(images.product_photo(1))], {}).values


@pytest.mark.skipif(not seccomp.is_there(), reason="needs a kernel with seccomp, on x86_64 or aarch64")
def test_the_child_is_refused_the_calls_that_lead_out():
    machine = seccomp.architecture()
    with small_pool() as fresh:
        numbers = seccomp.REFUSED[machine]
        errors = fresh.run(HERE + "call_task", [], {"numbers": numbers}).values["errors"]
        assert errors == dict.fromkeys(numbers, errno.EPERM)
        clone3 = {"clone3": seccomp.CLOSER[machine]["clone3"]}
        assert fresh.run(HERE + "call_task", [], {"numbers": clone3}).values["errors"] == {"clone3": errno.ENOSYS}
        assert fresh.run(HERE + "thread_task").values == {"done": 1}
        with pytest.raises(DecodeCrashed, match="PermissionError"):
            fresh.run(HERE + "fork_task")


def test_the_filter_knows_each_call_by_the_kernels_own_number():
    """Against the headers of this machine, where they are installed."""
    headers = {
        seccomp.X86_64: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        seccomp.AARCH64: Path("/usr/include/asm-generic/unistd.h"),
    }
    for machine, path in headers.items():
        if not path.is_file():
            continue
        known = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", path.read_text()))
        ours = seccomp.REFUSED[machine] | seccomp.CLOSER[machine]
        assert {name: number for name, number in ours.items() if int(known.get(name, number)) != number} == {}


def test_on_another_kind_of_machine_nothing_is_filtered(monkeypatch):
    monkeypatch.setattr(seccomp, "MACHINES", {})
    assert not seccomp.is_there()
    assert not seccomp.refuse_calls()


def test_without_landlock_the_other_limits_hold(monkeypatch):
    monkeypatch.setattr(landlock, "CREATE_RULESET", 10_000)  # a system call that no kernel has
    assert landlock.version() == 0
    assert landlock.give_up_rights() == 0


def test_the_child_cannot_hold_many_files(pool):
    with pytest.raises(DecodeCrashed, match="OSError"):
        pool.run(HERE + "open_many_task")


def test_the_child_sees_no_environment_of_ours(pool, monkeypatch):
    monkeypatch.setenv("ORIGINMARK_SECRET_KEY", "x")
    with small_pool() as fresh:
        values = fresh.run(HERE + "surroundings_task").values
    assert not [name for name in values["environment"] if "ORIGINMARK" in name or "DJANGO" in name]
    assert values["folder"] == "/"
    assert values["no_new_privileges"] == "1"


def test_a_child_killed_while_idle_costs_no_job(pool):
    assert_still_works(pool)
    os.kill(pool.child_pids[0], signal.SIGKILL)
    time.sleep(0.1)
    assert_still_works(pool)


def test_a_child_killed_at_work_is_a_crash_and_is_replaced(pool):
    assert_still_works(pool)
    victim = pool.child_pids[0]
    job = pool.submit(HERE + "sleep_task", [], {"s": 30})
    time.sleep(0.1)
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(DecodeCrashed, match="SIGKILL"):
        job.result()
    assert_still_works(pool)
    assert pool.child_pids[0] != victim


def test_children_are_replaced_after_their_number_of_jobs():
    with small_pool(max_jobs=3) as pool:
        pids = [pool.run(HERE + "surroundings_task").values["pid"] for _ in range(7)]
        assert [pids.count(pid) for pid in dict.fromkeys(pids)] == [3, 3, 1]
        assert wait_until_gone(pids[0])


def test_map_keeps_the_order_and_gives_errors_as_values():
    jobs: list[tuple[list[bytes], dict[str, Any]]] = [([b"%d" % number], {}) for number in range(30)]
    with small_pool(size=2) as pool:
        answers = list(pool.map(HERE + "echo_task", iter(jobs), ahead=3))
    assert [answer.blobs[0] for answer in answers if isinstance(answer, TaskResult)] == [
        b"%d" % number for number in range(30)
    ]


def test_jobs_waiting_behind_a_crash_are_done_by_the_next_child(pool):
    jobs = [pool.submit(HERE + name, [b"x"], {}) for name in ("echo_task", "crash_task", "echo_task", "echo_task")]
    kinds = [type(job.wait()) for job in jobs]
    assert kinds == [TaskResult, DecodeCrashed, TaskResult, TaskResult]


def test_jobs_waiting_behind_a_timeout_get_their_own_time():
    with small_pool(wall_timeout_s=1) as pool:
        assert_still_works(pool)
        jobs = [pool.submit(HERE + "sleep_task", [], {"s": seconds}) for seconds in (0.6, 0.6, 30, 0.6)]
        assert [type(job.wait()) for job in jobs] == [TaskResult, TaskResult, DecodeTimeout, TaskResult]


def test_answers_collected_late_are_not_timeouts():
    with small_pool(wall_timeout_s=0.5) as pool:
        assert_still_works(pool)
        jobs = [pool.submit(HERE + "echo_task", [b"x"], {}) for _ in range(3)]
        time.sleep(1)
        assert [type(job.wait()) for job in jobs] == [TaskResult] * 3


def test_more_jobs_than_may_wait_are_all_done(pool):
    jobs = [pool.submit(HERE + "echo_task", [b"%d" % number], {}) for number in range(60)]
    assert [job.result().blobs[0] for job in reversed(jobs)] == [b"%d" % number for number in reversed(range(60))]


def test_a_pool_may_be_used_inside_its_own_map(pool):
    jobs: Iterator[tuple[list[bytes], dict[str, Any]]] = (([b"%d" % number], {}) for number in range(5))
    for answer in pool.map(HERE + "echo_task", jobs):
        assert isinstance(answer, TaskResult)
        assert_still_works(pool)


def test_large_answers_and_large_jobs_in_flight_do_not_block_each_other(pool):
    blob = os.urandom(4_000_000)
    answers = list(pool.map(HERE + "echo_task", (([blob], {}) for _ in range(6)), ahead=4))
    assert all(isinstance(answer, TaskResult) and answer.blobs == [blob] for answer in answers)


def test_many_threads_share_one_pool():
    wrong = []

    def work(pool, number):
        for round_number in range(20):
            blob = b"%d-%d" % (number, round_number)
            if pool.run(HERE + "echo_task", [blob]).blobs != [blob]:
                wrong.append(blob)

    with small_pool(size=2) as pool:
        threads = [threading.Thread(target=work, args=(pool, number)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pool.child_pids) == 2
    assert wrong == []


def test_a_child_started_by_a_thread_outlives_it():
    with small_pool() as pool:
        thread = threading.Thread(target=assert_still_works, args=(pool,))
        thread.start()
        thread.join()
        time.sleep(0.2)
        pids = pool.child_pids
        assert_still_works(pool)
        assert pool.child_pids == pids


def _work_in_fork(pool, answers):
    answers.put((pool.run(HERE + "surroundings_task").values["pid"], pool.child_pids))
    pool.close()


def test_a_forked_daemonic_worker_starts_its_own_child(pool):
    assert_still_works(pool)
    ours = pool.child_pids
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    process = context.Process(target=_work_in_fork, args=(pool, answers), daemon=True)
    process.start()
    pid, pids = answers.get(timeout=60)
    process.join(timeout=10)
    assert pids == (pid,)
    assert pid not in ours
    assert_still_works(pool)
    assert pool.child_pids == ours


@pytest.mark.parametrize("from_thread", [False, True])
def test_no_child_survives_a_killed_parent_even_at_work(from_thread):
    script = textwrap.dedent(f"""
        import sys, threading, time
        from ledger.imaging.sandbox import PixelPool
        pool = PixelPool(prefixes=("tests.",), cpu_s=100)
        def start():
            pool.run({HERE!r} + "echo_task")
            pool.submit({HERE!r} + "spin_task")
            print(pool.child_pids[0], flush=True)
            time.sleep(100)
        if {from_thread}:
            threading.Thread(target=start).start()
        else:
            start()
        time.sleep(100)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_alive(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until_gone(child)


def test_close_ends_the_children():
    pool = small_pool()
    assert_still_works(pool)
    pid = pool.child_pids[0]
    pool.close()
    assert not is_alive(pid)


def test_hostile_pictures_come_back_as_codes_and_good_ones_still_work(pool):
    good = images.jpeg_bytes(images.product_photo(1))
    jobs = [
        images.huge_png(60_000, 60_000),
        images.huge_png(30_000, 30_000, complete=True),
        images.huge_webp(),
        images.huge_jpeg(),
        images.wrong_crc_png(),
        good[: len(good) // 2],
        good,
    ]
    answers = list(pool.map(ANALYSE, (([data], {}) for data in jobs)))
    assert [type(answer) for answer in answers] == [TooManyPixels] * 4 + [CorruptPixels] * 2 + [TaskResult]
    last = answers[-1]
    assert isinstance(last, TaskResult)
    assert parse_analysis(last.values, last.blobs).width == 800


def test_the_parent_needs_no_image_library():
    code = (
        "import sys, ledger.imaging.sandbox, ledger.imaging.scan, ledger.imaging.results, json;"
        "print(json.dumps([name for name in ('PIL', 'numpy', 'scipy', 'cv2', 'django') if name in sys.modules]))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)
    assert json.loads(found.stdout) == []


def test_every_error_of_the_child_is_a_decode_error():
    assert issubclass(DecodeCrashed, DecodeError)
    assert issubclass(OperationRefused, DecodeError)
