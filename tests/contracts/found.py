"""What the package holds, found by what it can do, so that no list of implementations can forget one."""

import importlib
import inspect
import pkgutil
from functools import cache

import unveil


@cache
def public():
    """Every public class and function of the package, where it is defined."""
    names = [module.name for module in pkgutil.walk_packages(unveil.__path__, "unveil.")]
    modules = [importlib.import_module(name) for name in names if not name.endswith("__main__")]
    return tuple(
        thing
        for module in modules
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
    )


@cache
def parents():
    """Classes that others of the package are made from; by the house's rule they are abstract."""
    return {base for thing in public() if inspect.isclass(thing) for base in thing.__mro__[1:]}


def promised(protocol):
    """The methods that a protocol asks for."""
    called = {"__call__", "__len__"}
    return [name for name, value in vars(protocol).items() if callable(value) and (name[0] != "_" or name in called)]


def classes_with(protocol):
    """The classes that have all the methods of a protocol."""
    return {
        thing
        for thing in public()
        if inspect.isclass(thing)
        and not getattr(thing, "_is_protocol", False)
        and thing not in parents()
        and all(callable(getattr(thing, method, None)) for method in promised(protocol))
    }


def functions(room, *, first=None, takes=(), lacks=(), gives=None):
    """The functions of a room whose first argument is annotated so, that take some arguments, and give that."""
    found = set()
    for thing in public():
        if not inspect.isfunction(thing) or not thing.__module__.startswith(f"unveil.{room}."):
            continue
        signature = inspect.signature(thing)
        arguments = list(signature.parameters.values())
        names = {argument.name for argument in arguments}
        starts = first is None or (bool(arguments) and first in _parts(arguments[0].annotation))
        ends = gives is None or gives in _parts(signature.return_annotation)
        if starts and ends and names.issuperset(takes) and not names & set(lacks):
            found.add(thing)
    return found


def _parts(annotation):
    """An annotation, and if it is a union what it is a union of."""
    return (annotation, *getattr(annotation, "__args__", ()))
