"""Options of an engine: device, threads, precision, providers."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import InputError, UnknownNameError

AUTO = "auto"  # the best engine, or device, of those available
DEVICES = ("cpu", "gpu", AUTO)
MOST_THREADS = 256  # an engine starts as many as requested, until the machine stops responding
PRECISIONS = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """Options of an engine.

    Attributes:
        device: ``cpu``, ``gpu``, or ``auto``: the GPU if it is proven to run the file,
            else the CPU.
        threads: threads of one inference on the CPU.
        precision: precision of a GPU: ``float32`` is enforced where the engine would use
            less by default; ``float16`` allows it.
        providers: onnxruntime's GPU providers to try, in order, for example ``("cuda",)``;
            empty means all available ones, in the order of :data:`PROVIDERS`.

    Example:
        >>> BackendOptions(threads=4)
        BackendOptions(device='cpu', threads=4, precision='float32', providers=())
        >>> BackendOptions("gpu", precision="float16", providers=("tensorrt",)).device
        'gpu'
    """

    device: str = "cpu"
    threads: int = 1
    precision: str = "float32"
    providers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such device, precision or provider.
            InputError: no thread or far too many, or GPU options for the CPU.
        """
        object.__setattr__(self, "providers", tuple(self.providers))  # JSON has only lists
        if self.device not in DEVICES:
            raise UnknownNameError("device", self.device, DEVICES)
        if self.precision not in PRECISIONS:
            raise UnknownNameError("precision", self.precision, PRECISIONS)
        if self.providers:
            self._check_providers()
        if self.threads < 1:
            raise InputError(f"threads must be at least 1, not {self.threads}")
        if self.threads > MOST_THREADS:
            raise InputError(f"threads must be at most {MOST_THREADS}, not {self.threads}")
        if self.device == "cpu" and (self.precision != "float32" or self.providers):
            raise InputError(
                "--precision and --provider are for --device gpu or auto; "
                "on the CPU the file itself decides"
            )

    def _check_providers(self) -> None:
        from runtime.backends.providers import BY_NAME

        for name in self.providers:
            if name not in BY_NAME:
                raise UnknownNameError("provider", name, BY_NAME)
