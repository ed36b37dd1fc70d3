"""Models as files that run without this package: ONNX, and what `torch.export` writes."""
