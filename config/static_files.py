"""How static files get their hashed names: whitenoise's storage, minus source maps.

Vendored style sheets end in a comment that names a source map. Maps are for debugging, weigh more than the files and are not
vendored; without this class collectstatic stops at the first such comment, and removing the comment would modify the file.
"""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class StaticFilesStorage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise comes without types
    patterns = tuple(
        (glob, tuple(rule for rule in rules if "sourceMappingURL" not in str(rule)))
        for glob, rules in CompressedManifestStaticFilesStorage.patterns
    )
