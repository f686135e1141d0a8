# Everything that a fresh clone needs is made by the first target that asks for it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export DAGSTER_HOME := $(CURDIR)/.telefine/dagster
export DAGSTER_DISABLE_TELEMETRY := yes
export MLFLOW_DISABLE_TELEMETRY := true
export LITELLM_LOCAL_MODEL_COST_MAP := True
# Without .pyc files every process would take three times as long to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test test-wheel bench lint ui mlflow site lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.ready $(DAGSTER_HOME)/dagster.yaml  ## run the demonstration; started again, it goes on where it stopped
	@$(BIN)/telefine demo

test: $(VENV)/.ready lint  ## lint, types, and all tests
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not model"
	$(BIN)/pytest -m model telefine_assets_tests/lm telefine_assets_tests/e2e/test_demo.py

bench: $(VENV)/.ready  ## benchmarks against their peers, on a quiet machine: three hours, or those of ONLY="api spool"; stopped, it goes on
	@$(BIN)/python -m telefine_assets_tests.benchmarks $(ONLY)

test-wheel: $(VENV)/.ready  ## build the package, and run all tests against what was installed from it
	$(BIN)/python -m telefine_assets_tests.packaging.from_wheel -n 2 --dist loadfile --no-loadscope-reorder -m "not model"

lint: $(VENV)/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

ui: $(VENV)/.ready $(DAGSTER_HOME)/dagster.yaml  ## Dagster on http://127.0.0.1:3000
	$(BIN)/dagster dev -w workspace.yaml --host 127.0.0.1 --port 3000

mlflow: $(VENV)/.ready  ## MLflow on http://127.0.0.1:5000
	MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false $(BIN)/mlflow server --host 127.0.0.1 --port 5000 \
		--backend-store-uri sqlite:///$(CURDIR)/.telefine/mlflow.db \
		--default-artifact-root $(CURDIR)/.telefine/mlflow-artifacts

site: $(VENV)/.ready  ## the documentation as a site, in .telefine/site; writes the references in docs/ anew first
	$(BIN)/python docs/_hooks/references.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f .mkdocs.yml

lock:  ## make requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
		--no-header --no-annotate --extra chain --extra demo --extra cluster --extra observability --extra kubernetes \
		--group test --group docs pyproject.toml -o requirements.lock
	uv pip compile --python-version 3.11 --generate-hashes --no-strip-extras --no-emit-index-url \
		--no-header --no-annotate --extra kubernetes --extra chain --extra observability --extra optimisers \
		-c requirements.lock pyproject.toml -o deploy/requirements.lock

clean:  ## remove what the demonstration made; the environment stays
	rm -rf .telefine

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Telefine needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(@D)
	@cp $< $@
