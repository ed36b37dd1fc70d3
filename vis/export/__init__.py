"""Models as files that run without this package: ONNX, and what `torch.export` writes."""

from vis.export.export import EXPORTABLE, Exported, export

__all__ = ["EXPORTABLE", "Exported", "export"]
