# make demo: from nothing to the garments of a photo, then to a scored submission.  make predict PHOTO=photos: of yours.
# make test: the tests.  make crash: what a kill -9 leaves.
# make fuzz MINUTES=10: odd inputs at every entrance.  # make ablation: the reference report's experiments on a CPU.
# All make .venv where it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DATA := data/sample
DEMO_OPTIONS ?=
MINUTES ?= 10
RUN := work_dirs/quickstart
PREDICTED := work_dirs/predict
# A public-domain portrait of Rear Admiral Grace Hopper, which comes with matplotlib.
SAMPLE_PHOTO := $$($(BIN)/python -c 'import matplotlib as m; print(m.get_data_path())')/sample_data/grace_hopper.jpg
PHOTO ?=
ABLATION_DATA ?= $(or $(LADDER_DATA),data/ccp)
STEPS := baseline heads all aug ident lossw resampled full smooth
STEP := work_dirs/maskrcnn_lite0
ABLATION := $(STEPS:%=$(STEP)_%)
COMPARE := $(BIN)/python tools/compare_runs.py --targets $(STEP)_lossw/sensitivity.json --format markdown
# A step that is done has its scores; one that was stopped goes on from its newest checkpoint.
SCORED := $(ABLATION:%=%/val.json)

.PHONY: demo predict test crash fuzz lint lock clean ablation ladder
.SECONDARY:

# The stamp is newer than requirements.txt and pyproject.toml exactly when the environment fits them.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	@# Two builds of OpenCV arrive in one folder; the headless one, put there last, needs no graphics library.
	grep ^opencv-python-headless requirements.txt \
	    | $(BIN)/python -m pip install --quiet --force-reinstall --no-deps -r /dev/stdin
	touch $@

predict: $(VENV)/.installed
	$(BIN)/python tools/predict.py $(or $(PHOTO),"$(SAMPLE_PHOTO)") --out $(PREDICTED) --cutouts

demo: predict
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

ladder: ablation  # its former name

ablation: $(SCORED)
	$(COMPARE) $(ABLATION) --deck --columns score,difference,deck,cost
	@# These two stand on lossw, not on the step above them.
	$(COMPARE) $(STEP)_lossw $(STEP)_full $(STEP)_smooth --columns difference
	$(COMPARE) $(STEP)_lossw $(STEP)_resampled --columns difference,classes
	$(COMPARE) $(ABLATION) --deck --format html --out work_dirs/ablation.html

work_dirs/maskrcnn_lite0_%/val.json: | $(VENV)/.installed
	FASHION_DATA=$(ABLATION_DATA) $(BIN)/python tools/train.py configs/fashion/cpu/maskrcnn_lite0_$*.py --resume \
	    --cfg-options train_cfg.val_begin=1000  # tools/test.py scores the end
	FASHION_DATA=$(ABLATION_DATA) $(BIN)/python tools/test.py configs/fashion/cpu/maskrcnn_lite0_$*.py \
	    "$$(cat $(@D)/last_checkpoint)"

work_dirs/maskrcnn_lite0_%/sensitivity.json: work_dirs/maskrcnn_lite0_%/val.json
	FASHION_DATA=$(ABLATION_DATA) $(BIN)/python tools/sensitivity.py $(<:.json=.parquet) --out $@

# What a step needs from those before.
$(patsubst %,work_dirs/maskrcnn_lite0_%/val.json,$(filter-out baseline heads,$(STEPS))): \
    | work_dirs/maskrcnn_lite0_heads/val.json
work_dirs/maskrcnn_lite0_resampled/val.json: | work_dirs/maskrcnn_lite0_lossw/sensitivity.json

test: $(VENV)/.installed
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

# Kill -9 at some 60 random moments; each rerun must come to the same, with nothing left over. Ten minutes.
crash: $(VENV)/.installed
	$(BIN)/python tests/crash.py

fuzz: $(VENV)/.installed
	$(BIN)/python tests/fuzz.py --minutes $(MINUTES)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Writes requirements.txt from pyproject.toml, keeping the versions that still fit; the newest: make lock UPGRADE=--upgrade
lock:
	echo '-e .[dev,benchmark]' | uv pip compile - --universal --python-version 3.10 --no-annotate --quiet $(UPGRADE) \
	    --custom-compile-command 'make lock (needs uv: pip install uv)' --output-file requirements.txt

clean:
	rm -rf $(VENV) $(DEMO_DATA) $(RUN)
