"""The kinds of files that a model can be exported to, for the command line's parser: free of imports."""

#: Formats, and how the names of their files end.
FORMATS = {"onnx": ".onnx", "torch_export": ".pt2", "torchscript": ".pt"}
#: Quantisations of onnxruntime, the usual one for convolutions first.
INT8 = ("static", "dynamic")
