"""Registries of plug-ins, and the versions of installed distributions.

Backends, export formats, architectures and datasets are discovered by the modules of a
package, so that a new one is a new file and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Protocol, TypeVar

from runtime.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import ModuleType


class Named(Protocol):
    """A class that can be registered.

    Attributes:
        name: unique name in the registry.
    """

    name: str


T = TypeVar("T")


def discover(package: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """Import every module of a package and collect the concrete classes in it.

    Args:
        package: the package to search; modules whose name starts with ``_`` contain
            shared functions and are skipped, as sub-packages are.
        base: the abstract class that a plug-in derives from.

    Returns:
        The classes by their ``name``, in the order of ``(rank, name)``; a class
        without a ``rank`` has rank 0.

    Raises:
        TypeError: two classes have the same name.

    Example:
        >>> from runtime.preprocessing import fits
        >>> list(discover(fits, fits.Fit))
        ['stretch', 'pad', 'center-of-mass']
    """
    found: list[type[T]] = []
    for info in pkgutil.iter_modules(package.__path__):
        if info.ispkg or info.name.startswith("_"):
            continue
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        found += [c for c in vars(module).values() if _is_plugin(c, base, module)]
    found.sort(key=lambda c: (getattr(c, "rank", 0), _name(c)))
    by_name = {_name(c): c for c in found}
    if len(by_name) != len(found):
        raise TypeError(f"two classes of {package.__name__} have the same name")
    return by_name


def pick(registry: dict[str, type[T]], kind: str, name: str) -> type[T]:
    """Return the class called ``name``.

    Args:
        registry: the classes by name.
        kind: what the name refers to, for the message, for example ``"backend"``.
        name: name of the class.

    Raises:
        UnknownNameError: there is none; the message lists the known names.

    Example:
        >>> from runtime.preprocessing.fits import fits
        >>> pick(fits(), "fit", "pad").__name__
        'Pad'
    """
    try:
        return registry[name]
    except KeyError:
        raise UnknownNameError(kind, name, registry) from None


def _is_plugin(candidate: object, base: type, module: ModuleType) -> bool:
    return (
        inspect.isclass(candidate)
        and issubclass(candidate, base)
        and candidate.__module__ == module.__name__
        and not inspect.isabstract(candidate)
        and "name" in vars(candidate)
    )


def _name(cls: type) -> str:
    return str(getattr(cls, "name"))  # noqa: B009 - a Protocol attribute mypy cannot see on type[T]


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or None; it is not imported.

    Args:
        name: name of the distribution.

    Example:
        >>> installed_version("no-such-distribution") is None
        True
    """
    # imported late: it takes a tenth of the time in which a first image is classified
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of the installed ones of some distributions, by name.

    Args:
        names: names of the distributions.

    Example:
        >>> list(installed_versions(["numpy", "no-such-distribution"]))
        ['numpy']
    """
    return {name: found for name in names if (found := installed_version(name))}
