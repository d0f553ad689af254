"""All that the kit does on a GPU, on one: nothing of it needs a network.

    python -m pytest tests/gpu -m gpu            (make test-gpu)
    ... -k "not full"                            without the model of 15B weights

What is measured goes to `gpu.json`, in the folder that PHI_KIT_GPU_OUT names.
"""
