"""TFLite: conversion of Keras models, int8 quantization, and calibration ranges."""
