# The web service on a CPU:
#     docker build -t fashion_mmdet . && docker run --rm -p 8080:8080 fashion_mmdet
# Another model: -v $PWD/work_dirs/RUN:/model:ro ... fashion_mmdet --model /model. Keys: -e FASHION_API_KEYS=...
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
# The versions that are tested; torch's builds for CPUs have a tenth of the size of those for GPUs. OpenCV arrives twice
# in one folder; the headless one, put there last, needs no graphics library.
COPY requirements.txt .
RUN grep -E '^[a-z]' requirements.txt > pins.txt \
    && pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c pins.txt torch torchvision
COPY pyproject.toml README.md LICENSE ./
COPY fashion_mmdet fashion_mmdet
RUN pip install --no-cache-dir -c pins.txt '.[serve]' \
    && grep '^opencv-python-headless' pins.txt > opencv.txt \
    && pip install --no-cache-dir --force-reinstall --no-deps -r opencv.txt

FROM python:3.11-slim
RUN useradd --create-home --uid 1000 service
COPY --from=build /venv /venv
COPY tools/serve.py /app/tools/serve.py
WORKDIR /app
# Two arenas: glibc would keep one a thread, each with what its largest photo took.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 MALLOC_ARENA_MAX=2 NUMBA_CACHE_DIR=/tmp/numba
USER service
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["python", "tools/serve.py", "--host", "0.0.0.0"]
