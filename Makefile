# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
#
#   make demo    the whole path on this machine: bag, player, node, evaluator, pictures
#   make demo VIDEO=file.mp4 | BAG=path | IMAGES=folder [MODEL=name] [ENGINE=cuda]
#   make test    all tests that this machine can run; TORCH=no leaves PyTorch's download out
#   make bench   time the CUDA engine beside FP16 U-Nets on this GPU; TORCH=no: the engine alone
#   make kernels ARCH="87 90"  compile the CUDA kernels ahead, to be installed with the package
#   make lint    style
#   make clean   remove what make made

# Not ?=, which would take them from the environment too.
PYTHON = python3
VENV = .venv
MODEL = synthetic
ENGINE = auto
TORCH = yes
ARCH =
OUT = demo_output

BIN := $(VENV)/bin
DEMO_INPUT := $(if $(VIDEO),--video "$(VIDEO)") $(if $(BAG),--bag "$(BAG)") $(if $(IMAGES),--images "$(IMAGES)")

.PHONY: demo test bench kernels lint clean

demo: $(VENV)/.demo $(if $(filter cuda,$(ENGINE)),$(VENV)/.cuda)
	$(BIN)/mbu demo --model "$(MODEL)" --engine "$(ENGINE)" --out "$(OUT)" $(strip $(DEMO_INPUT))

test: $(VENV)/.test
	$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/mbu bench $(ARGS)

# With no ARCH, for the GPU that is here.
kernels: $(VENV)/.package
	$(BIN)/mbu kernels $(if $(ARCH),--arch $(ARCH)) $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .

# Each extra is installed once, and again when setup.py changes. Running a model needs no PyTorch,
# so the demo does without that download.
$(VENV)/.package: setup.py | $(BIN)/python
	$(BIN)/python -m pip install -q -e .
	touch $@

$(VENV)/.demo: setup.py | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[ros]'
	touch $@ $(VENV)/.package

# PyCUDA is compiled here, which takes the headers of a CUDA toolkit.
$(VENV)/.cuda: setup.py | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[cuda]'
	touch $@

$(VENV)/.bench: setup.py $(VENV)/.cuda | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[bench]'
	@[ "$(TORCH)" = no ] || $(BIN)/python -m pip install -q -e '.[torch]' || \
	  echo 'PyTorch cannot be installed here: the engine will be timed alone'
	touch $@ $(VENV)/.package

$(VENV)/.test: setup.py | $(BIN)/python
	$(BIN)/python -m pip install -q -e '.[ros,dev,bench]'
	@[ "$(TORCH)" = no ] || $(BIN)/python -m pip install -q -e '.[train]' || \
	  echo 'PyTorch cannot be installed here: the tests of network and training will be skipped'
	touch $@ $(VENV)/.demo $(VENV)/.package

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mbu_ros needs Python 3.10 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf .venv build dist *.egg-info demo_output bench_output kernels/cubin .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
