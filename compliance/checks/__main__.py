"""`python -m compliance.checks describe` prints docs/spec/rules.md."""

import sys

from compliance.checks.describe import format_rules
from compliance.checks.profile import load_profile
from compliance.checks.rules import LISTING_RULES, RULES

USAGE = "usage: python -m compliance.checks describe [PROFILE]"
DEFAULT_PROFILE = "aliexpress-seed-2024"


def main(arguments: list[str]) -> int:
    """0 after printing the rules, 2 for anything else."""
    if not arguments or arguments[0] != "describe" or len(arguments) > 2:
        print(USAGE, file=sys.stderr)
        return 2
    profile = load_profile(arguments[1] if len(arguments) == 2 else DEFAULT_PROFILE)
    print(format_rules(RULES, LISTING_RULES.values(), profile), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
