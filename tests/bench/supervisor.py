"""How the service survives kill -9: fifty kills at random during a bulk registration, and how fast it starts.

    python -m tests.bench.supervisor [--kills 50] [--photos 300] [--seed 1] [--database-url postgresql://...]

Prints one line per kill (seconds until pages came, seconds until a new job of each queue was done) and what became of
everything that was acknowledged. Exit status 1 when a limit was missed or anything was lost.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.journeys.killing import AWAY_MAX_S, RESTART_MAX_S, Service, Story, run_story


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database-url", default="")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="originmark-start-") as folder:
        measure_starts(Path(folder))
    with tempfile.TemporaryDirectory(prefix="originmark-kill-") as folder:
        story = run_story(
            Path(folder),
            kills=options.kills,
            photos=options.photos,
            seed=options.seed,
            database_url=options.database_url,
        )
    for kill in story.kills:
        print(f"{kill.role:12s} pages after {kill.web_s:6.2f} s, jobs after {kill.jobs_s:6.2f} s")
    print(f"acknowledged {len(story.acknowledged)}; {story.audit}")
    print(
        f"stopped in {story.stop_s:.2f} s, status {story.exit_code}; left over {story.left_over}, zombies {story.zombies}"
    )
    problems = list_problems(story)
    print("\n".join(problems) or "nothing lost, nothing doubled, every limit kept")
    return 1 if problems else 0


def measure_starts(folder: Path) -> None:
    service = Service(folder)
    print(f"first start: pages after {service.start():.2f} s")
    service.stop()
    print(f"later start: pages after {service.start():.2f} s")
    service.stop()


def list_problems(story: Story) -> list[str]:
    """Every promise that was not kept, as a sentence."""
    audit = story.audit
    broken = {
        "acknowledged registrations are lost": audit["lost"],
        "registrations are doubled": audit["doubled"],
        "jobs gave up": dict(audit["jobs"]).get("dead", 0),  # type: ignore[call-overload]
        "processes were left over": story.left_over,
        "processes survived the supervisor": sum(kill.orphans for kill in story.kills),
        "zombies were left": story.zombies,
    }
    problems = [f"{number} {what}" for what, number in broken.items() if number]
    for kill in story.kills:
        restarted = kill.role == "supervisor"
        if kill.web_s > (RESTART_MAX_S if restarted else AWAY_MAX_S) or kill.jobs_s > AWAY_MAX_S:
            problems.append(f"away too long after a kill of {kill.role}: {kill.web_s} s, jobs {kill.jobs_s} s")
    if story.exit_code != 0:
        problems.append(f"stopped with status {story.exit_code}")
    return problems


if __name__ == "__main__":
    raise SystemExit(main())
