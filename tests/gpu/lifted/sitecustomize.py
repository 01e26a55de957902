"""Takes a software adapter for a GPU, in each Python process that has this folder on its path.

That is what the product refuses. Lifting it runs the same code with the real engines, their
real shaders and buffers, on a machine that has no GPU.
"""

from __future__ import annotations

from runtime.backends.gpu import adapters, plugin

adapters.Adapter.is_software = property(lambda self: False)


def _device(ort, provider):
    plugin.register(ort, provider.name, provider.plugin)
    offered = [d for d in ort.get_ep_devices() if d.ep_name == provider.ort]
    return offered[0], adapters.vulkan_adapters()[0].name


plugin.device = _device
