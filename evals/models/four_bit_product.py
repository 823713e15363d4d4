"""One product in 4 bits, to see whether this machine makes it: `python four_bit_product.py cuda`.

It imports nothing of ours, so that it can be a process of its own: one that asks for a GPU keeps a
part of its memory.
"""

import sys


def multiply(device: str) -> None:
    """Quantise a layer on a device and multiply with it. Raises what bitsandbytes raises."""
    import torch
    from bitsandbytes.nn import Linear4bit

    with torch.no_grad():
        layer = Linear4bit(64, 64, bias=False, quant_type="nf4", compute_dtype=torch.float32)
        layer = layer.to(device).train()
        product = layer(torch.ones(2, 64, device=device))
    if not (product.isfinite().all() and product.any()):
        raise ValueError("a product in 4 bits came out wrong")


if __name__ == "__main__":
    multiply(sys.argv[1])
