"""Kernels forked from a template: CUDA is in them, never in the template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from started_kernel import run

from phi_kit.study.notebook.kernel import kernel_environment
from phi_kit.study.notebook.warm_kernels import warm_kernels

from .device import needs_card

pytestmark = [pytest.mark.gpu, needs_card]

CELL = """
import json, os, sys
before = "bitsandbytes" in sys.modules
import torch, bitsandbytes
x = torch.ones(64, 64, device="cuda")
codes, state = bitsandbytes.functional.quantize_4bit(x, quant_type="nf4")
back = bitsandbytes.functional.dequantize_4bit(codes, state)
print(json.dumps({
    "template": os.getppid(), "before": before, "devices": torch.cuda.device_count(),
    "product": (x @ x).sum().item(), "back": back.sum().item(),
}))
"""


@pytest.mark.seconds(120)
def test_every_kernel_has_cuda_and_the_template_has_not():
    said = []
    with kernel_environment(), warm_kernels(said.append) as warm:
        found = [json.loads(*run(warm, CELL)) for _ in range(3)]
        template = Path(f"/proc/{found[0]['template']}")
        mapped = (template / "maps").read_text()
        files = [str(path.readlink()) for path in (template / "fd").iterdir()]
    assert said == []
    assert len({facts["template"] for facts in found}) == 1
    for facts in found:
        assert facts["devices"] >= 1
        assert facts["product"] == 64.0**3
        assert facts["back"] == 64.0**2
        assert not facts["before"]
    # Without this device there is no CUDA; NVML, which counts GPUs, opens the others.
    assert not [name for name in files if "nvidia-uvm" in name]
    assert "nvidia-uvm" not in mapped
