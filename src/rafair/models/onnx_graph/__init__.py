"""ONNX graphs: read, converted to torch where they can be differentiated, asked otherwise."""
