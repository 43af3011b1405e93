# Copyright 2026 The mbu_ros authors
# SPDX-License-Identifier: Apache-2.0
#
#   make demo    the whole path on this machine: bag, player, node, evaluator, pictures
#   make demo VIDEO=file.mp4 | BAG=path | IMAGES=folder [MODEL=name] [ENGINE=cuda]
#   make test [ENGINE=cuda]  all tests that this machine can run; ENGINE=cuda installs what those on a
#                GPU need, TORCH=no leaves PyTorch's download out, WORKERS=0 tests in one process
#   make bench   time the CUDA engine beside FP16 U-Nets on this GPU; TORCH=no: the engine alone
#   make soak HOURS=0.5 [ENGINE=cuda]  the node at full rate for so long: does anything grow?
#   make load [ENGINE=cuda] [MODEL=name]  eight cameras of 1280x720 at 30 Hz on one node
#   make kernels ARCH="87 90"  compile the CUDA kernels ahead, to be installed with the package
#   make lint    style, types, spelling, format of the kernels, package.xml
#   make fuzz MINUTES=10  new random input of every kind for so long
#   make coverage  the tests, and the share of lines that they run; HTML in coverage/
#   make audit   known vulnerabilities of what is installed (asks a database on the network)
#   make constraints PYTHON=python3.12  pin what a clean installation takes today
#   make clean   remove what make made

# Not ?=, which would take them from the environment too.
PYTHON = python3
VENV = .venv
MODEL = synthetic
ENGINE = auto
TORCH = yes
ARCH =
OUT = demo_output
MINUTES = 10
HOURS = 0.5
# Processes that test at the same time: one for each core, up to four. Where the tests of a GPU can run
# there is but one: several would have to share the GPU.
WORKERS = $(if $(CUDA_STAMP)$(wildcard $(VENV)/.cuda),0,auto)
# Releases that were tested together. CONSTRAINTS= takes the newest that setup.py allows.
CONSTRAINTS = $(wildcard constraints/python$(PYTHON_VERSION).txt)

BIN := $(VENV)/bin
PYTHON_VERSION = $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
INSTALL = $(BIN)/python -m pip install -q $(if $(CONSTRAINTS),-c $(CONSTRAINTS))
CUDA_STAMP := $(if $(filter cuda,$(ENGINE)),$(VENV)/.cuda)
DEMO_INPUT := $(if $(VIDEO),--video "$(VIDEO)") $(if $(BAG),--bag "$(BAG)") $(if $(IMAGES),--images "$(IMAGES)")

.PHONY: demo test fuzz bench soak load kernels lint coverage audit constraints clean

demo: $(VENV)/.demo $(CUDA_STAMP)
	$(BIN)/mbu demo --model "$(MODEL)" --engine "$(ENGINE)" --out "$(OUT)" $(strip $(DEMO_INPUT))

# A worker takes whole files: what the tests of one share is made once. Tests that are marked `alone`
# wait until no other worker is at one (see test/turns.py).
test: $(VENV)/.test $(CUDA_STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --maxprocesses 4 --dist loadfile $(ARGS)

# The cases of each kind are counted; what fails is kept in .hypothesis.
fuzz: $(VENV)/.test
	$(BIN)/python -m pytest test/fuzz --fuzz-minutes $(MINUTES) $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/mbu bench $(ARGS)

soak: $(VENV)/.soak $(CUDA_STAMP)
	$(BIN)/mbu soak --hours $(HOURS) --model "$(MODEL)" --engine "$(ENGINE)" $(ARGS)

load: $(VENV)/.soak $(CUDA_STAMP)
	$(BIN)/mbu bench --ros --cameras 8 --rate 30 --seconds 30 --model "$(MODEL)" --engine "$(ENGINE)" $(ARGS)

# With no ARCH, for the GPU that is here.
kernels: $(VENV)/.package
	$(BIN)/mbu kernels $(if $(ARCH),--arch $(ARCH)) $(ARGS)

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(if $(filter 3.10,$(PYTHON_VERSION)),@echo 'mypy is left out: NumPy tells too little of its types on Python 3.10',$(BIN)/mypy)
	$(BIN)/codespell
	$(BIN)/clang-format --dry-run --Werror kernels/*.cu kernels/*.cuh
	$(BIN)/python -c 'from catkin_pkg.package import parse_package; parse_package("package.xml")'

# Nodes and tools that tests start as processes count too.
coverage: $(VENV)/.test
	$(BIN)/python -m pytest --cov --cov-report=term --cov-report=html $(ARGS)

audit: $(VENV)/.test
	$(INSTALL) -e '.[audit]'
	$(BIN)/pip-audit --local --skip-editable -s osv

# PyTorch is not among them: it comes in builds of its own for each kind of GPU.
constraints:
	rm -rf $(VENV).clean
	$(PYTHON) -m venv $(VENV).clean
	$(VENV).clean/bin/python -m pip install -q -e '.[ros,bench,dev]'
	$(VENV).clean/bin/python constraints/freeze.py
	rm -rf $(VENV).clean

# Each extra is installed once, and again when setup.py changes. Running a model needs no PyTorch,
# so the demo does without that download.
$(VENV)/.package: setup.py $(wildcard constraints/*.txt) | $(BIN)/python
	$(INSTALL) -e .
	touch $@

$(VENV)/.demo: setup.py $(wildcard constraints/*.txt) | $(BIN)/python
	$(INSTALL) -e '.[ros]'
	touch $@ $(VENV)/.package

# PyCUDA is compiled here, which takes the headers of a CUDA toolkit.
$(VENV)/.cuda: setup.py $(wildcard constraints/*.txt) | $(BIN)/python
	$(INSTALL) -e '.[cuda]'
	touch $@

$(VENV)/.bench: setup.py $(wildcard constraints/*.txt) $(VENV)/.cuda | $(BIN)/python
	$(INSTALL) -e '.[bench]'
	@[ "$(TORCH)" = no ] || $(INSTALL) -e '.[torch]' || \
	  echo 'PyTorch cannot be installed here: the engine will be timed alone'
	touch $@ $(VENV)/.package

$(VENV)/.soak: setup.py $(wildcard constraints/*.txt) | $(BIN)/python
	$(INSTALL) -e '.[ros,bench]'
	touch $@ $(VENV)/.demo $(VENV)/.package

$(VENV)/.test: setup.py $(wildcard constraints/*.txt) | $(BIN)/python
	$(INSTALL) -e '.[ros,dev,bench]'
	@[ "$(TORCH)" = no ] || $(INSTALL) -e '.[train]' || \
	  echo 'PyTorch cannot be installed here: the tests of network and training will be skipped'
	touch $@ $(VENV)/.demo $(VENV)/.soak $(VENV)/.package

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "mbu_ros needs Python 3.10 or newer: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

clean:
	rm -rf .venv .venv.clean build dist *.egg-info demo_output bench_output soak_output kernels/cubin coverage
	rm -rf .coverage .hypothesis .pytest_cache .ruff_cache .mypy_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
