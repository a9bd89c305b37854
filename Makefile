# make demo: from nothing to a scored submission.  make test: the tests.  Both make .venv where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DATA := data/sample
DEMO_OPTIONS ?=
RUN := work_dirs/quickstart

.PHONY: demo test lint clean

# The stamp is newer than requirements.txt and pyproject.toml exactly when the environment fits them.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@# Two builds of OpenCV arrive in one folder; the headless one, put there last, needs no graphics library.
	$(BIN)/python -m pip install --quiet --force-reinstall --no-deps `grep opencv requirements.txt`
	touch $@

demo: $(VENV)/.installed
	$(BIN)/python tools/make_sample.py $(DEMO_DATA) --images 600 --test-images 60 --seed 0
	FASHION_DATA=$(DEMO_DATA) $(BIN)/python tools/train.py configs/fashion/quickstart.py \
	    $(if $(DEMO_OPTIONS),--cfg-options $(DEMO_OPTIONS))
	FASHION_DATA=$(DEMO_DATA) $(BIN)/python tools/test.py configs/fashion/quickstart.py \
	    "$$(cat $(RUN)/last_checkpoint)" --show-dir $(RUN)/pictures
	FASHION_DATA=$(DEMO_DATA) $(BIN)/python tools/test.py configs/fashion/quickstart.py \
	    "$$(cat $(RUN)/last_checkpoint)" --submission $(RUN)/submission.csv
	$(BIN)/python tools/score_submission.py $(RUN)/submission.csv --validate-only \
	    --sample $(DEMO_DATA)/sample_submission.csv
	$(BIN)/python tools/score_submission.py $(RUN)/submission.csv $(DEMO_DATA)/test_truth.csv
	@echo "pictures: $(RUN)/pictures   submission: $(RUN)/submission.csv"

test: $(VENV)/.installed
	$(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) $(DEMO_DATA) $(RUN)
