"""A user's own builder as an architecture: ``package.module:function``."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runtime.errors import EdgeError, InputError
from toolkit.architectures.base import Architecture, BuildOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import keras


class Custom(Architecture):
    """A function of the user's that returns a Keras model.

    It is called as ``function(input_shape, classes)`` if its second argument has no default
    or a name with "classes" in it, otherwise as ``function(options)`` with
    :class:`BuildOptions`.

    Example::

        model = Custom("my_networks:small").build(BuildOptions((28, 28, 1), classes=10))
    """

    def __init__(self, name: str) -> None:
        """Take ``package.module:function``; nothing is imported before :meth:`build`."""
        self._name = name
        self._module, _, self._function = name.partition(":")

    def require(self, padding: str) -> None:
        """Check that the module exists, without importing it, which may take seconds.

        Raises:
            InputError: there is none.
        """
        del padding
        top = self._module.partition(".")[0]
        with _current_folder():
            if not top or importlib.util.find_spec(top) is None:
                raise self._no_module(f"no module named '{top}'")

    def build(self, options: BuildOptions) -> keras.Model:
        """Call the function, with seeded weights, and check what it returns.

        Raises:
            InputError: it cannot be imported, fails, or returns a model that cannot be trained
                and exported: other inputs and outputs, no softmax, layers that are not Keras's.
        """
        import keras

        keras.utils.set_random_seed(options.seed)
        model = self._build(options)
        _check(model, self._name, options)
        return model

    def _build(self, options: BuildOptions) -> keras.Model:
        with _current_folder():
            function = self._import()
            shape, classes = options.input_shape, options.classes
            arguments = (shape, classes) if _wants_two(function) else (options,)
            if not _takes(function, *arguments):
                raise InputError(
                    f"{self._name} must take (input_shape, classes) or one BuildOptions, not "
                    f"{inspect.signature(function)}"
                )
            try:
                return function(*arguments)
            except EdgeError:
                raise
            except Exception as error:
                raise InputError(f"{self._name} failed: {_line(error)}") from error

    def _import(self) -> Callable[..., Any]:
        try:
            module = importlib.import_module(self._module)
        except Exception as error:
            raise self._no_module(_line(error)) from error
        function = getattr(module, self._function, None)
        if not callable(function):
            raise InputError(f"{self._module} has no function '{self._function}'")
        return function  # type: ignore[no-any-return]

    def _no_module(self, reason: str) -> InputError:
        return InputError(
            f"--architecture {self._name}: {self._module} cannot be imported "
            f"({reason}); the current folder and the installed packages were searched"
        )


@contextmanager
def _current_folder() -> Iterator[None]:
    """Let modules of the current folder be imported, as ``python -m`` does."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _wants_two(function: Callable[..., Any]) -> bool:
    second = list(inspect.signature(function).parameters.values())[1:2]
    return any(one.default is one.empty or "classes" in one.name for one in second)


def _takes(function: Callable[..., Any], *arguments: object) -> bool:
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError:
        return False
    return True


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _check(model: Any, name: str, options: BuildOptions) -> None:
    import keras

    if not isinstance(model, keras.Model) or not model.built:
        raise InputError(f"{name} returned {type(model).__name__}, not a built keras.Model")
    inputs = [tuple(tensor.shape) for tensor in model.inputs or ()]
    outputs = [tuple(tensor.shape) for tensor in model.outputs or ()]
    image, scores = (None, *options.input_shape), (None, options.classes)
    if inputs != [image] or outputs != [scores]:
        raise InputError(
            f"{name} built a model with input {inputs} and output {outputs}; this dataset needs "
            f"one input {image} and one output {scores}"
        )
    for layer in _layers(model):
        if type(layer).__module__.partition(".")[0] != "keras" or type(layer).__name__ == "Lambda":
            raise InputError(
                f"{name}: layer {layer.name} is a {type(layer).__name__}; only models of Keras's "
                "own layers, without Lambda, can be exported"
            )
    if not gives_probabilities(model):
        raise InputError(f"{name}: the last layer must have softmax, its rows must add up to 1")


def _layers(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        yield layer
        if hasattr(layer, "layers"):
            yield from _layers(layer)


def gives_probabilities(model: keras.Model) -> bool:
    """Return whether each row of the output adds up to 1, tried on random pixels.

    Args:
        model: one image input of a fixed size.

    Example::

        if not gives_probabilities(model):
            model = keras.Sequential([model, keras.layers.Softmax()])
    """
    shape = (4, *model.inputs[0].shape[1:])
    rows = np.asarray(model(np.random.default_rng(0).random(shape, np.float32)), np.float32)
    return bool(rows.min() >= 0 and np.allclose(rows.sum(axis=1), 1.0, atol=1e-3))
