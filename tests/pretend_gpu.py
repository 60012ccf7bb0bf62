"""A GPU made of air, for machines without one: it computes on the CPU and refuses what a real one would refuse.

``with PretendGPU():`` a tensor moved or made on ``"cuda"`` stays where it is and is marked. From then on an operation
that mixes marked tensors with others raises, as does a conversion of a marked one to NumPy, or a draw "on the GPU" from
a generator of the CPU. The values are those of the CPU, so that a whole training can run. What it cannot show: speed,
memory, and operations that CUDA lacks.
"""

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

GPU = torch.device("cuda", 0)
INDEXING = (torch.Tensor.__getitem__, torch.Tensor.__setitem__)  # a tensor of the GPU takes indices of the CPU
NUMPY = (torch.Tensor.numpy, torch.Tensor.__array__)
SAME_PLACE = (torch.Tensor.data.__get__, torch.Tensor.grad.__get__)
FREE = ("_has_compatible_shallow_copy_type", "__set__")  # what modules ask when they are moved
SCALARS = (torch.Tensor.item, torch.Tensor.tolist, torch.Tensor.__bool__, torch.Tensor.__float__, torch.Tensor.__int__)


def on_gpu(tensor: torch.Tensor) -> bool:
    """Whether a tensor is marked as lying on the pretended GPU."""
    return getattr(tensor, "_on_gpu", False)


def _is_gpu(device) -> bool:
    return device is not None and not isinstance(device, (int, torch.dtype)) and torch.device(device).type == "cuda"


def _tensors(*parts) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(parts) if isinstance(leaf, torch.Tensor)]


def _mark(result, where: bool):
    for tensor in _tensors(result):
        tensor._on_gpu = where
    return result


class PretendGPU(TorchFunctionMode):
    """While it is entered, "cuda" is a device that exists."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func in (torch.Tensor.device.__get__, torch.Tensor.is_cuda.__get__):
            marked = on_gpu(args[0])
            return (GPU if marked else torch.device("cpu")) if func == torch.Tensor.device.__get__ else marked
        if func == torch.Tensor.data.__set__:
            func(*args)
            _mark(args[0], on_gpu(args[1]))
            return None
        if func in SAME_PLACE:
            result = func(*args)
            return result if result is None else _mark(result, on_gpu(args[0]))
        if func in (torch.Tensor.cpu, torch.Tensor.cuda):
            return _mark(args[0].clone(), func is torch.Tensor.cuda)
        if func is torch.Tensor.to:
            return self._move(args, kwargs)
        if func is torch.Tensor.copy_:  # goes from any device to any other
            return _mark(func(*args, **kwargs), on_gpu(args[0]))
        if name in FREE:
            return func(*args, **kwargs)
        inputs = _tensors(args, kwargs)
        marked = [tensor for tensor in inputs if on_gpu(tensor)]
        wanted = kwargs.get("device")
        if _is_gpu(wanted):
            kwargs["device"] = "cpu"
        there = _is_gpu(wanted) or (bool(marked) and wanted is None)
        generator = kwargs.get("generator")
        if there and generator is not None and generator.device.type == "cpu":
            raise RuntimeError(f"{name}: expected a 'cuda' generator")
        if marked and func in NUMPY:
            raise TypeError("can't convert cuda:0 device type tensor to numpy: use Tensor.cpu() first")
        if marked and func not in SCALARS:
            others = [tensor for tensor in inputs if not on_gpu(tensor) and tensor.dim() and tensor.numel()]
            if others and not (func in INDEXING and on_gpu(args[0])):
                raise RuntimeError(f"{name}: expected all tensors to be on the same device, found cuda:0 and cpu")
        result = func(*args, **kwargs)
        return _mark(result, there) if there else result

    @staticmethod
    def _move(args, kwargs):
        tensor, *rest = args
        device = kwargs.pop("device", None)
        if rest and isinstance(rest[0], torch.Tensor):
            device, rest = (GPU if on_gpu(rest[0]) else "cpu"), [rest[0].dtype, *rest[1:]]
        elif rest and isinstance(rest[0], (str, torch.device)):
            device, *rest = rest
        where = on_gpu(tensor) if device is None else _is_gpu(device)
        moved = tensor.to(*rest, **kwargs) if device is None else tensor.to("cpu", *rest, **kwargs)
        if moved is tensor and where != on_gpu(tensor):
            moved = tensor.clone()
        return _mark(moved, where)
