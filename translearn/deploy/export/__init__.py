"""A trained model in a file for other runtimes: ONNX, torch.export, TorchScript."""
