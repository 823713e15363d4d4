"""What counts as memory that ran out, in the very words of those who say it."""

import errno

import numpy as np
import pytest
import torch

from stagelift.harness.workers.launch import LaunchFailed, MemoryRanOut
from stagelift.harness.workers.out_of_memory import memory_ran_out

# as torch's sources, its libraries and others write it
CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.75 GiB of "
    "which 1.06 GiB is free. Including non-PyTorch memory, this process has 13.00 GiB memory in "
    "use. Of the allocated memory 12.00 GiB is allocated by PyTorch."
)
RUNTIME = [
    CUDA,
    "HIP out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 16.00 GiB.",
    "XPU out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 15.00 GiB.",
    "NPU out of memory. Tried to allocate 2.00 GiB (NPU 0; 32.00 GiB total capacity)",
    "MPS backend out of memory (MPS allocated: 17.95 GB, other allocations: 128.00 KB, max "
    "allowed: 18.13 GB). Tried to allocate 256.00 MB on private pool. Use "
    "PYTORCH_MPS_HIGH_WATERMARK_RATIO=0.0 to disable upper limit for memory allocations (may cause "
    "system failure).",
    "FATAL ERROR :: MODULE:PT_DEVMEM Allocation failed for size::4194304 (4)MB",
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you "
    "tried to allocate 6930432 bytes. Error code 12 (Cannot allocate memory)",
    "[enforce fail at alloc_cpu.cpp:115] data. DefaultCPUAllocator: not enough memory: you tried "
    "to allocate 6930432 bytes.",
    "CUDA error: out of memory",
    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    "NCCL error in: ProcessGroupNCCL.cpp:1, unhandled cuda error. Cuda failure 2 'out of memory'",
    "unable to mmap 988097824 bytes from file <model.safetensors>: Cannot allocate memory (12)",
    "std::bad_alloc",
    "could not create a primitive",
    "UR error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY): out of device memory",
]


@pytest.mark.parametrize("text", RUNTIME)
def test_memory_that_ran_out_is_known_by_its_words(text: str) -> None:
    assert memory_ran_out(RuntimeError(text))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("Allocation on device"),
        torch.cuda.OutOfMemoryError(CUDA),
        torch.AcceleratorError("CUDA error: out of memory"),
        MemoryError(),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        MemoryRanOut("memory ran out in one of two processes."),
    ],
)
def test_memory_that_ran_out_is_known_by_its_class(error: Exception) -> None:
    assert memory_ran_out(error)


def test_numpy_and_torch_are_really_refused_memory() -> None:
    with pytest.raises(MemoryError) as of_numpy:
        np.empty(1 << 60, dtype=np.uint8)
    with pytest.raises(RuntimeError) as of_torch:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert memory_ran_out(of_numpy.value) and memory_ran_out(of_torch.value)


def test_memory_that_ran_out_is_known_below_what_it_was_wrapped_in() -> None:
    def wrapped() -> None:
        try:
            raise torch.OutOfMemoryError(CUDA)
        except torch.OutOfMemoryError as error:
            raise KeyError("backend") from error

    with pytest.raises(KeyError) as raised:
        wrapped()
    assert memory_ran_out(raised.value)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("could not create a primitive descriptor for a matmul primitive"),
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Failed to allocate 5 blocks: No space left on device"),
        ValueError("a story of an old man who is out of memory"),
        LaunchFailed("the launcher ended with exit code 1"),
        KeyError("memory"),
    ],
)
def test_other_failures_are_not_of_memory(error: Exception) -> None:
    assert not memory_ran_out(error)
