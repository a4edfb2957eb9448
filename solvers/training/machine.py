"""What a training should know, and say, of the machine it runs on."""

from __future__ import annotations

import platform

import torch


def describe(device: torch.device, count: int) -> str:
    """The class of a machine in words, without its name."""
    if device.type == "cuda":
        return f"{count} × {torch.cuda.get_device_name(device)}"
    instructions = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} CPU with {instructions}, {torch.get_num_threads()} threads"
