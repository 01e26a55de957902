#!/bin/sh
# 01: train on the digits that come with scikit-learn, export, and compare the file with Keras.
# A minute on two cores, offline. Your own model and data: 03 and 04.
set -eu
toolkit train --dataset digits --epochs "${EPOCHS:-20}" --out runs
toolkit export runs/latest --format tflite-int8
toolkit verify --against runs/latest
ls runs/latest/exports
