# Short commands for working on and with AutoRemedy; `make` alone lists them.
# Needs only make and any Python from 3.11 on; everything else goes into .venv.

.DEFAULT_GOAL := help
.PHONY: help install run test chaos check corpus llm-real bench lock clean

VENV := .venv
PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
UV := $(shell command -v uv 2>/dev/null)

# Version managers put commands for absent Pythons on the path, so each candidate has to prove itself.
CANDIDATES := $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /\1|/p' $(firstword $(MAKEFILE_LIST)) | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

install: $(VENV)/.dev ## make .venv with everything for running, testing and checking

run: $(VENV)/.runtime ## API, worker and fault lab in one process on http://127.0.0.1:8000 (PORT= moves it)
	$(PY) main.py

# One more than there are processors: many tests wait for a lease to end or a server to start.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 1)))
test: $(VENV)/.dev ## run the tests (ARGS="-k name -x" is handed to pytest)
	$(PY) -m pytest -n $(WORKERS) --maxprocesses 8 --dist worksteal $(ARGS)

chaos: $(VENV)/.dev ## every crash point, the whole random run and 20 seeds of a fifth, half an hour (ARGS="sweep --seed 7")
	$(PY) -m tests.chaos.run $(ARGS)

check: $(VENV)/.dev ## lint, formatting and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy --strict

CORPUS ?= ../shared/corpus
corpus: $(VENV)/.dev ## run the rules over labelled failures (CORPUS=folder, ARGS="--errors 20 --leave-out")
	@PYTHONPATH=. $(PY) benchmarks/corpus.py $(CORPUS) $(ARGS)

LLAMA_SERVER ?= llama-server
llm-real: $(VENV)/.dev .venv-model/.made ## the model client against llama.cpp (LLAMA_SERVER=path of llama-server)
	@PYTHONPATH=. $(PY) benchmarks/llm_real.py .venv-model/bin/python $(LLAMA_SERVER) $(ARGS)

.venv-model/.made:
	@$(PY) -m venv --clear .venv-model
	.venv-model/bin/python -m pip install --quiet gguf numpy
	@touch $@

bench: ## list the benchmarks and how to run one
	@for f in benchmarks/[a-z]*.py; do [ -e "$$f" ] || continue; \
		printf '  %-48s %s\n' "$(PY) $$f" "$$(sed -n '1s/^"""\([^"]*\).*/\1/p' "$$f")"; done

# An existing lock keeps its versions where they still fit; UPGRADE=1 takes the newest.
lock: $(VENV)/.venv ## write requirements.lock anew from pyproject.toml (UPGRADE=1: newest versions)
	@[ -n "$(UV)" ] || $(PY) -m uv --version >/dev/null 2>&1 || $(PY) -m pip install --quiet uv
	$(if $(UV),$(UV),$(PY) -m uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
		$(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml

clean: ## remove .venv and what the tools left behind (never ./data)
	rm -rf $(VENV) .venv-model .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.venv:
	@for python in $(CANDIDATES); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
			if "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
				echo "Making $(VENV) with $$("$$python" --version) ..."; \
				"$$python" -m venv --clear $(VENV) && touch $@; exit; \
			fi; \
			echo "$$python is new enough but cannot make virtual environments." >&2; \
			echo "Its venv part is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; \
		fi; \
	done; \
	echo "AutoRemedy needs Python 3.11 or newer; tried: $(CANDIDATES)." >&2; \
	echo "Install one (Debian and Ubuntu: apt install python3 python3-venv; macOS: brew install python)," >&2; \
	echo "or name it: make PYTHON=/path/to/python3.12 install" >&2; exit 1

# The development group comes with the runtime, so that either one is a single installation.
# pip knows dependency groups from 25.1 on; older Pythons bring an older pip.
$(VENV)/.dev: pyproject.toml | $(VENV)/.venv
	$(PY) -m pip install --quiet --upgrade 'pip>=25.1'
	$(PY) -m pip install --quiet --editable . --group dev
	@touch $@ $(VENV)/.runtime

$(VENV)/.runtime: pyproject.toml | $(VENV)/.venv
	$(PY) -m pip install --quiet --editable .
	@touch $@
