# SPDX-License-Identifier: Apache-2.0
# Everything a developer or CI runs. Each target sets up what it needs, once; `make help` lists them.

PYTHON ?= python3
ROUNDS ?= 3000
FRAMES ?= 10000000
SERVER_KILLS ?= 300
MINUTES ?= 30
BENCH ?= bench
GPU_RESULTS ?= bench/results
GPU_PYTHON ?= 3.12
GPU_PACKAGES = 'scikit-build-core>=1.1' pathspec packaging 'cython>=3.3' 'cython-cmake>=0.3' \
    'pytest>=9.0' pluggy iniconfig 'pytest-timeout>=2.4' \
    'ruamel.yaml>=0.18' nibabel nilearn

MAKEFLAGS += --no-builtin-rules
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CPP_FILES = $(shell find cpp src tests/fake_cuda bench/gpu -name '*.hpp' -o -name '*.cpp')
PACKAGE_FILES = $(shell find src cpp/include cpp/src -type f -not -path '*/__pycache__*')
STUBS = $(wildcard src/clara_fastio/_core/*.pyi)

.PHONY: help
help:  ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

# Set-up. Stamps lie in .venv, so that removing it is a fresh start.

.PHONY: venv
venv: .venv/ready  ## Create .venv with every tool that the other targets need

.venv/ready: pyproject.toml .ci/system-packages
	.ci/system-packages $(PYTHON)
	[ -x .venv/bin/python ] || $(PYTHON) -m venv .venv
	python -m pip install --quiet --upgrade 'pip>=25.1'  # The first that knows --group.
	python -c 'import tomllib; c = tomllib.load(open("pyproject.toml", "rb")); \
	    print(*c["build-system"]["requires"], sep="\n")' > .venv/build-requires.txt
	python -m pip install --quiet --requirement .venv/build-requires.txt --group dev
	touch $@

.venv/test-packages: .venv/ready
	.ci/system-packages $(PYTHON) tests
	touch $@

# Without isolation the build folder is used again, and a change costs seconds.
.venv/installed: .venv/ready CMakeLists.txt cpp/CMakeLists.txt README.md $(PACKAGE_FILES)
	python -m pip install --quiet --no-build-isolation '.[pipeline,server,postgresql,examples]'
	touch $@

.PHONY: build
build: .venv/installed build-test  ## Install the package into .venv; build the C++ tests with kill points

.PHONY: build-test
build-test: .venv/test-packages
	cmake -S . -B build/test -G Ninja --log-level=NOTICE \
	    -DCLARA_FASTIO_TESTS=ON -DCLARA_FASTIO_KILL_POINTS=ON
	cmake --build build/test

# Proof.

# Each of these starts servers of its own and mostly waits for them, so they run beside each other.
PARALLEL_TESTS = tests/cli/verbs $(filter-out tests/platform/original_client/, \
    $(dir $(wildcard tests/platform/*/conftest.py tests/platform/*/test_*.py)))
# These start programs that work: beside each other, but not beside servers that are waited for.
BUSY_TESTS = tests/device tests/doctor

# What fails beside others has to pass alone: on a machine that is in use elsewhere too, a process may
# take seconds to start, and tests of time limits and deaths tell that apart from a fault no more.
beside_others = python -m pytest --numprocesses=2 --dist=loadfile $(1) || \
    python -m pytest --last-failed --last-failed-no-failures=none $(1)

.PHONY: test
test: build  ## C++ tests, then Python tests, among them a short run of kills
	ctest --test-dir build/test --output-on-failure --parallel $$(nproc)
	$(call beside_others,$(sort $(PARALLEL_TESTS)))
	$(call beside_others,$(BUSY_TESTS))
	python -m pytest $(addprefix --ignore=,$(sort $(PARALLEL_TESTS)) $(BUSY_TESTS))

.PHONY: test-postgresql
test-postgresql: build  ## The platform's tests again, with records in PostgreSQL
	python -m pytest tests/platform --records=postgresql --ignore=tests/platform/records

.PHONY: test-containers
test-containers: .venv/installed  ## Operators in containers of podman and docker; builds their image once
	.ci/system-packages $(PYTHON) containers
	python -m tests.containers.prepare
	python -m pytest tests/containers

.PHONY: torch
torch: .venv/ready  ## Install torch (200 MB), with which the DLPack tests then work too
	python -m pip install --quiet --group torch

.PHONY: kill
kill: build  ## Kill processes at every point, ROUNDS times
	python -m pytest tests/kill --rounds=$(ROUNDS) --timeout=0 --capture=no

.PHONY: soak
soak: .venv/installed  ## Stream frames for MINUTES while consumers come and die; nothing may grow
	python -m tests.soak --minutes $(MINUTES)

.PHONY: kill-frames
kill-frames: build  ## Kill producers and consumers while FRAMES frames are made
	python -m pytest tests/kill/test_frames.py tests/kill/test_frame_hosts.py \
	    --frames=$(FRAMES) --timeout=0 --capture=no

.PHONY: kill-server
kill-server: build  ## Kill the platform server under load, SERVER_KILLS times
	python -m pytest tests/platform/kill --server-kills=$(SERVER_KILLS)

.PHONY: sanitize
sanitize: .venv/test-packages  ## C++ tests under address and undefined, then under thread sanitizer
	$(call sanitized_tests,address$(comma)undefined,build/address)
	$(call sanitized_tests,thread,build/thread)

.PHONY: model
model: .venv/test-packages  ## Check the models of the protocol over all interleavings
	docs/design/models/check

.PHONY: bench
bench: build-bench  ## Measure ratios, write docs/benchmarks.md; BENCH=bench/bench_x.py for one
	python -m pytest $(BENCH) --benchmark-only --benchmark-quiet --timeout=0 \
	    --benchmark-json=build/bench/run.json
	python -m bench.report build/bench/run.json

.PHONY: bench-smoke
bench-smoke: build-bench
	python -m pytest $(BENCH) --benchmark-disable

# Release, as in a wheel, and without kill points.
.PHONY: build-bench
build-bench: .venv/installed .venv/peers
	cmake -S . -B build/bench -G Ninja --log-level=NOTICE \
	    -DCLARA_FASTIO_BENCH=ON -DCMAKE_BUILD_TYPE=Release
	cmake --build build/bench

# What the benches compare with and nobody else needs.
.venv/peers: .venv/ready
	python -m pip install --quiet 'tritonclient==2.73.0'
	touch $@

.PHONY: peers
peers: build/peers/ready  ## Install what the frame benches compare with (1.5 GB); what is missing is absent

build/peers/ready: pyproject.toml
	$(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	build/peers/bin/python -m pip install --quiet --group peers
	touch $@

# On a machine with a GPU. It may reach no index, so this makes no environment and installs nothing
# from anywhere: `python -m bench.gpu.run` builds into build/gpu with what is there, and with wheels
# that lie in build/wheels. It says first what is missing. CLARA_FASTIO_GPU_TIME is in seconds.
.PHONY: gpu
gpu:  ## On a GPU: build, test, ask, measure; write bench/results/<date>-gpu.json and .md
	$(PYTHON) -m bench.gpu.run $(GPU_RESULTS)

.PHONY: gpu-wheels
gpu-wheels:  ## Fetch what `make gpu` needs beside cupy and numpy, for a machine without an index
	$(PYTHON) -m pip download --quiet --no-deps --only-binary=:all: --dest build/wheels \
	    --implementation cp --python-version $(GPU_PYTHON) \
	    $(addprefix --platform manylinux,_2_28_x86_64 _2_27_x86_64 _2_24_x86_64 _2_17_x86_64 \
	        2014_x86_64 _2_12_x86_64 2010_x86_64 _2_5_x86_64 1_x86_64) \
	    $(GPU_PACKAGES)

.PHONY: demo
demo: .venv/installed  ## Run the brain example
	examples/brain/run

.PHONY: demo-microscope
demo-microscope: .venv/installed  ## Run the microscope example: frames of a camera, followed live
	examples/microscope/run

# Form.

.PHONY: lint
lint: lint-python lint-cpp lint-types lint-proto  ## Every check of form and types; `make -k lint` shows all

.PHONY: lint-python
lint-python: .venv/ready
	ruff check
	ruff format --check
	cython-lint src

.PHONY: lint-cpp
lint-cpp: .venv/ready
	clang-format --dry-run -Werror $(CPP_FILES)

.PHONY: lint-types
lint-types: .venv/installed
	mypy
	$(if $(STUBS),MYPYPATH=src stubtest clara_fastio._core \
	    --allowlist tests/typing/stubtest.txt --mypy-config-file pyproject.toml)

.PHONY: lint-proto
lint-proto: .venv/ready
	python src/clara_fastio/platform/_proto/generate --check

.PHONY: proto
proto: .venv/ready  ## Write the Python modules of the .proto files
	python src/clara_fastio/platform/_proto/generate

.PHONY: format
format: .venv/ready  ## Write what lint would ask for
	ruff check --fix
	ruff format
	clang-format -i $(CPP_FILES)

.PHONY: clean
clean:  ## Remove everything that the other targets made
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .benchmarks
	find src tests bench examples -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

comma := ,
# gcc's thread sanitizer needs its addresses where an unrandomised layout leaves them free; a
# container may forbid that, and then the tests run as they are.
define sanitized_tests
	cmake -S . -B $(2) -G Ninja --log-level=NOTICE -DCLARA_FASTIO_TESTS=ON \
	    -DCLARA_FASTIO_KILL_POINTS=ON -DCLARA_FASTIO_SANITIZE=$(1)
	cmake --build $(2)
	$$(setarch -R true 2>/dev/null && echo setarch -R) \
	    ctest --test-dir $(2) --output-on-failure --parallel $$(nproc)
endef
