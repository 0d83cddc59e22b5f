"""What every test needs before anything heavy is imported, and the real files where they are."""

from __future__ import annotations

import atexit
import copy
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["MPLBACKEND"] = "Agg"
# Compiling all modules anew takes every test process seconds.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _linked_keras_home() -> Path:
    """A writable folder with links to the real files: Keras writes a `keras.json` beside them."""
    given = os.environ.get("KERAS_HOME")
    beside_the_project = Path(__file__).parents[2] / "shared" / "keras"
    files = Path(given) if given else beside_the_project
    home = Path(tempfile.mkdtemp(prefix="dlrun-keras-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    for name in ("datasets", "models"):
        if (files / name).is_dir():
            (home / name).symlink_to((files / name).resolve(), target_is_directory=True)
    return home


KERAS_HOME = _linked_keras_home()
# Keras looks at it once, when it is imported; without real files no test may find any.
os.environ["KERAS_HOME"] = str(KERAS_HOME)

import pytest  # noqa: E402 - a plugin of it may import Keras, which looks at the lines above
from hypothesis import settings  # noqa: E402 - as pytest
from pages import Section  # noqa: E402 - as pytest

from dlrun.data.sources.sklearn import Sklearn  # noqa: E402 - as pytest
from dlrun.reports.curve_charts import draw_run_curves  # noqa: E402 - as pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # So a shell starts what runs in its background; tests press Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("dlrun", deadline=None, max_examples=40)
settings.load_profile("dlrun")


TRAINS_WITHOUT_CURVES = {"configs", "models", "protocols", "realdata", "training", "workflows"}
"""Folders of tests; those of commands and reports look at the curves."""

UPDATED = pytest.StashKey[dict[Path, int]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-pages",
        action="store_true",
        help="rewrite the expected texts in tests/**/*.md with what is said now (in one process)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    config.stash[UPDATED] = {}
    if config.option.update_pages:
        # Two processes would overwrite each other's changes to a page.
        config.option.numprocesses = 0


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for page, count in config.stash[UPDATED].items():
        terminalreporter.write_line(f"{count} expected texts rewritten in {page}")


@pytest.fixture
def assert_shown(pytestconfig: pytest.Config) -> Callable[[Section, str], None]:
    """Compares what is said with the text that a page shows, or rewrites that text."""

    def compare(section: Section, said: str) -> None:
        said = said.rstrip("\n")
        if said != section.shown and pytestconfig.option.update_pages:
            section.update(said)
            updated = pytestconfig.stash[UPDATED]
            updated[section.page] = updated.get(section.page, 0) + 1
        else:
            assert said == section.shown

    return compare


def pytest_collection_finish() -> None:
    # What is imported stays; it need not be searched for garbage after every module.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def _compiled_functions_end_with_their_module() -> Iterator[None]:
    """Without this a process grows by gigabytes: Keras and JAX keep what they compiled."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _bundled_data_sets_are_read_once() -> Iterator[None]:
    """Hundreds of tests use digits, whose 64 columns scikit-learn parses from text."""
    read, known = Sklearn.load, dict[Any, Any]()

    def load(source: Sklearn, part: Any, base: Path, extra: Sequence[str] = ()) -> Any:
        key = (source.name, source.images, tuple(extra))
        if key not in known:
            known[key] = read(source, part, base, extra)
        return copy.deepcopy(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sklearn, "load", load)
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_waits_for_the_disk() -> Iterator[None]:
    """Thousands of files would: what a test writes need not outlive a power failure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


@contextmanager
def _without_curves() -> Iterator[None]:
    from dlrun.reports import stored_curves

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stored_curves, "draw_run_curves", lambda folder, facts: None)
        yield


@pytest.fixture(scope="session")
def without_curves() -> Callable[[], AbstractContextManager[None]]:
    """Trains without `curves.png` and `curves.svg`: half the work of a small training."""
    return _without_curves


@pytest.fixture(scope="module", autouse=True)
def _only_some_folders_draw_curves(request: pytest.FixtureRequest) -> Iterator[None]:
    draws = request.path.parent.name not in TRAINS_WITHOUT_CURVES
    with nullcontext() if draws else _without_curves():
        yield


@pytest.fixture
def curves_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of a folder in TRAINS_WITHOUT_CURVES that looks at the curves of a run."""
    monkeypatch.setattr("dlrun.reports.stored_curves.draw_run_curves", draw_run_curves)


@pytest.fixture(scope="session")
def keras_home() -> Path:
    """Folder with the real files of `keras.datasets`; KERAS_HOME already points to it."""
    if not (KERAS_HOME / "datasets").is_dir():
        pytest.skip("no real files: set KERAS_HOME to a folder that holds them in datasets/")
    return KERAS_HOME
