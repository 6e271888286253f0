"""How the service survives kill -9: fifty kills at random during a bulk registration by web and by command.

    python -m tests.bench.kill [--kills 50] [--seed 1] [--photos FOLDER] [--database-url postgresql://...]

Photos come from ../shared/data/copies when it is there, otherwise they are drawn. Prints one line per kill (seconds until
pages came, seconds until a job of each queue had ended), medians by role, and what became of everything that was
acknowledged. Exit status 1 when a limit was missed or anything was lost.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.images import jpeg_segment, with_jpeg_segments
from tests.journeys.killing import AWAY_MAX_S, RESTART_MAX_S, ROLES, ROOT, Kill, Story, draw, run_story

REAL_PHOTOS = ROOT.parent / "shared" / "data" / "copies"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--photos", type=Path, default=REAL_PHOTOS)
    parser.add_argument("--database-url", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="originmark-kill-") as folder:
        story = run_story(
            Path(folder),
            kills=options.kills,
            draw=photographs(options.photos),
            seed=options.seed,
            database_url=options.database_url,
        )
    for kill in story.kills:
        print(f"{kill.role:12s} pages after {kill.web_s:6.2f} s, jobs after {kill.jobs_s:6.2f} s")
    for role in ROLES:
        print(summary(role, [kill for kill in story.kills if kill.role == role]))
    print(f"{len(story.kills)} kills in {story.seconds:.0f} s; acknowledged {len(story.acknowledged)}; {story.audit}")
    print(f"stopped in {story.stop_s:.2f} s, status {story.exit_code}")
    problems = list_problems(story)
    print("\n".join(problems) or "nothing lost, nothing doubled, every limit kept")
    return 1 if problems else 0


def photographs(folder: Path) -> Callable[[int], bytes]:
    """Files of the folder, each with its number in a comment, so that no two are the same bytes."""
    paths = sorted(folder.rglob("*.jpg")) if folder.is_dir() else []
    if not paths:
        return draw

    def photograph(number: int) -> bytes:
        content = paths[number % len(paths)].read_bytes()
        return with_jpeg_segments(content, [jpeg_segment(0xFE, str(number).encode())])

    return photograph


def summary(role: str, kills: list[Kill]) -> str:
    if not kills:
        return f"{role:12s} not killed"
    web, jobs = [kill.web_s for kill in kills], [kill.jobs_s for kill in kills]
    return (
        f"{role:12s} {len(kills):2d} kills: pages {statistics.median(web):5.2f} s (worst {max(web):5.2f}), "
        f"jobs {statistics.median(jobs):5.2f} s (worst {max(jobs):5.2f})"
    )


def list_problems(story: Story) -> list[str]:
    """Every promise that was not kept, as a sentence."""
    audit = story.audit
    broken = {
        "acknowledged registrations are lost": audit["lost"],
        "registrations are doubled": audit["doubled"],
        "sealed files cannot be read": audit["unreadable"],
        "pictures were not analysed": int(str(audit["originals"])) - dict(audit["pictures"]).get("ready", 0),  # type: ignore[call-overload]
        "jobs gave up": dict(audit["jobs"]).get("dead", 0),  # type: ignore[call-overload]
        "processes were left over": story.left_over,
        "processes survived the supervisor": sum(kill.orphans for kill in story.kills),
        "zombies were left": story.zombies,
    }
    problems = [f"{number} {what}" for what, number in broken.items() if number]
    problems += [
        f"away too long after a kill of {kill.role}: pages {kill.web_s} s, jobs {kill.jobs_s} s"
        for kill in story.kills
        if max(kill.web_s, kill.jobs_s) > (RESTART_MAX_S if kill.role == "supervisor" else AWAY_MAX_S)
    ]
    if story.exit_code != 0:
        problems.append(f"stopped with status {story.exit_code}")
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
