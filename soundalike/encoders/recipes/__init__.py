"""Build the ONNX files of models whose weights come in packages of other programs."""
