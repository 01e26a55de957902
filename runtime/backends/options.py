"""How an engine is to run: device, threads, precision, providers."""

from __future__ import annotations

from dataclasses import dataclass

from runtime.errors import InputError, UnknownNameError

AUTO = "auto"  # the best engine, or device, of those that are there
DEVICES = ("cpu", "gpu", AUTO)
MOST_THREADS = 256  # an engine starts as many as it is told to, until the machine stands still
PRECISIONS = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """How an engine is to run.

    Attributes:
        device: ``cpu``, ``gpu``, or ``auto``: the GPU if it is proven to run the file,
            else the CPU.
        threads: of one inference on the CPU.
        precision: in which a GPU computes: ``float32`` is enforced where the engine would
            take less; ``float16`` allows it.
        providers: onnxruntime's GPU providers to try, in order, for example ``("cuda",)``;
            empty means all that are there, in the order of :data:`PROVIDERS`.
    """

    device: str = "cpu"
    threads: int = 1
    precision: str = "float32"
    providers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            UnknownNameError: no such device, precision or provider.
            InputError: no thread or far too many, or GPU settings for the CPU.
        """
        object.__setattr__(self, "providers", tuple(self.providers))  # JSON knows only lists
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
