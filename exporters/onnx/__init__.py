"""ONNX: conversion of Keras models to float32 graphs, and their int8 quantization."""
