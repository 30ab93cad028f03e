"""ONNX graphs: converted to torch if they can be differentiated, else run by onnxruntime."""
