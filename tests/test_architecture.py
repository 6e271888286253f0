"""The import rule of the layout, and what import contracts cannot see.

The contracts stand in pyproject.toml ([tool.importlinter]). Here are the rest: Django's web layer in services, pure
packages in a process without Django, imports that hide inside functions, names that travel as strings, and views that
read a seller's table without asking whose it is.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.apps import apps
from django.utils.module_loading import import_string

from ledger.accounts.models import Seller
from ledger.services.job_registry import JOB_KINDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("config", "compliance", "ledger")
PURE = (
    "ledger.tlog",
    "ledger.imaging",
    "ledger.admission",
    "ledger.pdf",
    "ledger.anchors",
    "compliance.calendars",
    "compliance.cases",
    "compliance.catalogues",
    "compliance.checks",
    "compliance.packets",
    "compliance.packs",
    "compliance.sample",
    "compliance.search",
    "compliance.standing",
)
FRAMEWORKS = ("django", "allauth", "django_q", "csp", "django_htmx", "config")
# Where an import may stand inside a function: Django wants it in ready(), and the first lines of manage.py and
# config/bootstrap.py run on a Python that has nothing installed yet. Engine clients of indexes/ are optional.
LATE_IMPORTS = re.compile(r"^(\w+/)*apps\.py$|^manage\.py$|^config/bootstrap\.py$|^compliance/indexes/")
READING = {"all", "filter", "exclude", "get", "first", "last", "latest", "count", "exists", "values", "values_list"}
SCOPING = {"visible_to", "of"}
# Rows of sellers that a view reads for everybody, on purpose.
OPEN_READS = {
    ("ledger/views/verify.py", "Statement"),  # whoever holds a certificate's proof number may ask for it
    ("ledger/views/explorer.py", "Statement"),  # only entries about the log itself, which are nobody's
}


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the project by its path; migrations are history and stay as they are."""
    files = [ROOT / "manage.py", *(file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py")))]
    names = {str(file.relative_to(ROOT)): file for file in files if "migrations" not in file.parts}
    return {name: ast.parse(file.read_text(encoding="utf-8"), name) for name, file in names.items()}


def imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every module or name that the tree imports, dotted, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def is_in(name: str, *modules: str) -> bool:
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def test_import_contracts_hold():
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_root_packages_stay_empty():
    for package in ("ledger", "compliance", *(name.replace(".", "/") for name in PURE)):
        tree = sources()[f"{package}/__init__.py"]
        assert not list(imported(tree)), f"{package}/__init__.py imports something"
    assert not sources()["ledger/__init__.py"].body


@pytest.mark.parametrize("package", PURE)
def test_pure_package_needs_no_django(package):
    program = f"""
import importlib, pkgutil, sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {FRAMEWORKS!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Block())
package = importlib.import_module({package!r})
for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_services_and_models_never_see_a_request():
    layers = re.compile(r"(^|/)(services/.*|models/.*|services|models|access_rules|permissions)\.py$")
    found = [
        f"{path}:{line} {name}"
        for path, tree in sources().items()
        if layers.search(path)
        for name, line in imported(tree)
        if is_in(name, "django.http", "django.shortcuts", "django.template", "django.contrib.messages", "django.views")
    ]
    assert not found


def test_no_import_hides_inside_a_function():
    found = [
        f"{path}:{inner.lineno}"
        for path, tree in sources().items()
        if not LATE_IMPORTS.match(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]
    assert not found, "an import inside a function means that the arrow points the wrong way"


def test_no_import_exists_only_for_type_hints():
    found = [
        f"{path}:{line}" for path, tree in sources().items() for name, line in imported(tree) if "TYPE_CHECKING" in name
    ]
    assert not found


def test_every_module_says_what_it_holds():
    found = [
        path
        for path, tree in sources().items()
        if tree.body and not (ast.get_docstring(tree) or "").strip() and not path.endswith("__init__.py")
    ]
    assert not found


# Names that travel as strings ------------------------------------------------------------------------------------


def strings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value, node.lineno


def exists(dotted: str) -> bool:
    """Whether a dotted string names a module, or something in one."""
    try:
        if find_spec(dotted) is not None:
            return True
    except ModuleNotFoundError:
        pass
    try:
        import_string(dotted)
    except ImportError:
        return False
    return True


def test_dotted_strings_name_something():
    shape = re.compile(rf"^({'|'.join(PACKAGES)})(\.[A-Za-z_]\w*)+$")
    check_id = re.compile(r"^ledger\.[EW]\d{3}$")
    found = [
        f"{path}:{line} {text}"
        for path, tree in sources().items()
        for text, line in strings(tree)
        if shape.match(text) and not check_id.match(text) and not text.endswith((".toml", ".po", ".py"))
        if not exists(text)
    ]
    assert not found


def job_kinds_in_services() -> Iterator[tuple[str, str]]:
    """(place, kind) for every call of enqueue_job; a kind is a literal or a constant of its module."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "enqueue_job"):
                continue
            kind = next((keyword.value for keyword in node.keywords if keyword.arg == "kind"), None)
            place = f"{path}:{node.lineno}"
            if isinstance(kind, ast.Constant):
                yield place, str(kind.value)
            elif isinstance(kind, ast.Name):
                module = import_module(path.removesuffix(".py").replace("/", "."))
                yield place, getattr(module, kind.id, f"{kind.id}, which is no constant of the module")
            else:
                yield place, "neither a literal nor a constant"


def test_every_job_that_is_enqueued_has_a_function():
    kinds = list(job_kinds_in_services())
    assert kinds
    assert not [(place, kind) for place, kind in kinds if kind not in JOB_KINDS]


# Whose rows a view reads ------------------------------------------------------------------------------------------


def seller_models() -> set[str]:
    """Names of the models whose rows belong to one seller."""
    return {
        model.__name__
        for model in apps.get_models()
        if any(field.name == "seller" and field.related_model is Seller for field in model._meta.fields)
    }


def parents(tree: ast.AST) -> dict[ast.AST, ast.AST]:
    return {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}


def query_chain(node: ast.AST, above: dict[ast.AST, ast.AST]) -> tuple[set[str], ast.AST]:
    """The names of the methods called one after another on a manager, and the whole expression."""
    names: set[str] = set()
    while isinstance(outer := above[node], ast.Attribute) or (isinstance(outer, ast.Call) and outer.func is node):
        node = outer
        if isinstance(node, ast.Attribute):
            names.add(node.attr)
    return names, node


def test_views_ask_whose_rows_they_read():
    models, found = seller_models(), []
    for path, tree in sources().items():
        if not re.search(r"(^|/)views(/|\.py$)", path):
            continue
        above = parents(tree)
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Attribute) and node.attr == "objects" and isinstance(node.value, ast.Name)):
                continue
            model = node.value.id
            names, whole = query_chain(node, above)
            # A correlated subquery reads what the outer query already found.
            if model not in models or (path, model) in OPEN_READS or "OuterRef" in ast.unparse(whole):
                continue
            if names & READING and not names & SCOPING:
                found.append(f"{path}:{node.lineno} {model}.objects reads without visible_to() or of()")
    assert not found


def test_views_write_nothing():
    writes = {"save", "delete", "create", "update", "bulk_create", "get_or_create", "update_or_create"}
    found = [
        f"{path}:{node.lineno} .{node.func.attr}()"
        for path, tree in sources().items()
        if re.search(r"(^|/)views(/|\.py$)", path)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in writes
        if "objects" in ast.unparse(node.func) or node.func.attr == "save"
    ]
    assert not found
