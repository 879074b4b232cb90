# Two commands set everything up: `make demo` and `make test`.
# Only Python 3.11 or newer and make are needed; all else goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export CXPATH_DATA ?= ../shared/data

.PHONY: demo test check docs notebooks bench peers soak fuzz evaluate wheel extras clean

demo: $(VENV)/installed
	$(BIN)/cxpath demo

# One thread each: workers that each take all cores wait for one another.
test: check
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/installed-test
	$(BIN)/ruff check src tests scripts benchmarks
	$(BIN)/ruff format --check src tests scripts benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m scripts.studies.measure_structure
	$(BIN)/python -m scripts.studies.check_prose *.md docs src

docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict

# What the notebooks of the documentation print and draw, anew.
notebooks: $(VENV)/installed-test
	$(BIN)/python -m scripts.site.run_notebooks

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.bench $(ONLY)

# Other readers, to be measured beside cxpath by `make bench`; what does not install here is left out.
peers:
	$(PYTHON) -m venv .venv-peers
	for peer in openslide-python openslide-bin opencv-python-headless tiffslide cucim-cu12 fastslide; do \
	  .venv-peers/bin/python -m pip install --quiet --only-binary :all: $$peer || echo "$$peer does not install here"; done

# Long tests of batches and their timings, figures of docs/notebook/batches.md; they want two free cores and an hour.
soak: $(VENV)/installed-test
	$(BIN)/python -m benchmarks.soak $(ONLY)

# Damaged files for every reader, those of the cases and of the real data too; prints a table and keeps faults in
# cxpath-out/fuzz. ONLY names readers, in quotes where they hold a blank; INPUTS is their number for each reader.
fuzz: $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m scripts.studies.fuzz_readers --inputs $(or $(INPUTS),9000) \
	  --only $(ONLY)

# Every figure of docs/notebook/accuracy.md into cxpath-out/evaluation, the model's card and that page;
# resumes where it was left. MODEL=base measures the wider model, into its card alone.
MODEL ?= small
EVALUATION := cxpath-out/evaluation/$(MODEL)
evaluate: $(VENV)/installed
	$(BIN)/cxpath model evaluate --model $(MODEL) --record --on restained --out $(EVALUATION)/restained
	$(BIN)/cxpath model evaluate --model $(MODEL) --record --on real --out $(EVALUATION)/real
	$(BIN)/cxpath model evaluate --model $(MODEL) --record --on synthetic --out $(EVALUATION)/synthetic
	$(BIN)/python -m scripts.studies.fit_slide_error $(EVALUATION)/synthetic \
	  $(EVALUATION)/restained --arm held_out training_stains restained --record models/$(MODEL)
ifeq ($(MODEL),small)
	$(BIN)/python -m scripts.studies.compare_synthetic_with_real --out cxpath-out/evaluation/domain-gap
	$(BIN)/python -m scripts.studies.write_accuracy_tables docs/notebook/accuracy.md \
	  $(addprefix $(EVALUATION)/,restained real synthetic)
endif

wheel: $(VENV)/installed-test
	$(BIN)/python -m build --wheel --no-isolation

# The wheel in a fresh environment for each extra, of which a default torch takes 5 GB; ONLY names extras.
extras: wheel
	$(BIN)/python -m scripts.studies.check_extras dist/cxpath-*.whl $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(VENV) dist build site cxpath-out

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("cxpath needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group test
	touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --editable ".[openvino]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --group docs
	touch $@
